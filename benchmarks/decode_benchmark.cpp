// Decoding as a share of the read bandwidth measured beside it: one query against a long cache, 32
// query heads on 8 key heads of 128. Counted is the cache alone, read once.
//
//   decode_benchmark [LENGTH]       default 32768

#include <fmt/format.h>
#include <omp.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

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
using bench::median;

constexpr int kRounds = 7;

/// A cache that is read once a round.
class Case {
 public:
  Case(std::string name, DType dtype, std::int64_t length, const CacheLayout& layout)
      : name_(std::move(name)), problem_(dtype, length, layout) {}

  void run(double bandwidth) {
    seconds_.push_back(bench::measure([&] { problem_.run(); }, 1).median);
    shares_.push_back(problem_.bytes() / seconds_.back() / bandwidth);
  }
  void print() const {
    const double seconds = median(seconds_);
    fmt::print("  {:<34} {:>8.2f} ms {:>8.1f} GB/s {:>6.1f} %\n", name_, 1e3 * seconds,
               problem_.bytes() / seconds / 1e9, 100 * median(shares_));
  }
  /// How many times longer than the other in the same round.
  double over(const Case& other) const {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < seconds_.size(); ++i) {
      ratios.push_back(seconds_[i] / other.seconds_[i]);
    }
    return median(ratios);
  }
  void forget() {
    seconds_.clear();
    shares_.clear();
  }

 private:
  std::string name_;
  DecodeProblem problem_;
  std::vector<double> seconds_, shares_;
};

/// The memory's speed changes with what else the machine does: so all caches are read round after
/// round, and shares and ratios are medians of what was found within one.
class Report {
 public:
  explicit Report(std::int64_t length)
      : f32_("f32", DType::f32, length, {}),
        f16_("f16", DType::f16, length, {}),
        bf16_("bf16", DType::bf16, length, {}),
        paged_16_("bf16, blocks of 16", DType::bf16, length, {.block_size = 16}),
        paged_256_("bf16, blocks of 256", DType::bf16, length, {.block_size = 256}),
        i8_("int8", DType::i8, length, {}),
        own_("bf16, 4 sequences, own blocks", DType::bf16, length,
             {.block_size = 16, .sequences = 4}),
        shared_("bf16, 4 sequences, shared blocks", DType::bf16, length,
                {.block_size = 16, .sequences = 4, .shared_length = length}) {}

  void measure(int threads) {
    omp_set_num_threads(threads);
    std::vector<double> bandwidths;
    for (Case* one : cases()) one->forget();
    for (int round = 0; round < kRounds; ++round) {
      bandwidths.push_back(bench::read_bandwidth(threads).median);
      for (Case* one : cases()) one->run(bandwidths.back());
    }
    fmt::print("{} threads: memory read {:.1f} GB/s\n", threads, median(bandwidths) / 1e9);
    for (const Case* one : cases()) one->print();
    fmt::print(
        "  paged / contiguous: {:.2f} (16), {:.2f} (256); bf16 / int8: {:.2f}; own / shared: "
        "{:.2f}\n\n",
        paged_16_.over(bf16_), paged_256_.over(bf16_), bf16_.over(i8_), own_.over(shared_));
    std::fflush(stdout);
  }

 private:
  std::array<Case*, 8> cases() {
    return {&f32_, &f16_, &bf16_, &paged_16_, &paged_256_, &i8_, &own_, &shared_};
  }

  Case f32_, f16_, bf16_, paged_16_, paged_256_, i8_, own_, shared_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t length = argc > 1 ? std::atoll(argv[1]) : 32768;
  if (length < 256 || length % 256 != 0) {
    fmt::print(stderr, "decode_benchmark: LENGTH: expected a multiple of 256, got {}\n", argv[1]);
    return 2;
  }
  fmt::print(
      "Decoding: 1 query, {} heads on {}, head_dim {}, {} keys; bytes of the cache a second, "
      "% of memory read, medians of {} rounds\n\n",
      kQueryHeads, kKeyHeads, kCacheDim, length, kRounds);
  std::fflush(stdout);
  Report report(length);
  const int all = bench::all_threads();
  report.measure(1);
  if (all > 1) report.measure(all);
}
