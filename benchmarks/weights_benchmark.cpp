// Weights on demand beside one forward of the same call, in one run: what it costs to see.
//
//   weights_benchmark [LENGTH [MAP_LENGTH]]       default 32768 and 65536

#include <fmt/format.h>
#include <limelight/attention_weights.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "benchmarks/ceilings.h"
#include "benchmarks/measure.h"

namespace {

using namespace limelight;

constexpr std::int64_t kHeads = 1;

/// One call of the operator, filled with normal numbers of type T, and its lse.
template <class T>
class Problem {
 public:
  Problem(std::int64_t length, std::int64_t head_dim, bool causal)
      : length_(length), head_dim_(head_dim) {
    if (causal) options_.causal = CausalAlignment::top_left;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (auto* tensor : {&query_, &key_, &value_}) {
      tensor->resize(static_cast<std::size_t>(kHeads * length * head_dim));
      for (T& x : *tensor) x = T(normal(random));
    }
    out_.resize(query_.size());
    lse_.resize(static_cast<std::size_t>(kHeads * length));
    forward();
  }

  void forward() {
    attention(read(query_), read(key_), read(value_),
              TensorView::of(out_.data(), {1, kHeads, length_, head_dim_}), options_,
              TensorView::of(lse_.data(), {1, kHeads, length_}));
  }
  AttentionRun run() const {
    return {read(query_), read(key_), ConstTensorView::of(lse_.data(), {1, kHeads, length_}),
            options_};
  }

 private:
  ConstTensorView read(const std::vector<T>& x) const {
    return ConstTensorView::of(x.data(), {1, kHeads, length_, head_dim_});
  }

  std::int64_t length_, head_dim_;
  AttentionOptions options_;
  std::vector<T> query_, key_, value_, out_;
  std::vector<float> lse_;
};

template <class Body>
void report(const char* what, double forward, const Body& body) {
  const double seconds = bench::measure(body, 3).median;
  fmt::print("  {:<34} {:>8.3f} s {:>6.2f} of a forward\n", what, seconds, seconds / forward);
  std::fflush(stdout);
}

template <class T>
void report_rows(std::int64_t n, std::int64_t head_dim, bool causal) {
  Problem<T> problem(n, head_dim, causal);
  const AttentionRun run = problem.run();
  std::vector<float> of_rows(static_cast<std::size_t>(kHeads * n * 8));
  std::vector<std::int32_t> indices(of_rows.size());
  const double forward = bench::measure([&] { problem.forward(); }, 3).median;
  fmt::print("{} tokens, head_dim {}, {}: forward {:.3f} s\n", n, head_dim,
             causal ? "causal" : "full", forward);
  report("top-8 of every row", forward, [&] {
    top_attention_weights(run, TensorView::of(indices.data(), {1, kHeads, n, 8}),
                          TensorView::of(of_rows.data(), {1, kHeads, n, 8}));
  });
  report("entropy of every row", forward, [&] {
    attention_entropy(run, TensorView::of(of_rows.data(), {1, kHeads, n}));
  });
  report("column sums", forward, [&] {
    attention_column_sums(run, TensorView::of(of_rows.data(), {1, kHeads, n}));
  });
}

template <class T>
void report_map(std::int64_t n, std::int64_t head_dim) {
  Problem<T> problem(n, head_dim, false);
  const AttentionRun run = problem.run();
  constexpr std::int64_t kPixels = 1024;
  std::vector<float> map(static_cast<std::size_t>(kHeads * kPixels * kPixels));
  const TensorView out = TensorView::of(map.data(), {1, kHeads, kPixels, kPixels});
  const double forward = bench::measure([&] { problem.forward(); }, 3).median;
  fmt::print("{} tokens, head_dim {}, full: forward {:.3f} s\n", n, head_dim, forward);
  report("mean-pooled map, 1024 x 1024", forward,
         [&] { attention_map(run, {}, {}, Pooling::mean, out); });
  report("max-pooled map, 1024 x 1024", forward,
         [&] { attention_map(run, {}, {}, Pooling::max, out); });
}

template <class T>
void report_all(const char* type, std::int64_t length, std::int64_t map_length) {
  fmt::print("\nWeights on demand in {}, {} head, {} threads\n\n", type, kHeads,
             bench::all_threads());
  for (const std::int64_t head_dim : {64, 128}) {
    for (const bool causal : {false, true}) report_rows<T>(length, head_dim, causal);
    report_map<T>(map_length, head_dim);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t length = argc > 1 ? std::atoll(argv[1]) : 32768;
  const std::int64_t map_length = argc > 2 ? std::atoll(argv[2]) : 65536;
  if (length < 1 || map_length < 1) {
    fmt::print(stderr, "weights_benchmark: LENGTH: expected positive numbers\n");
    return 2;
  }
  report_all<float>("f32", length, map_length);
  report_all<bfloat16>("bf16", length, map_length);
}
