#include "base/cpu_features.h"

#include <oneapi/dnnl/dnnl.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace limelight {

AmxReport report_amx() {
  AmxReport report;
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    report.bf16 = (edx >> 22) & 1;
    report.tiles = (edx >> 24) & 1;
  }
  if (__get_cpuid_count(0x1d, 0, &eax, &ebx, &ecx, &edx) != 0) {
    report.palettes =
        eax >= 1 && __get_cpuid_count(0x1d, 1, &eax, &ebx, &ecx, &edx) != 0 && eax != 0;
  }
#endif
  return report;
}

void prepare_onednn() {
  static const bool prepared = [] {
    const AmxReport amx = report_amx();
    if (amx.tiles && !amx.palettes) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16);
    return true;
  }();
  static_cast<void>(prepared);
}

}  // namespace limelight
