#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "tokenizer/bpe_encoder.h"
#include "tokenizer/piece_splitter.h"

namespace limelight {

/// Learns up to `count` merges from the texts (Sennrich et al. 2016): again and again the pair of
/// neighbouring tokens that is met most often becomes a token. Bytes are tokens 0 to 255, the merge
/// of step k is token 256 + k. Ties go to the pair with the smaller left id, then the smaller right
/// id. Ends early when no pair is met twice. Deterministic.
std::vector<BpeEncoder::Merge> learn_merges(const std::vector<std::string_view>& texts,
                                            const PieceSplitter& splitter, int count,
                                            const std::function<void(int, int)>& progress);

}  // namespace limelight
