#include "base/instruction_set.h"

#include <hwy/highway.h>
#include <limelight/error.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "base/tiles/amx_offer.h"

namespace limelight {
namespace {

constexpr const char* kAmx = "amx";

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Leaves Highway no target but this one (and what it falls back to).
void leave_only(const std::string& wanted) {
  std::int64_t better = 0;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (name_of_target(target) == wanted) break;
    better |= target;
  }
  hwy::DisableTargets(better);
}

std::vector<std::string> available_vector_sets() {
  std::vector<std::string> names;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    names.push_back(name_of_target(target));
  }
  return names;
}

struct Choice {
  std::string name;
  std::string vectors;
  const tiles::TileUnit* unit;
};

Choice choose() {
  const std::vector<std::string> available = available_instruction_sets();
  const char* forced = std::getenv("LIMELIGHT_ISA");
  const std::string wanted = forced == nullptr || *forced == '\0' ? available.front() : forced;
  if (std::find(available.begin(), available.end(), wanted) == available.end()) {
    throw Error("LIMELIGHT_ISA: expected one of " + joined(available) +
                ", which this processor has, got \"" + wanted + "\"" +
                (wanted == kAmx ? ": " + tiles::amx_offer().reason : ""));
  }
  if (wanted == kAmx) return {wanted, available_vector_sets().front(), tiles::amx_offer().unit};
  leave_only(wanted);
  return {wanted, wanted, nullptr};
}

const Choice& choice() {
  static const Choice chosen = choose();
  return chosen;
}

/// The unit of the choice, or of a test.
std::atomic<const tiles::TileUnit*>& unit_in_use() {
  static std::atomic<const tiles::TileUnit*> unit = choice().unit;
  return unit;
}

}  // namespace

std::string name_of_target(std::int64_t target) {
  switch (target) {
#if HWY_ARCH_X86
    case HWY_AVX3:
      return "avx512";
    case HWY_AVX2:
      return "avx2";
    case HWY_SSE4:
      return "sse4";
#endif
#if HWY_ARCH_ARM
    case HWY_NEON:
      return "neon";
#endif
    case HWY_EMU128:
    case HWY_SCALAR:
      return "portable";
    default:
      return hwy::TargetName(target);
  }
}

std::vector<std::string> available_instruction_sets() {
  std::vector<std::string> names = available_vector_sets();
  if (tiles::amx_offer().unit != nullptr) names.insert(names.begin(), kAmx);
  return names;
}

const std::string& instruction_set() { return choice().name; }

const std::string& vector_instruction_set() { return choice().vectors; }

const tiles::TileUnit* tile_unit() { return unit_in_use().load(std::memory_order_relaxed); }

std::string reason_for_tile_unit() {
  const tiles::AmxOffer& offer = tiles::amx_offer();
  if (offer.unit != nullptr && tile_unit() == nullptr) return "LIMELIGHT_ISA names another";
  return offer.reason;
}

TileUnitForTest::TileUnitForTest(const tiles::TileUnit* unit)
    : before_(unit_in_use().exchange(unit)) {}

TileUnitForTest::~TileUnitForTest() { unit_in_use() = before_; }

}  // namespace limelight
