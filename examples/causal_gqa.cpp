// Decoding with grouped heads: 8 query heads read 2 key heads, one new token after a past of 5, in
// [batch, length, heads, dim] as many models store it.

#include <limelight/attention.h>

#include <cstdio>
#include <vector>

using namespace limelight;

int main() {
  constexpr std::int64_t kHeads = 8, kKvHeads = 2, kPast = 5, kDim = 16;
  const auto numbers = [](std::int64_t count, float step) {
    std::vector<float> all(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = step * static_cast<float>(i % 11) - 0.5f;
    return all;
  };
  const std::vector<float> query = numbers(kHeads * kDim, 0.1f);
  const std::vector<float> key = numbers(kKvHeads * kDim, 0.2f);
  const std::vector<float> value = numbers(kKvHeads * kDim, 0.3f);
  const std::vector<float> past_key = numbers(kPast * kKvHeads * kDim, 0.05f);
  const std::vector<float> past_value = numbers(kPast * kKvHeads * kDim, 0.07f);
  std::vector<float> out(kHeads * kDim);

  AttentionOptions options;
  options.causal = CausalAlignment::bottom_right;  // the last query stands beside the last key
  options.past_key =
      ConstTensorView::of(past_key.data(), {1, kPast, kKvHeads, kDim}).transposed(1, 2);
  options.past_value =
      ConstTensorView::of(past_value.data(), {1, kPast, kKvHeads, kDim}).transposed(1, 2);
  attention(ConstTensorView::of(query.data(), {1, 1, kHeads, kDim}).transposed(1, 2),
            ConstTensorView::of(key.data(), {1, 1, kKvHeads, kDim}).transposed(1, 2),
            ConstTensorView::of(value.data(), {1, 1, kKvHeads, kDim}).transposed(1, 2),
            TensorView::of(out.data(), {1, 1, kHeads, kDim}).transposed(1, 2), options);

  for (std::int64_t head = 0; head < kHeads; ++head) {
    std::printf("head %d, reading key head %d: %.5f ...\n", static_cast<int>(head),
                static_cast<int>(head / (kHeads / kKvHeads)),
                out[static_cast<std::size_t>(head * kDim)]);
  }
}
