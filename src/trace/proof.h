#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trace/trace.h"

namespace limelight {

/// How far a recorded tensor is from the same tensor computed in float64, by its recipe, from the
/// recorded operands.
struct TensorProof {
  std::string tensor;
  double largest_difference = 0;  ///< NaN where one side is NaN and the other is not
  double largest_value = 0;       ///< of the float64 tensor
  std::int64_t row = 0;           ///< where the largest difference sits: row and column of values
  std::int64_t column = 0;

  /// largest_difference / largest_value; 0 where nothing differs.
  double relative() const;
};

/// What must hold whatever the numbers are.
struct InvariantProof {
  std::string invariant;
  bool holds = false;
  std::string measured;  ///< "largest |sum - 1| is 1.2e-07"
};

struct Proof {
  std::vector<TensorProof> tensors;  ///< of all that are not given, in the trace's order
  std::vector<InvariantProof> invariants;
  double seconds = 0;  ///< what proving cost

  /// The proof of that tensor; null when it was not proven (given).
  const TensorProof* find(std::string_view tensor) const;
  bool holds() const;
};

/// Compares every tensor of the trace with its recipe, and checks that every row of weights sums to
/// 1, masked weights are exactly 0, the heads' writes add up to the layer's output, each context
/// lies within the hull of the values (coordinate by coordinate), the streams add up, and every
/// tensor is as close to float64 as float32 can be held to (kLargestRelative).
Proof prove(const Trace& trace);

/// The largest difference, relative to a tensor's largest number, that float32 is allowed.
inline constexpr double kLargestRelative = 1e-3;

}  // namespace limelight
