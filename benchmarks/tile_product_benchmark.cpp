// A linear layer in bf16 on tiles: its share of the rate of tile products alone, and how much
// faster it is than oneDNN in f32, with one thread and with all.

#include <fmt/format.h>

#include <vector>

#include "base/instruction_set.h"
#include "base/parallel.h"
#include "benchmarks/ceilings.h"
#include "benchmarks/measure.h"
#include "layers/tile_product.h"

namespace {

using namespace limelight;

void report(std::int64_t rows, std::int64_t in_width, std::int64_t out_width, int threads) {
  const auto matrix = [](std::int64_t height, std::int64_t width) {
    return std::vector<float>(static_cast<std::size_t>(height * width), 0.5f);
  };
  const std::vector<float> x = matrix(rows, in_width);
  const std::vector<float> bias = matrix(1, out_width);
  std::vector<float> out = matrix(rows, out_width);
  const TileProduct product(in_width, out_width, matrix(in_width, out_width).data());
  const PoolSize pool(threads);
  const double seconds = bench::measure([&] {
                           product.forward(*tile_unit(), rows, x.data(), bias.data(), out.data());
                         }).median;
  const double flops = 2.0 * static_cast<double>(rows) * static_cast<double>(in_width) *
                       static_cast<double>(out_width);
  const double f32 = bench::sgemm_rate(rows, out_width, in_width, threads).median;
  fmt::print("{:>5} x {:>4} x {:>4} {:>8} | {:>8.1f} GFLOP/s {:>4.0f} % | {:>6.2f} times f32\n",
             rows, in_width, out_width, threads, flops / seconds / 1e9,
             100 * flops / seconds / bench::tile_rate(threads).median, flops / seconds / f32);
}

}  // namespace

int main() {
  fmt::print("Linear layers in bf16 on tiles, share of the rate of tile products alone\n");
  if (tile_unit() == nullptr) {
    fmt::print("this machine has no tile unit: {}\n", reason_for_tile_unit());
    return 0;
  }
  fmt::print("{:>5}   {:>4}   {:>4} {:>8} |\n", "rows", "in", "out", "threads");
  for (const int threads : {1, bench::all_threads()}) {
    report(512, 768, 3072, threads);
    report(512, 3072, 768, threads);
    report(256, 192, 768, threads);
  }
}
