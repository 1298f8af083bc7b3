#include "base/cpu_features.h"

#include <oneapi/dnnl/dnnl.h>

#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace limelight {

#if defined(__x86_64__)
namespace {

/// The registers that a leaf of CPUID answers in; zeros where it does not exist.
struct Leaf {
  Leaf(unsigned leaf, unsigned subleaf) {
    if (__get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx) == 0) eax = ebx = ecx = edx = 0;
  }
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

bool bit(std::uint64_t word, int index) { return (word >> index) & 1; }

// Of XCR0, and of the masks that arch_prctl gives.
constexpr std::uint64_t kSseState = 1u << 1;
constexpr std::uint64_t kAvxState = kSseState | 1u << 2;
constexpr std::uint64_t kAvx512State = kAvxState | 7u << 5;
constexpr int kTileDataState = 18;
constexpr std::uint64_t kTileData = 1u << kTileDataState;
constexpr std::uint64_t kTileState = kAvxState | 1u << 17 | kTileData;

/// The register states that the operating system keeps from one thread to the next.
std::uint64_t enabled_states() {
  constexpr int kOsXsave = 27;
  if (!bit(Leaf(1, 0).ecx, kOsXsave)) return kSseState;
  std::uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

/// The mask of states that one of arch_prctl's questions answers with; 0 where the kernel does not
/// know the question.
std::uint64_t states_by_arch_prctl(int question) {
  std::uint64_t states = 0;
  return ::syscall(SYS_arch_prctl, question, &states) == 0 ? states : 0;
}

}  // namespace

std::vector<CpuFeature> report_cpu_features() {
  const Leaf one(1, 0);
  const Leaf seven(7, 0);
  const Leaf seven_one(7, 1);
  const std::uint64_t states = enabled_states();
  const auto feature = [&](const char* name, bool reported, std::uint64_t needed) {
    return CpuFeature{name, reported, reported && (states & needed) == needed};
  };
  return {feature("sse4_1", bit(one.ecx, 19), kSseState),
          feature("avx", bit(one.ecx, 28), kAvxState),
          feature("f16c", bit(one.ecx, 29), kAvxState),
          feature("fma", bit(one.ecx, 12), kAvxState),
          feature("avx2", bit(seven.ebx, 5), kAvxState),
          feature("avx512f", bit(seven.ebx, 16), kAvx512State),
          feature("avx512bw", bit(seven.ebx, 30), kAvx512State),
          feature("avx512vl", bit(seven.ebx, 31), kAvx512State),
          feature("avx512_vnni", bit(seven.ecx, 11), kAvx512State),
          feature("avx512_bf16", bit(seven_one.eax, 5), kAvx512State),
          feature("avx512_fp16", bit(seven.edx, 23), kAvx512State),
          feature("amx_tile", bit(seven.edx, 24), kTileState),
          feature("amx_bf16", bit(seven.edx, 22), kTileState),
          feature("amx_int8", bit(seven.edx, 25), kTileState)};
}

std::string cpu_name() {
  constexpr unsigned kFirst = 0x80000002;
  if (Leaf(0x80000000, 0).eax < kFirst + 2) return "unknown";
  std::array<char, 3 * sizeof(Leaf) + 1> text = {};
  for (unsigned i = 0; i < 3; ++i) {
    const Leaf leaf(kFirst + i, 0);
    std::memcpy(text.data() + i * sizeof(Leaf), &leaf, sizeof(Leaf));
  }
  const std::string name = text.data();
  const std::size_t begin = name.find_first_not_of(' ');
  if (begin == std::string::npos) return "unknown";
  return name.substr(begin, name.find_last_not_of(' ') + 1 - begin);
}

AmxReport report_amx() {
  constexpr int kAskSupported = 0x1021;  // ARCH_GET_XCOMP_SUPP
  constexpr int kAskPermitted = 0x1022;  // ARCH_GET_XCOMP_PERM
  const Leaf seven(7, 0);
  AmxReport report;
  report.bf16 = bit(seven.edx, 22);
  report.tiles = bit(seven.edx, 24);
  report.int8 = bit(seven.edx, 25);
  const unsigned largest_palette = Leaf(0x1d, 0).eax;
  if (const Leaf palette(0x1d, 1); largest_palette >= 1 && palette.eax != 0) {
    report.palettes = true;
    report.tile_bytes = static_cast<int>(palette.eax >> 16);
    report.row_bytes = static_cast<int>(palette.ebx & 0xffff);
    report.tile_count = static_cast<int>(palette.ebx >> 16);
    report.tile_rows = static_cast<int>(palette.ecx & 0xffff);
  }
  report.supported = (states_by_arch_prctl(kAskSupported) & kTileData) != 0;
  report.permitted = (states_by_arch_prctl(kAskPermitted) & kTileData) != 0;
  return report;
}

bool request_amx_permission() {
  constexpr int kRequest = 0x1023;  // ARCH_REQ_XCOMP_PERM
  return ::syscall(SYS_arch_prctl, kRequest, kTileDataState) == 0 && report_amx().permitted;
}

#else

std::vector<CpuFeature> report_cpu_features() { return {}; }
std::string cpu_name() { return "unknown"; }
AmxReport report_amx() { return {}; }
bool request_amx_permission() { return false; }

#endif

bool must_cap_onednn(const AmxReport& amx) { return amx.tiles && !amx.palettes; }

void prepare_onednn() {
  static const bool prepared = [] {
    if (must_cap_onednn(report_amx())) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16);
    return true;
  }();
  static_cast<void>(prepared);
}

std::string onednn_instruction_set() {
  prepare_onednn();
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
      return "sse41";
    case dnnl_cpu_isa_avx:
      return "avx";
    case dnnl_cpu_isa_avx2:
      return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
      return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
      return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "its choice";
  }
}

}  // namespace limelight
