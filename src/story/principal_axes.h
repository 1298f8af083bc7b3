#pragma once

#include <cstddef>
#include <vector>

namespace limelight {

/// Directions at right angles to each other in which vectors are largest together.
struct PrincipalAxes {
  std::vector<std::vector<double>> axes;  ///< of length 1, the largest share first
  std::vector<double> shares;             ///< of the vectors' squared length that lies along each
};

/// The first `count` principal axes: eigenvectors of the sum of the vectors' outer products, about
/// the origin; subtract a mean before if that is meant. Found by Jacobi's rotations of the vectors'
/// products with each other, so exact to float64 and the same bits for the same input; the sign
/// makes the longest vector's coordinate positive. Where the vectors span fewer directions, the
/// axes that are left over are zero and have share 0. REQUIRES: vectors of equal length.
PrincipalAxes principal_axes(const std::vector<std::vector<double>>& vectors, std::size_t count);

}  // namespace limelight
