#pragma once

namespace limelight {

/// What the processor says of AMX. `tiles` without `palettes` is a virtual machine that reports the
/// feature and hides its description (CPUID leaf 0x1D): the instructions run, but a library that
/// configures itself from the leaf dies at its first product.
struct AmxReport {
  bool tiles = false;     ///< CPUID leaf 7: AMX-TILE
  bool bf16 = false;      ///< CPUID leaf 7: AMX-BF16
  bool palettes = false;  ///< CPUID leaf 0x1D describes palette 1
};

AmxReport report_amx();

/// To be called before oneDNN is used: caps it below AMX, once in the process, where report_amx()
/// has tiles without palettes.
void prepare_onednn();

}  // namespace limelight
