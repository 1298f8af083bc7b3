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

  // A product is begun, which multiplies its first depth; then come its other depths; and when it
  // is finished, or another one begins, its sums go from the registers to memory.
  void (*begin)(const BlockProduct& product, const BlockProduct* unfinished);
  void (*add_depth)(const BlockProduct& product, std::int64_t depth);
  void (*finish)(const BlockProduct& product);
};

const TileUnit& emulated_unit();

/// AMX. Null where this program is not compiled for x86-64. Whether it may be used is another
/// question: see amx_offer().
const TileUnit* amx_unit();

/// The thread's tiles are configured while this lives. Between products of tiles a thread may do
/// anything but sleep for long: a core with tiles in use does not save energy.
///
/// Products may be taken in steps, one of depth at a time, with other work between them. Then sums
/// reach memory late: one by one, each when its register is wanted by the product that begins next.
/// Stored at once, they would keep the unit waiting for as long as half of a product of depth 4.
class TileSession {
 public:
  explicit TileSession(const TileUnit& unit) : unit_(unit) { unit_.configure(); }
  ~TileSession() { unit_.release(); }
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;

  /// The first step. The sums are not in memory before another product begins, or finish().
  /// REQUIRES: `product` lives until then. (It is not copied: a copy would read, in wide pieces,
  /// what was just written in narrow ones, and so wait for every store before it.)
  void begin(const BlockProduct& product) {
    unit_.begin(product, unfinished_);
    unfinished_ = &product;
    next_depth_ = 1;
  }
  /// Whether the product that was begun has depths left.
  bool has_steps() const { return unfinished_ && next_depth_ < unfinished_->depth_tiles; }
  void step() { unit_.add_depth(*unfinished_, next_depth_++); }
  void finish() {
    if (unfinished_) unit_.finish(*unfinished_);
    unfinished_ = nullptr;
  }

  /// All of a product, sums and all.
  void multiply(const BlockProduct& product) {
    begin(product);
    while (has_steps()) step();
    finish();
  }

 private:
  const TileUnit& unit_;
  const BlockProduct* unfinished_ = nullptr;
  std::int64_t next_depth_ = 0;
};

}  // namespace limelight::tiles
