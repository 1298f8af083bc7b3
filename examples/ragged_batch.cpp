// Sentences of different lengths in one call, one after the other and without padding.

#include <limelight/attention.h>

#include <cstdint>
#include <cstdio>
#include <vector>

using namespace limelight;

int main() {
  constexpr std::int64_t kDim = 4;
  const std::vector<std::int32_t> starts = {0, 3, 4, 9};  // lengths 3, 1 and 5
  const std::int64_t total = starts.back();
  std::vector<float> x(static_cast<std::size_t>(total * kDim));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7 % 5) - 2;
  std::vector<float> out(x.size());

  AttentionOptions options;
  options.causal = CausalAlignment::bottom_right;
  options.cu_seqlens_query = ConstTensorView::of(starts.data(), {4});
  options.cu_seqlens_key = options.cu_seqlens_query;
  const ConstTensorView all = ConstTensorView::of(x.data(), {1, 1, total, kDim});
  attention(all, all, all, TensorView::of(out.data(), {1, 1, total, kDim}), options);

  // The first token of each sentence sees itself alone: its context is its own value.
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    const auto at = static_cast<std::size_t>(starts[s] * kDim);
    std::printf("sentence %zu begins with %g, and its context with %g\n", s, x[at], out[at]);
    if (x[at] != out[at]) return 1;
  }
}
