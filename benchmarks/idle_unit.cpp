#include "benchmarks/idle_unit.h"

#include "base/tiles/multiply_block.inl.h"

namespace limelight::bench {
namespace {

/// Places are worked out all the same: the compiler may not leave that away.
void use(const void* place, std::int64_t stride) { asm volatile("" : : "r"(place), "r"(stride)); }

struct IdleTiles {
  template <int kRow, int kColumn>
  static void zero_sum() {}
  template <int kRow, int kColumn>
  static void load_sum(const float* from, std::int64_t stride) {
    use(from, stride);
  }
  template <int kRow, int kColumn>
  static void store_sum(float* to, std::int64_t stride) {
    use(to, stride);
  }
  template <int kRow>
  static void load_left(const bfloat16* from, std::int64_t stride) {
    use(from, stride);
  }
  template <int kRow>
  static void pass_left(const bfloat16* from, std::int64_t stride) {
    use(from, stride);
  }
  template <int kColumn>
  static void load_right(const bfloat16* from) {
    use(from, 0);
  }
  template <int kRow, int kColumn>
  static void multiply() {}
};

}  // namespace

const tiles::TileUnit& idle_unit() {
  static constexpr tiles::TileUnit kUnit = {"idle", [] {}, [] {}, tiles::multiply<IdleTiles>,
                                            tiles::finish<IdleTiles>};
  return kUnit;
}

}  // namespace limelight::bench
