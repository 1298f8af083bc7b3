// Fused attention as a share of the multiply-add rate measured beside it. Counted are the products
// that the mathematics needs on what is visible: two for the forward, five for the backward (scores
// are computed again).
//
//   attention_benchmark [LENGTH]       default 2048

#include <fmt/format.h>
#include <limelight/attention.h>
#include <omp.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "benchmarks/ceilings.h"
#include "benchmarks/measure.h"
#include "layers/gemm.h"
#include "layers/softmax.h"

namespace {

using namespace limelight;

constexpr std::int64_t kHeads = 8;

struct Shape {
  std::int64_t length;
  std::int64_t head_dim;
  bool causal;

  double visible_pairs() const {
    const auto n = static_cast<double>(length);
    return causal ? n * (n + 1) / 2 : n * n;
  }
  double flops(int products) const {
    return 2.0 * products * static_cast<double>(kHeads * head_dim) * visible_pairs();
  }
};

/// Memory of one call, filled with normal numbers.
class Problem {
 public:
  explicit Problem(const Shape& shape) : shape_(shape) {
    if (shape.causal) options_.causal = CausalAlignment::top_left;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (auto* tensor : {&query_, &key_, &value_, &grad_out_}) {
      tensor->resize(static_cast<std::size_t>(kHeads * shape.length * shape.head_dim));
      for (float& x : *tensor) x = normal(random);
    }
    for (auto* tensor : {&out_, &grad_query_, &grad_key_, &grad_value_})
      tensor->resize(query_.size());
    lse_.resize(static_cast<std::size_t>(kHeads * shape.length));
  }

  void forward() {
    attention(read(query_), read(key_), read(value_), write(out_), options_, lse());
  }
  void backward() {
    attention_backward(read(query_), read(key_), read(value_), read(out_), lse(), read(grad_out_),
                       write(grad_query_), write(grad_key_), write(grad_value_), options_);
  }

  /// The whole matrix of scores of one head after the other. Knows no mask.
  void unfused() {
    const std::int64_t n = shape_.length;
    const std::int64_t d = shape_.head_dim;
    scores_.resize(static_cast<std::size_t>(n * n));
    for (std::int64_t h = 0; h < kHeads; ++h) {
      gemm(n, n, d, {query_.data() + h * n * d, d}, {key_.data() + h * n * d, d, true}, false,
           scores_.data(), n);
      softmax_forward(n, n, scores_.data(), scores_.data());
      gemm(n, d, n, {scores_.data(), n}, {value_.data() + h * n * d, d}, false,
           out_.data() + h * n * d, d);
    }
  }

 private:
  ConstTensorView read(const std::vector<float>& x) const {
    return ConstTensorView::of(x.data(), {1, kHeads, shape_.length, shape_.head_dim});
  }
  TensorView write(std::vector<float>& x) const {
    return TensorView::of(x.data(), {1, kHeads, shape_.length, shape_.head_dim});
  }
  TensorView lse() { return TensorView::of(lse_.data(), {1, kHeads, shape_.length}); }

  Shape shape_;
  AttentionOptions options_;
  std::vector<float> query_, key_, value_, grad_out_;
  std::vector<float> out_, lse_, grad_query_, grad_key_, grad_value_, scores_;
};

void report(const Shape& shape) {
  Problem problem(shape);
  const auto share = [&](int threads, int products, const auto& body) {
    omp_set_num_threads(threads);
    const double ceiling = bench::multiply_add_rate(threads).median;
    const double rate = shape.flops(products) / bench::measure(body).median;
    return std::pair{rate, 100 * rate / ceiling};
  };
  const int all = bench::all_threads();
  std::string line = fmt::format("{:>8} {:>6} {:>8}", shape.length, shape.head_dim,
                                 shape.causal ? "causal" : "full");
  for (const int products : {2, 5}) {
    const auto body = [&] { products == 2 ? problem.forward() : problem.backward(); };
    const auto [one, one_share] = share(1, products, body);
    const auto [many, many_share] = share(all, products, body);
    line += fmt::format("   {:>7.1f} {:>5.1f} % {:>7.1f} {:>5.1f} % {:>5.2f}", one / 1e9, one_share,
                        many / 1e9, many_share, many / one);
  }
  if (!shape.causal) {
    const double unfused = bench::measure([&] { problem.unfused(); }).median;
    const double fused = bench::measure([&] { problem.forward(); }).median;
    line += fmt::format("   {:>5.2f}", unfused / fused);
  }
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t length = argc > 1 ? std::atoll(argv[1]) : 2048;
  if (length < 1) {
    fmt::print(stderr, "attention_benchmark: LENGTH: expected a positive number, got {}\n",
               argv[1]);
    return 2;
  }
  const int all = bench::all_threads();
  fmt::print(
      "Attention in f32, {} heads, one and {} threads: GFLOP/s and % of the multiply-add rate\n\n",
      kHeads, all);
  fmt::print("{:>8} {:>6} {:>8}   {:<38}   {:<38}\n", "length", "dim", "mask",
             "forward: one, all, ratio", "backward: one, all, ratio");
  for (const std::int64_t head_dim : {64, 128}) {
    for (const bool causal : {false, true}) report({length, head_dim, causal});
  }
}
