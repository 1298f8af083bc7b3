#include "base/instruction_set.h"

#include <hwy/highway.h>
#include <limelight/error.h>

#include <algorithm>
#include <cstdlib>

namespace limelight {
namespace {

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

std::string choose() {
  const std::vector<std::string> available = available_instruction_sets();
  const char* wanted = std::getenv("LIMELIGHT_ISA");
  if (wanted == nullptr || *wanted == '\0') return available.front();
  if (std::find(available.begin(), available.end(), wanted) == available.end()) {
    throw Error("LIMELIGHT_ISA: expected one of " + joined(available) +
                ", which this processor has, got \"" + wanted + "\"");
  }
  leave_only(wanted);
  return wanted;
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
  std::vector<std::string> names;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    names.push_back(name_of_target(target));
  }
  return names;
}

const std::string& instruction_set() {
  static const std::string chosen = choose();
  return chosen;
}

}  // namespace limelight
