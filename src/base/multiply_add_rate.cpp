#include "base/multiply_add_rate.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "base/multiply_add_rate.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace limelight::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;

constexpr std::int64_t kChains = 12;

/// Twelve independent chains: more than latency times ports of any core we know (5 * 2), and few
/// enough for the 16 registers of AVX2. Returns something that depends on all of them.
float multiply_add_chains(std::int64_t steps) {
  const FloatTag d;
  // Every chain converges to 2: no value overflows or becomes denormal.
  const auto half = hn::Set(d, 0.5f);
  const auto one = hn::Set(d, 1.0f);
  auto a = hn::Iota(d, 0), b = hn::Iota(d, 1), c = hn::Iota(d, 2), e = hn::Iota(d, 3);
  auto f = hn::Iota(d, 4), g = hn::Iota(d, 5), h = hn::Iota(d, 6), i = hn::Iota(d, 7);
  auto j = hn::Iota(d, 8), k = hn::Iota(d, 9), l = hn::Iota(d, 10), m = hn::Iota(d, 11);
  for (std::int64_t step = 0; step < steps; ++step) {
    a = hn::MulAdd(a, half, one);
    b = hn::MulAdd(b, half, one);
    c = hn::MulAdd(c, half, one);
    e = hn::MulAdd(e, half, one);
    f = hn::MulAdd(f, half, one);
    g = hn::MulAdd(g, half, one);
    h = hn::MulAdd(h, half, one);
    i = hn::MulAdd(i, half, one);
    j = hn::MulAdd(j, half, one);
    k = hn::MulAdd(k, half, one);
    l = hn::MulAdd(l, half, one);
    m = hn::MulAdd(m, half, one);
  }
  const auto abce = hn::Add(hn::Add(a, b), hn::Add(c, e));
  const auto fghi = hn::Add(hn::Add(f, g), hn::Add(h, i));
  const auto jklm = hn::Add(hn::Add(j, k), hn::Add(l, m));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(abce, fghi), jklm)));
}

double operations_of_step() { return 2.0 * kChains * static_cast<double>(hn::Lanes(FloatTag())); }

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace
}  // namespace limelight::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight {
HWY_EXPORT(multiply_add_chains);
HWY_EXPORT(operations_of_step);
HWY_EXPORT(target_name);

namespace {

/// Results go here, so that no computation can be left out.
std::atomic<float> sink;

}  // namespace

double multiply_add_burst(std::int64_t steps) {
  sink.store(HWY_DYNAMIC_DISPATCH(multiply_add_chains)(steps), std::memory_order_relaxed);
  return HWY_DYNAMIC_DISPATCH(operations_of_step)() * static_cast<double>(steps);
}

double measure_multiply_add_rate(int threads) {
  constexpr std::int64_t kSteps = 1 << 18;
  constexpr int kBursts = 5;
  double best = 0;
  for (int burst = 0; burst < kBursts; ++burst) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel num_threads(threads)
    multiply_add_burst(kSteps);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const double operations =
        HWY_DYNAMIC_DISPATCH(operations_of_step)() * static_cast<double>(kSteps) * threads;
    best = std::max(best, operations / seconds.count());
  }
  return best;
}

const char* multiply_add_instruction_set() { return HWY_DYNAMIC_DISPATCH(target_name)(); }

}  // namespace limelight
#endif  // HWY_ONCE
