#pragma once

#include <vector>

#include "layers/tile_product.h"
#include "model/parameters.h"
#include "model/transformer_config.h"

namespace limelight {

/// The linear layers of one block, in bf16 for the tile unit.
struct BlockTileWeights {
  TileProduct qkv, attention_out, mlp_in, mlp_out;
};

/// The weights of a model's linear layers as they were when this was made: in bf16 for the tile
/// unit, half of what they take in f32.
struct TileWeights {
  TileWeights(const TransformerConfig& config, const Parameters<const float>& parameters);

  std::vector<BlockTileWeights> blocks;
  TileProduct output;  ///< to logits
};

}  // namespace limelight
