#include "base/instruction_set.h"

#include <hwy/highway.h>
#include <limelight/error.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "base/tiles/unit_offer.h"

namespace limelight {
namespace {

constexpr const char* kAvx512 = "avx512";

/// An instruction set that has a tile unit, if the processor offers it.
struct UnitSet {
  const char* name;
  const tiles::UnitOffer& (*offer)();
};
constexpr UnitSet kUnitSets[] = {{"amx", tiles::amx_offer}, {"avx512_bf16", tiles::dot_offer}};

/// Null: the set of that name has no tile unit.
const tiles::UnitOffer* unit_offer(const std::string& name) {
  for (const UnitSet& set : kUnitSets) {
    if (name == set.name) return &set.offer();
  }
  return nullptr;
}

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
  const tiles::TileUnit* unit = nullptr;
  bool multiplies_pairs = false;  ///< of bf16, by vectors
};

Choice choose() {
  const std::vector<std::string> available = available_instruction_sets();
  const char* forced = std::getenv("LIMELIGHT_ISA");
  const std::string wanted = forced == nullptr || *forced == '\0' ? available.front() : forced;
  const tiles::UnitOffer* offer = unit_offer(wanted);
  if (std::find(available.begin(), available.end(), wanted) == available.end()) {
    throw Error("LIMELIGHT_ISA: expected one of " + joined(available) +
                ", which this processor has, got \"" + wanted + "\"" +
                (offer ? ": " + offer->reason : ""));
  }
  if (offer) {
    const std::string vectors = available_vector_sets().front();
    return {wanted, vectors, offer->unit, vectors == kAvx512 && tiles::dot_offer().unit != nullptr};
  }
  leave_only(wanted);
  return {.name = wanted, .vectors = wanted};
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
      return kAvx512;
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
  std::vector<std::string> names;
  for (const UnitSet& set : kUnitSets) {
    if (set.offer().unit != nullptr) names.emplace_back(set.name);
  }
  for (const std::string& name : available_vector_sets()) names.push_back(name);
  return names;
}

const std::string& instruction_set() { return choice().name; }

const std::string& vector_instruction_set() { return choice().vectors; }

const tiles::TileUnit* tile_unit() { return unit_in_use().load(std::memory_order_relaxed); }

bool uses_bf16_dots() { return choice().multiplies_pairs && tile_unit() != nullptr; }

std::string reason_for_tile_unit() {
  if (const tiles::UnitOffer* offer = unit_offer(instruction_set())) return offer->reason;
  std::string reasons;
  for (const UnitSet& set : kUnitSets) {
    if (set.offer().unit != nullptr) return "LIMELIGHT_ISA names another";
    reasons += (reasons.empty() ? "" : "; ") + set.offer().reason;
  }
  return reasons;
}

TileUnitForTest::TileUnitForTest(const tiles::TileUnit* unit)
    : before_(unit_in_use().exchange(unit)) {}

TileUnitForTest::~TileUnitForTest() { unit_in_use() = before_; }

}  // namespace limelight
