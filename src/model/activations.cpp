#include "model/activations.h"

namespace limelight {
namespace {

/// Hands out consecutive aligned pieces of a buffer; with a null base it only counts.
class Arena {
 public:
  explicit Arena(float* base) : base_(base) {}
  float* take(std::int64_t count) {
    constexpr std::int64_t kLine = 16;
    float* piece = base_ ? base_ + used_ : nullptr;
    used_ += (count + kLine - 1) / kLine * kLine;
    return piece;
  }
  std::int64_t used() const { return used_; }

 private:
  float* base_;
  std::int64_t used_ = 0;
};

BlockActivations take_block(Arena& arena, const TransformerConfig& config, std::int64_t tokens) {
  const std::int64_t stream = tokens * config.width;
  const std::int64_t inner = tokens * config.inner_width;
  BlockActivations block;
  block.ln_1 = arena.take(stream);
  block.ln_1_mean = arena.take(tokens);
  block.ln_1_inverse = arena.take(tokens);
  block.qkv = arena.take(3 * stream);
  block.lse = arena.take(tokens * config.num_heads);
  block.context = arena.take(stream);
  block.residual_mid = arena.take(stream);
  block.ln_2 = arena.take(stream);
  block.ln_2_mean = arena.take(tokens);
  block.ln_2_inverse = arena.take(tokens);
  block.mlp_hidden = arena.take(inner);
  block.mlp_activated = arena.take(inner);
  block.residual_out = arena.take(stream);
  return block;
}

}  // namespace

Activations::Activations(const TransformerConfig& config, std::int64_t batch, std::int64_t length,
                         bool keep_all_layers)
    : batch_(batch), length_(length), keep_all_layers_(keep_all_layers) {
  const auto lay_out = [&](Arena& arena) {
    const std::int64_t stream = tokens() * config.width;
    embedding_ = arena.take(stream);
    scratch_ = arena.take(stream);
    ln_f_ = arena.take(stream);
    ln_f_mean_ = arena.take(tokens());
    ln_f_inverse_ = arena.take(tokens());
    blocks_.clear();
    for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
      if (keep_all_layers || layer == 0) {
        blocks_.push_back(take_block(arena, config, tokens()));
      } else {
        // One block's memory again. Its residual_mid is formed from residual_in before residual_out
        // is written, so the stream may be overwritten in place.
        blocks_.push_back(blocks_.front());
      }
    }
  };
  Arena counting(nullptr);
  lay_out(counting);
  memory_ = AlignedBuffer<float>(static_cast<std::size_t>(counting.used()));
  Arena arena(memory_.data());
  lay_out(arena);
}

}  // namespace limelight
