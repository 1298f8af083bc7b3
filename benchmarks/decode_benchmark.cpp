// Decoding as a share of the read bandwidth measured beside it: one query against a long cache, 32
// query heads on 8 key heads of 128. Counted is the cache alone, read once.
//
//   decode_benchmark [LENGTH]       default 32768

#include <fmt/format.h>
#include <limelight/decode.h>
#include <omp.h>

#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

#include "benchmarks/ceilings.h"
#include "benchmarks/measure.h"

namespace {

using namespace limelight;

constexpr std::int64_t kHeads = 32;
constexpr std::int64_t kKeyHeads = 8;
constexpr std::int64_t kDim = 128;

/// Sequences of one length, in blocks that stand in any order, or as one piece for each.
struct Layout {
  std::int64_t block_size = 0;  ///< 0: contiguous
  std::int64_t sequences = 1;
  std::int64_t shared_length = 0;  ///< of the prefix whose blocks are the first sequence's
};

/// One call, filled with numbers.
class Problem {
 public:
  Problem(DType dtype, std::int64_t length, const Layout& layout)
      : length_(length), layout_(layout), dtype_(dtype) {
    const std::int64_t block_size = layout.block_size == 0 ? length : layout.block_size;
    const std::int64_t blocks = length / block_size;
    const std::int64_t all = layout.sequences * blocks;
    const std::int64_t sizes[] = {all, kKeyHeads, block_size, kDim};
    const auto rows = static_cast<std::size_t>(all * kKeyHeads * block_size);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    const auto view = [&](std::vector<std::byte>& bytes) {
      bytes.resize(rows * kDim * size_of(dtype));
      for (std::size_t i = 0; i < rows * kDim; ++i) put(bytes, i, normal(random));
      return ConstTensorView(bytes.data(), dtype, sizes);
    };
    query_.resize(static_cast<std::size_t>(layout.sequences * kHeads * kDim));
    for (float& x : query_) x = normal(random);
    out_.resize(query_.size());
    cache_.key = view(key_);
    cache_.value = view(value_);
    if (dtype == DType::i8) {
      scales_.assign(rows, 1.0f / 32);
      cache_.key_scales = cache_.value_scales =
          ConstTensorView::of(scales_.data(), {all, kKeyHeads, block_size});
    }
    if (layout.block_size == 0) return;
    table_.resize(static_cast<std::size_t>(all));
    std::iota(table_.begin(), table_.end(), 0);
    std::shuffle(table_.begin(), table_.end(), random);
    for (std::int64_t i = 0; i < all; ++i) {
      if (i % blocks * block_size < layout.shared_length) table_[i] = table_[i % blocks];
    }
    cache_.block_table = ConstTensorView::of(table_.data(), {layout.sequences, blocks});
  }

  void run() {
    const auto view = [&](auto& x) {
      return TensorView::of(x.data(), {layout_.sequences, kHeads, 1, kDim});
    };
    decode(view(query_), cache_, view(out_));
  }

  double bytes() const {
    const double row = static_cast<double>(kDim * size_of(dtype_)) + (dtype_ == DType::i8 ? 4 : 0);
    return 2 * row * static_cast<double>(layout_.sequences * kKeyHeads * length_);
  }

 private:
  void put(std::vector<std::byte>& bytes, std::size_t i, float x) const {
    void* data = bytes.data();
    switch (dtype_) {
      case DType::bf16:
        static_cast<bfloat16*>(data)[i] = bfloat16(x);
        return;
      case DType::f16:
        static_cast<float16*>(data)[i] = float16(x);
        return;
      case DType::i8:
        static_cast<std::int8_t*>(data)[i] = static_cast<std::int8_t>(x * 32);
        return;
      default:
        static_cast<float*>(data)[i] = x;
    }
  }

  std::int64_t length_;
  Layout layout_;
  DType dtype_;
  std::vector<std::byte> key_, value_;
  std::vector<float> query_, out_, scales_;
  std::vector<std::int32_t> table_;
  KeyValueCache cache_;
};

/// Seconds of one call.
double report(const std::string& what, DType dtype, std::int64_t length, const Layout& layout,
              double bandwidth) {
  Problem problem(dtype, length, layout);
  const double seconds = bench::measure([&] { problem.run(); }).median;
  const double rate = problem.bytes() / seconds;
  fmt::print("  {:<34} {:>8.2f} ms {:>8.1f} GB/s {:>6.1f} %\n", what, 1e3 * seconds, rate / 1e9,
             100 * rate / bandwidth);
  std::fflush(stdout);
  return seconds;
}

void report_all(std::int64_t length, int threads) {
  omp_set_num_threads(threads);
  const double bandwidth = bench::read_bandwidth(threads).median;
  fmt::print("{} threads: memory read {:.1f} GB/s\n", threads, bandwidth / 1e9);
  const auto one = [&](const std::string& what, DType dtype, const Layout& layout) {
    return report(what, dtype, length, layout, bandwidth);
  };
  one("f32", DType::f32, {});
  one("f16", DType::f16, {});
  const double bf16 = one("bf16", DType::bf16, {});
  const double paged_16 = one("bf16, blocks of 16", DType::bf16, {.block_size = 16});
  const double paged_256 = one("bf16, blocks of 256", DType::bf16, {.block_size = 256});
  const double i8 = one("int8", DType::i8, {});
  const Layout apart = {.block_size = 16, .sequences = 4};
  const Layout together = {.block_size = 16, .sequences = 4, .shared_length = length};
  const double own = one("bf16, 4 sequences, own blocks", DType::bf16, apart);
  const double shared = one("bf16, 4 sequences, shared blocks", DType::bf16, together);
  fmt::print(
      "  paged / contiguous: {:.2f} (16), {:.2f} (256); bf16 / int8: {:.2f}; own / shared: "
      "{:.2f}\n\n",
      paged_16 / bf16, paged_256 / bf16, bf16 / i8, own / shared);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t length = argc > 1 ? std::atoll(argv[1]) : 32768;
  if (length < 256 || length % 256 != 0) {
    fmt::print(stderr, "decode_benchmark: LENGTH: expected a multiple of 256, got {}\n", argv[1]);
    return 2;
  }
  fmt::print(
      "Decoding: 1 query, {} heads on {}, head_dim {}, {} keys; bytes of the cache a second, "
      "% of memory read\n\n",
      kHeads, kKeyHeads, kDim, length);
  const int all = bench::all_threads();
  report_all(length, 1);
  if (all > 1) report_all(length, all);
}
