// Decoding as a share of the read bandwidth measured beside it: one query against a long cache, 32
// query heads on 8 key heads of 128. Counted is the cache alone, read once.
//
//   decode_benchmark [LENGTH]       default 32768

#include <fmt/format.h>
#include <omp.h>

#include <cstdlib>
#include <string>

#include "benchmarks/ceilings.h"
#include "benchmarks/decode_problem.h"
#include "benchmarks/measure.h"

namespace {

using namespace limelight;

using bench::CacheLayout;
using bench::DecodeProblem;
using bench::kCacheDim;
using bench::kKeyHeads;
using bench::kQueryHeads;

/// Seconds of one call.
double report(const std::string& what, DType dtype, std::int64_t length, const CacheLayout& layout,
              double bandwidth) {
  DecodeProblem problem(dtype, length, layout);
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
  const auto one = [&](const std::string& what, DType dtype, const CacheLayout& layout) {
    return report(what, dtype, length, layout, bandwidth);
  };
  one("f32", DType::f32, {});
  one("f16", DType::f16, {});
  const double bf16 = one("bf16", DType::bf16, {});
  const double paged_16 = one("bf16, blocks of 16", DType::bf16, {.block_size = 16});
  const double paged_256 = one("bf16, blocks of 256", DType::bf16, {.block_size = 256});
  const double i8 = one("int8", DType::i8, {});
  const CacheLayout apart = {.block_size = 16, .sequences = 4};
  const CacheLayout together = {.block_size = 16, .sequences = 4, .shared_length = length};
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
      kQueryHeads, kKeyHeads, kCacheDim, length);
  const int all = bench::all_threads();
  report_all(length, 1);
  if (all > 1) report_all(length, all);
}
