#include "benchmarks/ceilings.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "attention/kernels/amx/interleaved_products.h"
#include "base/aligned_buffer.h"
#include "base/cpu_features.h"
#include "base/dispatch.h"
#include "base/instruction_set.h"
#include "base/multiply_add_rate.h"
#include "base/parallel.h"
#include "benchmarks/measure.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "benchmarks/ceilings.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "attention/kernels/amx/weigh.inl.h"

HWY_BEFORE_NAMESPACE();
namespace limelight::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;

/// REQUIRES: count is a multiple of four vectors; both pointers are aligned.
void exponentials(const float* HWY_RESTRICT in, std::size_t count, float* HWY_RESTRICT out) {
  const FloatTag d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t i = 0; i < count; i += 4 * lanes) {
    for (std::size_t v = 0; v < 4; ++v) {
      hn::Store(hn::Exp(d, hn::Load(d, in + i + v * lanes)), d, out + i + v * lanes);
    }
  }
}

/// REQUIRES: count is a multiple of four vectors; the pointer is aligned.
float sum(const float* in, std::size_t count) {
  const FloatTag d;
  const std::size_t lanes = hn::Lanes(d);
  auto a = hn::Zero(d), b = hn::Zero(d), c = hn::Zero(d), e = hn::Zero(d);
  for (std::size_t i = 0; i < count; i += 4 * lanes) {
    a = hn::Add(a, hn::Load(d, in + i));
    b = hn::Add(b, hn::Load(d, in + i + lanes));
    c = hn::Add(c, hn::Load(d, in + i + 2 * lanes));
    e = hn::Add(e, hn::Load(d, in + i + 3 * lanes));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

struct OneProduct {
  const tiles::BlockProduct& product;

  std::int64_t steps() const { return product.depth_tiles; }
  template <class Body>
  void for_each(const Body& body) const {
    body(product);
  }
};

/// Weighs a strip while a product is taken, as a forward on tiles does.
void multiply_and_weigh(tiles::TileSession& session, const tiles::BlockProduct& product,
                        const amx::Strip& strip) {
  alignas(64) float rescales[amx::kQueryRows];
  amx::HWY_NAMESPACE::StripWeighing weighing(strip, 1, rescales);
  amx::multiply_beside(session, OneProduct{product}, weighing);
}
}  // namespace limelight::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::bench {
HWY_EXPORT(exponentials);
HWY_EXPORT(sum);
HWY_EXPORT(multiply_and_weigh);

namespace {

/// Results go here, so that no computation can be left out.
std::atomic<float> sink;

constexpr int kTilePasses = 1024;

Rate rate_of(double work, const Seconds& seconds) {
  return {work / seconds.median, work / seconds.fastest};
}

/// Several times the last cache, so that it holds next to nothing of what is read.
std::size_t bytes_beyond_caches() {
  constexpr std::size_t kLeast = std::size_t{256} << 20;
  constexpr std::size_t kMost = std::size_t{2} << 30;
  const long last_cache = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return std::clamp(4 * static_cast<std::size_t>(std::max(last_cache, 0l)), kLeast, kMost);
}

/// Operands and sums of a block of tiles in the level-1 cache, 36 KiB, and a strip of scores.
class TileWork {
 public:
  static constexpr std::int64_t kDepthTiles = 8;
  static constexpr std::int64_t kProducts = 2 * 2 * kDepthTiles;
  static constexpr double kFlops = 2.0 * kProducts * tiles::kRows * tiles::kColumns * tiles::kDepth;
  /// 64 a product: what attention of head_dim 64 takes.
  static constexpr std::int64_t kExponentials = amx::kStripScores;
  static_assert(kExponentials == 64 * kProducts);

  TileWork() {
    block_.rows = amx::kQueryRows;
    block_.state = {};
    strip_.block = &block_;
    strip_.scores = scores_.data();
    strip_.weights = weights_.data();
    strip_.factors = nullptr;
  }
  TileWork(const TileWork&) = delete;
  TileWork& operator=(const TileWork&) = delete;

  void multiply(tiles::TileSession& session) { session.multiply(product_); }
  void multiply_and_weigh(tiles::TileSession& session) {
    LIMELIGHT_DISPATCH(multiply_and_weigh)(session, product_, strip_);
  }

 private:
  AlignedBuffer<bfloat16> left_{2 * tiles::kRows * kDepthTiles * tiles::kDepth};
  AlignedBuffer<bfloat16> right_{2 * kDepthTiles * tiles::kTileElements};
  AlignedBuffer<float> sums_{4 * tiles::kRows * tiles::kColumns};
  AlignedBuffer<float> scores_{amx::kStripKeys * amx::kQueryRows};
  AlignedBuffer<bfloat16> weights_{amx::kStripKeys * amx::kQueryRows};
  tiles::BlockProduct product_ = {.row_tiles = 2,
                                  .column_tiles = 2,
                                  .depth_tiles = kDepthTiles,
                                  .accumulate = false,
                                  .left = left_.data(),
                                  .left_stride = kDepthTiles * tiles::kDepth,
                                  .right = right_.data(),
                                  .right_tile_stride = kDepthTiles * tiles::kTileElements,
                                  .sums = sums_.data(),
                                  .sums_stride = 2 * tiles::kColumns};
  amx::ForwardBlock block_;
  amx::Strip strip_;
};

/// What body(session, work) takes, many times on each thread with memory of its own.
template <class Body>
Seconds measure_tiles(int threads, const Body& body) {
  const PoolSize pool(threads);
  std::vector<TileWork> work(static_cast<std::size_t>(threads));
  return measure([&] {
#pragma omp parallel
    {
      tiles::TileSession session(*tile_unit());
      TileWork& mine = work[static_cast<std::size_t>(omp_get_thread_num())];
      for (int pass = 0; pass < kTilePasses; ++pass) body(session, mine);
    }
  });
}

}  // namespace

Rate tile_rate(int threads) {
  const Seconds seconds = measure_tiles(
      threads, [](tiles::TileSession& session, TileWork& work) { work.multiply(session); });
  return rate_of(TileWork::kFlops * kTilePasses * threads, seconds);
}

InterleavedRate interleaved_rate(int threads) {
  const Seconds seconds = measure_tiles(threads, [](tiles::TileSession& session, TileWork& work) {
    work.multiply_and_weigh(session);
  });
  const double passes = static_cast<double>(kTilePasses) * threads;
  return {rate_of(TileWork::kFlops * passes, seconds),
          rate_of(static_cast<double>(TileWork::kExponentials) * passes, seconds)};
}

Rate multiply_add_rate(int threads) {
  constexpr std::int64_t kSteps = 1 << 20;
  const PoolSize pool(threads);
  double operations = 0;
  const Seconds seconds = measure([&] {
#pragma omp parallel reduction(max : operations)
    operations = multiply_add_burst(kSteps);
  });
  return rate_of(operations * threads, seconds);
}

Rate exponential_rate(int threads) {
  constexpr std::size_t kValues = 2048;  // 8 KiB in and 8 KiB out
  constexpr int kPasses = 1024;
  const PoolSize pool(threads);
  AlignedBuffer<float> in(kValues);
  for (std::size_t i = 0; i < kValues; ++i) {
    in[i] = -20.0f * static_cast<float>(i) / kValues;  // as scores below their row's maximum are
  }
  std::vector<AlignedBuffer<float>> out(static_cast<std::size_t>(threads));
  for (auto& buffer : out) buffer = AlignedBuffer<float>(kValues);
  const Seconds seconds = measure([&] {
#pragma omp parallel
    {
      float* mine = out[static_cast<std::size_t>(omp_get_thread_num())].data();
      for (int pass = 0; pass < kPasses; ++pass) {
        HWY_DYNAMIC_DISPATCH(exponentials)(in.data(), kValues, mine);
      }
    }
  });
  for (const auto& buffer : out) sink.store(buffer[kValues / 2], std::memory_order_relaxed);
  return rate_of(static_cast<double>(kValues) * kPasses * threads, seconds);
}

Rate read_bandwidth(int threads) {
  const std::size_t values = bytes_beyond_caches() / sizeof(float) / 4096 * 4096;
  const std::size_t share = values / static_cast<std::size_t>(threads) / 1024 * 1024;
  const PoolSize pool(threads);
  // Each thread's own memory, first touched by it, so that it lies near its processor.
  std::vector<AlignedBuffer<float>> memory(static_cast<std::size_t>(threads));
#pragma omp parallel
  memory[static_cast<std::size_t>(omp_get_thread_num())] = AlignedBuffer<float>(share);
  const Seconds seconds = measure([&] {
#pragma omp parallel
    {
      const auto& mine = memory[static_cast<std::size_t>(omp_get_thread_num())];
      sink.store(HWY_DYNAMIC_DISPATCH(sum)(mine.data(), mine.size()), std::memory_order_relaxed);
    }
  });
  return rate_of(static_cast<double>(share * sizeof(float)) * threads, seconds);
}

Rate sgemm_rate(std::int64_t m, std::int64_t n, std::int64_t k, int threads) {
  const PoolSize pool(threads);
  prepare_onednn();
  AlignedBuffer<float> a(static_cast<std::size_t>(m * k));
  AlignedBuffer<float> b(static_cast<std::size_t>(k * n));
  AlignedBuffer<float> c(static_cast<std::size_t>(m * n));
  std::fill(a.begin(), a.end(), 0.5f);
  std::fill(b.begin(), b.end(), 0.25f);
  const Seconds seconds = measure(
      [&] { dnnl::sgemm('N', 'N', m, n, k, 1.0f, a.data(), k, b.data(), n, 0.0f, c.data(), n); });
  sink.store(c[0], std::memory_order_relaxed);
  return rate_of(2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k),
                 seconds);
}

std::string instruction_set() { return multiply_add_instruction_set(); }

int all_threads() { return omp_get_max_threads(); }

}  // namespace limelight::bench
#endif  // HWY_ONCE
