// Where attention stands under this machine's roof (Williams, Waterman and Patterson 2009): FLOP a
// second against FLOP for each byte that has to come from memory or go there, on all threads.
//
//   roofline_benchmark [FILE.svg]       default roofline.svg
//
// Counted are the products that the mathematics needs on what is visible, and inputs and outputs
// once. The roof is the lower of the read bandwidth and the fastest products there are. Roof and
// points are each the best of several tries, which is what others on the machine disturb least.

#include <fmt/format.h>

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/atomic_file.h"
#include "base/cpu_features.h"
#include "base/instruction_set.h"
#include "benchmarks/attention_problem.h"
#include "benchmarks/ceilings.h"
#include "benchmarks/decode_problem.h"
#include "benchmarks/measure.h"
#include "benchmarks/roofline_figure.h"

namespace {

using namespace limelight;
using bench::RooflinePoint;

constexpr std::int64_t kLength = 4096;
constexpr std::int64_t kCacheLength = 32768;

/// Tensors that a call reads or writes, each heads x length x head_dim.
constexpr int kForwardTensors = 4;
constexpr int kBackwardTensors = 8;

template <class T>
RooflinePoint point_of(const std::string& name, const bench::AttentionExtents& extents,
                       bool backward) {
  bench::AttentionProblemOf<T> problem(extents);
  problem.forward();
  const double seconds =
      bench::measure([&] { backward ? problem.backward() : problem.forward(); }).fastest;
  const double flops = extents.flops(backward ? 5 : 2);
  const double bytes = (backward ? kBackwardTensors : kForwardTensors) * sizeof(T) *
                       static_cast<double>(bench::kHeads * extents.length * extents.head_dim);
  return {name, std::is_same_v<T, bfloat16>, flops / bytes, flops / seconds};
}

RooflinePoint decode_point(const std::string& name, DType dtype) {
  bench::DecodeProblem problem(dtype, kCacheLength, {});
  const double seconds = bench::measure([&] { problem.run(); }).fastest;
  return {name, dtype == DType::bf16, problem.flops() / problem.bytes(), problem.flops() / seconds};
}

bench::RooflineCeilings measure_ceilings() {
  const int all = bench::all_threads();
  bench::RooflineCeilings ceilings;
  ceilings.bytes = bench::read_bandwidth(all).best;
  ceilings.multiply_adds = bench::multiply_add_rate(all).best;
  if (tile_unit() != nullptr) ceilings.tiles = bench::tile_rate(all).best;
  return ceilings;
}

std::vector<RooflinePoint> measure_points() {
  std::vector<RooflinePoint> points = {decode_point("decode f32", DType::f32),
                                       decode_point("decode bf16", DType::bf16),
                                       decode_point("decode int8", DType::i8)};
  for (const std::int64_t dim : {64, 128}) {
    const bench::AttentionExtents full = {kLength, dim, false};
    const bench::AttentionExtents causal = {kLength, dim, true};
    points.push_back(point_of<float>(fmt::format("forward f32, {}", dim), full, false));
    points.push_back(point_of<float>(fmt::format("causal f32, {}", dim), causal, false));
    points.push_back(point_of<float>(fmt::format("backward f32, {}", dim), full, true));
    points.push_back(point_of<bfloat16>(fmt::format("forward bf16, {}", dim), full, false));
  }
  return points;
}

void print_points(const bench::RooflineCeilings& ceilings,
                  const std::vector<RooflinePoint>& points) {
  fmt::print("{:<20} {:>10} {:>12} {:>10}\n", "", "FLOP/byte", "GFLOP/s", "of roof");
  for (const RooflinePoint& point : points) {
    fmt::print("{:<20} {:>10.1f} {:>12.1f} {:>8.0f} %\n", point.name, point.intensity,
               point.rate / 1e9, 100 * point.share_of(ceilings));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string file = argc > 1 ? argv[1] : "roofline.svg";
  const bench::RooflineCeilings ceilings = measure_ceilings();
  const std::vector<RooflinePoint> points = measure_points();
  const std::string machine =
      fmt::format("{}, {}, {} threads", cpu_name(), instruction_set(), bench::all_threads());
  fmt::print("Roofline of {}: {:.1f} GB/s, {:.0f} GFLOP/s\n", machine, ceilings.bytes / 1e9,
             ceilings.fastest_products() / 1e9);
  print_points(ceilings, points);
  if (Status saved = write_file_atomically(file, bench::roofline_svg(machine, ceilings, points));
      !saved) {
    fmt::print(stderr, "roofline_benchmark: {}\n", saved.message());
    return 1;
  }
  fmt::print("drawn in {}\n", file);
}
