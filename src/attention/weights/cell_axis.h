#pragma once

#include <algorithm>
#include <cstdint>

namespace limelight {

/// A line of `length` elements cut into `cells` equal pieces: element e is the interval [e, e + 1),
/// cell c is [c length / cells, (c + 1) length / cells). In units of 1 / cells all ends are whole
/// numbers, so that nothing here rounds but the division at the end.
/// REQUIRES: both are at least 1, and length * cells fits std::int64_t.
struct CellAxis {
  std::int64_t length;
  std::int64_t cells;

  /// The elements that have a part in cells [begin, end).
  std::int64_t first_element(std::int64_t begin) const { return begin * length / cells; }
  std::int64_t end_element(std::int64_t end) const { return (end * length + cells - 1) / cells; }

  /// The cells that element e has a part in.
  std::int64_t first_cell(std::int64_t e) const { return e * cells / length; }
  std::int64_t end_cell(std::int64_t e) const { return ((e + 1) * cells + length - 1) / length; }

  /// How much of element e lies in cell c: 1 where all of it does.
  double coverage(std::int64_t e, std::int64_t c) const {
    const std::int64_t begin = std::max(e * cells, c * length);
    const std::int64_t end = std::min((e + 1) * cells, (c + 1) * length);
    return static_cast<double>(end - begin) / static_cast<double>(cells);
  }

  /// One over the length of a cell, in elements.
  double cells_per_element() const {
    return static_cast<double>(cells) / static_cast<double>(length);
  }
};

}  // namespace limelight
