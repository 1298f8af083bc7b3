// The processor's tile unit: the only file with its instructions. They are compiled whatever the
// rest of the program is compiled for, and run only where amx_offer() says so.

#include "base/tiles/tile_unit.h"

#if defined(__x86_64__)

#include <hwy/base.h>  // HWY_PUSH_ATTRIBUTES
#include <immintrin.h>

#include <array>
#include <atomic>
#include <type_traits>

HWY_PUSH_ATTRIBUTES("amx-tile,amx-bf16")

namespace limelight::tiles {
namespace {

/// What LDTILECFG reads (Intel SDM volume 1, "Programming with Intel AMX", Tile Configuration).
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::array<std::uint8_t, 14> reserved = {};
  std::array<std::uint16_t, 16> row_bytes = {};  ///< of tiles 0 to 7; the rest is reserved
  std::array<std::uint8_t, 16> rows = {};

  constexpr TileConfiguration() {
    for (std::size_t tile = 0; tile < 8; ++tile) {
      row_bytes[tile] = kRowBytes;
      rows[tile] = kRows;
    }
  }
};
static_assert(sizeof(TileConfiguration) == 64);

void configure() {
  static constexpr TileConfiguration kAllWhole;
  _tile_loadconfig(&kAllWhole);
}

void release() { _tile_release(); }

/// The eight registers by their roles: 0 to 3 are sums, 4 and 5 left, 6 and 7 right. Their numbers
/// are part of an instruction, and its intrinsic wants them as literals.
template <int kTile>
void load(const void* from, std::int64_t stride_bytes) {
  if constexpr (kTile == 0) _tile_loadd(0, from, stride_bytes);
  if constexpr (kTile == 1) _tile_loadd(1, from, stride_bytes);
  if constexpr (kTile == 2) _tile_loadd(2, from, stride_bytes);
  if constexpr (kTile == 3) _tile_loadd(3, from, stride_bytes);
  if constexpr (kTile == 4) _tile_loadd(4, from, stride_bytes);
  if constexpr (kTile == 5) _tile_loadd(5, from, stride_bytes);
  if constexpr (kTile == 6) _tile_loadd(6, from, stride_bytes);
  if constexpr (kTile == 7) _tile_loadd(7, from, stride_bytes);
}

struct AmxTiles {
  template <int kRow, int kColumn>
  static void zero_sum() {
    if constexpr (kRow == 0 && kColumn == 0) _tile_zero(0);
    if constexpr (kRow == 0 && kColumn == 1) _tile_zero(1);
    if constexpr (kRow == 1 && kColumn == 0) _tile_zero(2);
    if constexpr (kRow == 1 && kColumn == 1) _tile_zero(3);
  }
  template <int kRow, int kColumn>
  static void load_sum(const float* from, std::int64_t stride) {
    load<2 * kRow + kColumn>(from, stride * static_cast<std::int64_t>(sizeof(float)));
  }
  template <int kRow, int kColumn>
  static void store_sum(float* to, std::int64_t stride) {
    const auto stride_bytes = stride * static_cast<std::int64_t>(sizeof(float));
    if constexpr (kRow == 0 && kColumn == 0) _tile_stored(0, to, stride_bytes);
    if constexpr (kRow == 0 && kColumn == 1) _tile_stored(1, to, stride_bytes);
    if constexpr (kRow == 1 && kColumn == 0) _tile_stored(2, to, stride_bytes);
    if constexpr (kRow == 1 && kColumn == 1) _tile_stored(3, to, stride_bytes);
  }
  template <int kRow>
  static void load_left(const bfloat16* from, std::int64_t stride) {
    load<4 + kRow>(from, stride * static_cast<std::int64_t>(sizeof(bfloat16)));
  }
  template <int kRow>
  static void pass_left(const bfloat16* from, std::int64_t stride) {
    const auto stride_bytes = stride * static_cast<std::int64_t>(sizeof(bfloat16));
    if constexpr (kRow == 0) _tile_stream_loadd(4, from, stride_bytes);
    if constexpr (kRow == 1) _tile_stream_loadd(5, from, stride_bytes);
  }
  template <int kColumn>
  static void load_right(const bfloat16* from) {
    load<6 + kColumn>(from, kRowBytes);
  }
  template <int kRow, int kColumn>
  static void multiply() {
    if constexpr (kRow == 0 && kColumn == 0) _tile_dpbf16ps(0, 4, 6);
    if constexpr (kRow == 0 && kColumn == 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (kRow == 1 && kColumn == 0) _tile_dpbf16ps(2, 5, 6);
    if constexpr (kRow == 1 && kColumn == 1) _tile_dpbf16ps(3, 5, 7);
  }
};

}  // namespace
}  // namespace limelight::tiles

#include "base/tiles/multiply_block.inl.h"

HWY_POP_ATTRIBUTES

namespace limelight::tiles {

const TileUnit* amx_unit() {
  static constexpr TileUnit kUnit = {"amx", configure, release, multiply<AmxTiles>,
                                     finish<AmxTiles>};
  return &kUnit;
}

}  // namespace limelight::tiles

#else

namespace limelight::tiles {

const TileUnit* amx_unit() { return nullptr; }

}  // namespace limelight::tiles

#endif
