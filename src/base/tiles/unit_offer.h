#pragma once

#include <string>
#include <vector>

#include "base/cpu_features.h"
#include "base/tiles/tile_unit.h"

namespace limelight::tiles {

/// Whether kernels may multiply with one of the processor's units.
struct UnitOffer {
  const TileUnit* unit = nullptr;  ///< null: it is not offered
  std::string reason;              ///< why it is, or is not
};

// Each is found out once in the process.

/// AMX: the feature bits, the kernel's permission (which is asked for where the bits are there),
/// and a checked product.
const UnitOffer& amx_offer();

/// Dot products of bf16 by vectors: the feature bit, the registers, and a checked product.
const UnitOffer& dot_offer();

/// What stands against asking for permission; empty where nothing does. Palettes that are hidden
/// (CPUID leaf 0x1D) do not: the one that kernels configure is the same on every processor.
std::string missing_for_amx(const AmxReport& amx);

/// What stands against dot products of bf16; empty where nothing does.
std::string missing_for_dots(const std::vector<CpuFeature>& features);

/// Whether the unit's products of a known block are those of the emulated unit. Its numbers are
/// small integers, so that every order of adding gives the same bits: this looks for a unit that is
/// broken or half emulated by a hypervisor, not for one that rounds elsewhere.
bool multiplies_rightly(const TileUnit& unit);

}  // namespace limelight::tiles
