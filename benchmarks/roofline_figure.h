#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace limelight::bench {

/// What this machine can do at best, measured on as many threads as the points.
struct RooflineCeilings {
  double bytes = 0;          ///< from memory, a second
  double multiply_adds = 0;  ///< f32, in FLOP/s
  double tiles = 0;          ///< bf16, in FLOP/s; 0 where there are none

  double fastest_products() const { return std::max(multiply_adds, tiles); }
};

/// A measured call.
struct RooflinePoint {
  std::string name;
  bool in_bf16;      ///< products may be the tile unit's
  double intensity;  ///< FLOP for each byte that comes from memory or goes there
  double rate;       ///< FLOP/s

  /// Of the most FLOP/s that its products and so many FLOP for each byte allow.
  double share_of(const RooflineCeilings& ceilings) const {
    const double products = in_bf16 ? ceilings.fastest_products() : ceilings.multiply_adds;
    return rate / std::min(intensity * ceilings.bytes, products);
  }
};

/// The points under the roof, both axes logarithmic, as one SVG file: text as text, nothing loaded,
/// each point with a number that the list beside it names, and its figures in its title.
std::string roofline_svg(const std::string& machine, const RooflineCeilings& ceilings,
                         const std::vector<RooflinePoint>& points);

}  // namespace limelight::bench
