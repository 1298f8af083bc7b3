#pragma once

#include <string>
#include <vector>

#include "trace/head_trace.h"
#include "trace/trace.h"

namespace limelight {

/// How far a recorded stage is from the same stage computed in float64 from the same recorded
/// inputs.
struct StageProof {
  std::string stage;  ///< "embedding", "query, key, value", "scores", ...
  double largest_difference = 0;
  double largest_value = 0;  ///< of the float64 result, to judge the difference by
};

/// What must hold whatever the numbers are.
struct InvariantProof {
  std::string invariant;
  bool holds = false;
  std::string measured;  ///< "largest |sum - 1| is 1.2e-07"
};

struct Proof {
  std::vector<StageProof> stages;
  std::vector<InvariantProof> invariants;

  /// The stage of that name. REQUIRES: it was proven.
  const StageProof& stage(const std::string& name) const;
  bool holds() const;
};

/// Proves one head: scores, weights and context against float64, and what must hold of weights and
/// writes. And the stages of its layer, and those of the model before and after.
Proof prove(const Transformer& model, const Trace& trace, const HeadTrace& head);

}  // namespace limelight
