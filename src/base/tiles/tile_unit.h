#pragma once

#include "base/tiles/tile.h"

namespace limelight::tiles {

/// What multiplies tiles of bf16 and sums in f32. The processor's (AMX) and an emulated one, in
/// portable C++, which gives the bits that Intel documents: every kernel takes its unit as a value,
/// so that all of it but a dozen instructions is proven where there is no AMX.
///
/// Each sum depends on its own row of left and its own column of right alone. Numbers smaller than
/// the smallest normal one (2^-126) count as 0 and become 0.
///
/// Immutable; safe from several threads.
struct TileUnit {
  const char* name;
  void (*configure)();  ///< before the first product on a thread
  void (*release)();    ///< after the last
  void (*multiply)(const BlockProduct&);
};

const TileUnit& emulated_unit();

/// AMX. Null where this program is not compiled for x86-64. Whether it may be used is another
/// question: see amx_offer().
const TileUnit* amx_unit();

/// The thread's tiles are configured while this lives. Between products of tiles a thread may do
/// anything but sleep for long: a core with tiles in use does not save energy.
class TileSession {
 public:
  explicit TileSession(const TileUnit& unit) : unit_(unit) { unit_.configure(); }
  ~TileSession() { unit_.release(); }
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;

  void multiply(const BlockProduct& product) const { unit_.multiply(product); }

 private:
  const TileUnit& unit_;
};

}  // namespace limelight::tiles
