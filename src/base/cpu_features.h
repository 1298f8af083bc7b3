#pragma once

#include <string>
#include <vector>

namespace limelight {

/// A feature bit of the processor, by the name that /proc/cpuinfo gives it.
struct CpuFeature {
  std::string name;
  bool reported;  ///< by CPUID
  bool enabled;   ///< and its registers are kept by the operating system (XCR0)
};

/// Of the vector and tile features that kernels here, or oneDNN's, are written for. Empty where the
/// architecture is not x86-64.
std::vector<CpuFeature> report_cpu_features();

/// "AMD EPYC 7763 64-Core Processor"; "unknown" where the processor does not say.
std::string cpu_name();

/// What the processor and the operating system say of AMX. `tiles` without `palettes` is a virtual
/// machine that reports the feature and hides its description (CPUID leaf 0x1D): the instructions
/// run, but a library that configures itself from the leaf dies at its first product.
struct AmxReport {
  bool tiles = false;     ///< CPUID leaf 7: AMX-TILE
  bool bf16 = false;      ///< CPUID leaf 7: AMX-BF16
  bool int8 = false;      ///< CPUID leaf 7: AMX-INT8
  bool palettes = false;  ///< CPUID leaf 0x1D describes palette 1, as below
  int tile_bytes = 0;     ///< of one tile
  int row_bytes = 0;      ///< of a tile's row
  int tile_count = 0;
  int tile_rows = 0;
  bool supported = false;  ///< arch_prctl: the kernel keeps tile data (ARCH_GET_XCOMP_SUPP)
  bool permitted = false;  ///< arch_prctl: this process may use it (ARCH_GET_XCOMP_PERM)
};

/// As things stand: asks for no permission.
AmxReport report_amx();

/// Asks the kernel that this process may use tiles: every thread of it, from now on. Returns
/// whether it may.
bool request_amx_permission();

/// Whether oneDNN has to be kept from AMX on such a processor.
bool must_cap_onednn(const AmxReport& amx);

/// To be called before oneDNN is used: caps it below AMX, once in the process, where it must be.
void prepare_onednn();

/// The instruction set that oneDNN will use at most: "avx2", "avx512_core_bf16", ... Prepares it.
std::string onednn_instruction_set();

}  // namespace limelight
