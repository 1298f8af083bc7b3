#include "model/tile_weights.h"

namespace limelight {
namespace {

std::vector<BlockTileWeights> pack_blocks(const TransformerConfig& config,
                                          const Parameters<const float>& parameters) {
  const std::int64_t width = config.width;
  const std::int64_t inner = config.inner_width;
  std::vector<BlockTileWeights> packed;
  packed.reserve(parameters.blocks.size());
  for (const BlockParameters<const float>& block : parameters.blocks) {
    packed.push_back({.qkv = {width, 3 * width, block.qkv_weight},
                      .attention_out = {width, width, block.attention_out_weight},
                      .mlp_in = {width, inner, block.mlp_in_weight},
                      .mlp_out = {inner, width, block.mlp_out_weight}});
  }
  return packed;
}

}  // namespace

TileWeights::TileWeights(const TransformerConfig& config, const Parameters<const float>& parameters)
    : blocks(pack_blocks(config, parameters)),
      output(config.width, config.vocab_size, parameters.output_embedding, /*transposed=*/true) {}

}  // namespace limelight
