#include "base/tiles/unit_offer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace limelight::tiles {
namespace {

/// Two by two tiles of sums over two tiles of depth: every register has a part in it.
constexpr std::int64_t kCheckedRows = 2 * kRows;
constexpr std::int64_t kCheckedColumns = 2 * kColumns;
constexpr std::int64_t kCheckedDepth = 2 * kDepth;

/// Integers from -4 to 4, in no simple order.
std::vector<bfloat16> small_integers(std::int64_t count, std::int64_t step) {
  std::vector<bfloat16> numbers(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t number = (i * step + i / 7) % 9 - 4;
    numbers[static_cast<std::size_t>(i)] = bfloat16(static_cast<float>(number));
  }
  return numbers;
}

/// The sums of one product, and of a second that is added to it.
std::vector<float> checked_product(const TileUnit& unit) {
  const std::vector<bfloat16> left = small_integers(kCheckedRows * kCheckedDepth, 5);
  const std::vector<bfloat16> right = small_integers(kCheckedDepth * kCheckedColumns, 13);
  std::vector<float> sums(static_cast<std::size_t>(kCheckedRows * kCheckedColumns));
  TileSession session(unit);
  BlockProduct product = {.row_tiles = 2,
                          .column_tiles = 2,
                          .depth_tiles = 2,
                          .accumulate = false,
                          .left = left.data(),
                          .left_stride = kCheckedDepth,
                          .right = right.data(),
                          .right_tile_stride = 2 * kTileElements,
                          .sums = sums.data(),
                          .sums_stride = kCheckedColumns};
  session.multiply(product);
  session.finish();
  product.accumulate = true;
  session.multiply(product);
  session.finish();
  return sums;
}

constexpr const char* kNotCompiled = "this program is not compiled for x86-64";

/// `unit`, once nothing else stands against it.
UnitOffer offer_of(const TileUnit* unit, const char* what_is_there) {
  if (!multiplies_rightly(*unit)) return {nullptr, "the checked product at start came out wrong"};
  return {unit, what_is_there};
}

UnitOffer find_amx() {
  if (amx_unit() == nullptr) return {nullptr, kNotCompiled};
  const std::string missing = missing_for_amx(report_amx());
  if (!missing.empty()) return {nullptr, missing};
  if (!request_amx_permission()) {
    return {nullptr, "the kernel gives this process no permission to use tiles (arch_prctl)"};
  }
  return offer_of(amx_unit(), "the feature bits, the permission and a checked product are there");
}

UnitOffer find_dots() {
  if (dot_unit() == nullptr) return {nullptr, kNotCompiled};
  const std::string missing = missing_for_dots(report_cpu_features());
  if (!missing.empty()) return {nullptr, missing};
  return offer_of(dot_unit(), "the feature bit and a checked product are there");
}

}  // namespace

std::string missing_for_amx(const AmxReport& amx) {
  if (!amx.tiles || !amx.bf16) return "this processor reports no AMX-BF16";
  if (!amx.supported) return "the kernel keeps no tile data (it must be Linux 5.16 or later)";
  return "";
}

std::string missing_for_dots(const std::vector<CpuFeature>& features) {
  const auto bf16 = std::find_if(features.begin(), features.end(), [](const CpuFeature& feature) {
    return feature.name == "avx512_bf16";
  });
  if (bf16 == features.end() || !bf16->reported) return "this processor reports no AVX512-BF16";
  if (!bf16->enabled) return "the operating system keeps no registers of AVX-512";
  return "";
}

bool multiplies_rightly(const TileUnit& unit) {
  return checked_product(unit) == checked_product(emulated_unit());
}

const UnitOffer& amx_offer() {
  static const UnitOffer offer = find_amx();
  return offer;
}

const UnitOffer& dot_offer() {
  static const UnitOffer offer = find_dots();
  return offer;
}

}  // namespace limelight::tiles
