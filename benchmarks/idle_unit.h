#pragma once

#include "base/tiles/tile_unit.h"

namespace limelight::bench {

/// A tile unit that neither reads, multiplies nor stores: what a kernel takes with it is what
/// stands between its products, on any machine. Results are of no meaning.
const tiles::TileUnit& idle_unit();

}  // namespace limelight::bench
