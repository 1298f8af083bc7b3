#pragma once

#include "base/tiles/tile.h"

namespace limelight::tiles {

/// Work that is done while the tile unit multiplies: called after each row of its products, up to
/// two, which take 32 cycles. It has nothing to do with what is multiplied, so a core that executes
/// out of order computes both at once.
struct Beside {
  void (*call)(void* work);
  void* work;

  void operator()() const { call(work); }
};

/// What multiplies tiles of bf16 and sums in f32. The processor's (AMX), one made of its vectors'
/// dot products (AVX512-BF16), and an emulated one, in portable C++, which gives the bits that
/// Intel documents of AMX: every kernel takes its unit as a value, so that all of it but a dozen
/// instructions is proven where there is neither.
///
/// Each sum depends on its own row of left and its own column of right alone. Numbers smaller than
/// the smallest normal one (2^-126) count as 0 and become 0.
///
/// Immutable; safe from several threads.
struct TileUnit {
  const char* name;
  void (*configure)();  ///< before the first product on a thread
  void (*release)();    ///< after the last

  /// All depths of a product, whose sums stay in the registers. `unfinished` are those that were in
  /// them, which go to memory; row_tiles 0: none. A unit without registers of its own leaves sums
  /// in memory at once.
  void (*multiply)(const BlockProduct& product, const SumTiles& unfinished, const Beside& beside);
  /// Sums go from the registers to memory.
  void (*finish)(const SumTiles& sums);
};

const TileUnit& emulated_unit();

/// AMX. Null where this program is not compiled for x86-64. Whether it may be used is another
/// question: see amx_offer().
const TileUnit* amx_unit();

/// The dot products of AVX512-BF16. Null, and offered, likewise: see dot_offer().
const TileUnit* dot_unit();

/// The thread's tiles are configured while this lives. Between products of tiles a thread may do
/// anything but sleep for long: a core with tiles in use does not save energy.
///
/// Sums reach memory late: one by one, each when its register is wanted by the product that comes
/// next. Stored at once, they would keep the unit waiting for as long as half of a product of
/// depth 4.
class TileSession {
 public:
  explicit TileSession(const TileUnit& unit) : unit_(unit) { unit_.configure(); }
  ~TileSession() { unit_.release(); }
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;

  /// The sums are not in memory before another product was multiplied, or finish().
  void multiply(const BlockProduct& product, const Beside& beside = kNothing) {
    unit_.multiply(product, unfinished_, beside);
    unfinished_ = product.sum_tiles();
  }
  void finish() {
    if (unfinished_.row_tiles != 0) unit_.finish(unfinished_);
    unfinished_ = {};
  }

 private:
  static constexpr Beside kNothing = {[](void*) {}, nullptr};

  const TileUnit& unit_;
  SumTiles unfinished_ = {};
};

}  // namespace limelight::tiles
