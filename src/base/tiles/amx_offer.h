#pragma once

#include <string>

#include "base/cpu_features.h"
#include "base/tiles/tile_unit.h"

namespace limelight::tiles {

/// Whether kernels may multiply with the processor's tile unit.
struct AmxOffer {
  const TileUnit* unit = nullptr;  ///< null: it is not offered
  std::string reason;              ///< why it is, or is not
};

/// Found out once in the process: the feature bits, the kernel's permission (which is asked for
/// where the bits are there), and a checked product.
const AmxOffer& amx_offer();

/// What stands against asking for permission; empty where nothing does. Palettes that are hidden
/// (CPUID leaf 0x1D) do not: the one that kernels configure is the same on every processor.
std::string missing_for_amx(const AmxReport& amx);

/// Whether the unit's products of a known block are those of the emulated unit. Its numbers are
/// small integers, so that every order of adding gives the same bits: this looks for a unit that is
/// broken or half emulated by a hypervisor, not for one that rounds elsewhere.
bool multiplies_rightly(const TileUnit& unit);

}  // namespace limelight::tiles
