// Prints what this machine can do at best.

#include <fmt/format.h>

#include <functional>
#include <set>
#include <string>

#include "base/instruction_set.h"
#include "benchmarks/ceilings.h"

namespace {

using limelight::bench::Rate;

void print_row(const std::string& what, const char* unit, const std::set<int>& thread_counts,
               const std::function<Rate(int)>& measure_with) {
  for (const int threads : thread_counts) {
    const Rate rate = measure_with(threads);
    fmt::print("{:<34} {:>8} {:>12.2f} {:>12.2f}  {}\n", what, threads, rate.median / 1e9,
               rate.best / 1e9, unit);
  }
}

void print_tile_rows(const std::set<int>& threads) {
  using namespace limelight::bench;
  constexpr const char* kTiles = "tile products, bf16";
  constexpr const char* kInterleaved = "interleaved tiles and exponentials";
  if (limelight::tile_unit() == nullptr) {
    for (const char* row : {kTiles, kInterleaved}) {
      fmt::print("{:<34} this machine has no tile unit: {}\n", row,
                 limelight::reason_for_tile_unit());
    }
    return;
  }
  print_row(kTiles, "GFLOP/s", threads, tile_rate);
  print_row(kInterleaved, "GFLOP/s", threads,
            [](int count) { return interleaved_rate(count).products; });
  print_row("  and at once", "Gexp/s", threads,
            [](int count) { return interleaved_rate(count).exponentials; });
}

}  // namespace

int main() {
  using namespace limelight::bench;
  const std::set<int> threads = {1, all_threads()};
  fmt::print("Ceilings of this machine ({})\n", instruction_set());
  fmt::print("{:<34} {:>8} {:>12} {:>12}\n", "", "threads", "median", "best");
  print_row("multiply-add, f32", "GFLOP/s", threads, multiply_add_rate);
  print_row("exp, f32 (Highway)", "Gexp/s", threads, exponential_rate);
  print_tile_rows(threads);
  print_row("memory read", "GB/s", threads, read_bandwidth);
  print_row("sgemm 2048 x 192 x 768 (oneDNN)", "GFLOP/s", threads,
            [](int count) { return sgemm_rate(2048, 192, 768, count); });
  print_row("sgemm 1024 x 1024 x 1024 (oneDNN)", "GFLOP/s", threads,
            [](int count) { return sgemm_rate(1024, 1024, 1024, count); });
}
