#include "trace/proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "trace/evaluate.h"

namespace limelight {
namespace {

// The sums and streams of float32 that an invariant adds up again: far above what rounding costs,
// far below what a mistake does.
constexpr double kSumTolerance = 1e-5;

/// Keeps the larger; NaN is larger than any number, and stays.
bool keep_larger(double& largest, double value) {
  const bool larger = !std::isnan(largest) && (std::isnan(value) || value > largest);
  if (larger) largest = value;
  return larger;
}

double difference(float recorded, double reference) {
  if (static_cast<double>(recorded) == reference) return 0;  // infinities too
  if (std::isnan(recorded) && std::isnan(reference)) return 0;
  return std::fabs(recorded - reference);
}

TensorProof compare(const TraceTensor& tensor, const Matrix64& reference) {
  TensorProof proof;
  proof.tensor = tensor.name;
  for (std::int64_t r = 0; r < reference.rows; ++r) {
    for (std::int64_t c = 0; c < reference.columns; ++c) {
      const double expected = reference.at(r, c);
      if (keep_larger(proof.largest_difference, difference(tensor.values.at(r, c), expected))) {
        proof.row = r;
        proof.column = c;
      }
      if (std::isfinite(expected)) {
        proof.largest_value = std::max(proof.largest_value, std::fabs(expected));
      }
    }
  }
  return proof;
}

/// "layer.2.head.1.weights" when the tensor is a head's `what`; "layer.2.head.1." without it.
std::string_view head_prefix(const TraceTensor& tensor, std::string_view what) {
  const std::string_view name = tensor.name;
  if (name.find(".head.") == std::string_view::npos || !name.ends_with(what)) return {};
  const std::string_view prefix = name.substr(0, name.size() - what.size());
  return prefix.ends_with('.') ? prefix : std::string_view();
}

template <class Body>
void for_each_head(const Trace& trace, std::string_view what, const Body& body) {
  for (const TraceTensor& tensor : trace.tensors()) {
    if (const auto prefix = head_prefix(tensor, what); !prefix.empty()) {
      body(tensor, std::string(prefix));
    }
  }
}

void prove_rows_of_weights(const Trace& trace, Proof& proof) {
  double deviation = 0;
  bool hidden_are_zero = true;
  for_each_head(trace, "weights", [&](const TraceTensor& weights, const std::string&) {
    for (std::int64_t r = 0; r < weights.values.rows; ++r) {
      double sum = 0;
      for (std::int64_t j = 0; j < weights.values.columns; ++j) {
        const float weight = weights.values.at(r, j);
        sum += weight;
        if (j > weights.token_of(r) && weight != 0) hidden_are_zero = false;
      }
      keep_larger(deviation, std::fabs(sum - 1));
    }
  });
  proof.invariants.push_back({"every row of weights sums to 1", deviation <= kSumTolerance,
                              fmt::format("largest |sum - 1| is {:.1e}", deviation)});
  proof.invariants.push_back({"masked weights are exactly 0", hidden_are_zero,
                              hidden_are_zero ? "all are" : "some are not"});
}

/// A weighted mean lies between the smallest and the largest of what it is the mean of.
void prove_hull(const Trace& trace, Proof& proof) {
  double outside = 0;
  for_each_head(trace, "context", [&](const TraceTensor& context, const std::string& prefix) {
    const MatrixView value = trace.values(prefix + "value");
    for (std::int64_t c = 0; c < value.columns; ++c) {
      float low = std::numeric_limits<float>::infinity();
      float high = -low;
      std::int64_t seen = 0;
      for (std::int64_t r = 0; r < context.values.rows; ++r) {
        for (; seen <= context.token_of(r) && seen < value.rows; ++seen) {
          low = std::min(low, value.at(seen, c));
          high = std::max(high, value.at(seen, c));
        }
        const double x = context.values.at(r, c);
        const double slack = kSumTolerance * std::max(std::fabs(low), std::fabs(high));
        if (std::isnan(x)) keep_larger(outside, x);
        keep_larger(outside, std::max(x - high, low - x) - slack);
      }
    }
  });
  proof.invariants.push_back(
      {"each context lies within the hull of the values it can see", outside <= 0,
       outside <= 0 ? "every coordinate does" : fmt::format("one lies {:.1e} outside", outside)});
}

/// Where all heads of a layer are there: their writes and the bias against what the layer writes.
void prove_writes(const Trace& trace, Proof& proof) {
  double largest = 0;
  double largest_value = 0;
  bool any = false;
  for (const TraceTensor& joined : trace.tensors()) {
    if (joined.recipe.operation != Operation::join) continue;
    const std::string layer = joined.name.substr(0, joined.name.rfind('.') + 1);
    const TraceTensor& out = trace.at(layer + "attention_out");
    const TraceTensor* bias = trace.find(layer + "output_bias");
    std::vector<const TraceTensor*> writes;
    for (const std::string& context : joined.recipe.operands) {
      writes.push_back(&trace.at(context.substr(0, context.rfind('.') + 1) + "write"));
    }
    any = true;
    for (std::int64_t r = 0; r < out.values.rows; ++r) {
      for (std::int64_t c = 0; c < out.values.columns; ++c) {
        double sum = bias == nullptr ? 0.0 : static_cast<double>(bias->values.at(0, c));
        for (const TraceTensor* write : writes) sum += static_cast<double>(write->values.at(r, c));
        keep_larger(largest, difference(out.values.at(r, c), sum));
        largest_value = std::max(largest_value, std::fabs(sum));
      }
    }
  }
  if (!any) return;
  proof.invariants.push_back({"the heads' writes add up to the layer's output",
                              largest <= kSumTolerance * std::max(1.0, largest_value),
                              fmt::format("largest difference is {:.1e}", largest)});
}

void prove_streams(Proof& proof) {
  double largest = 0;
  for (const TensorProof& tensor : proof.tensors) {
    if (tensor.tensor.ends_with("stream_mid") || tensor.tensor.ends_with("stream_out")) {
      keep_larger(largest, tensor.relative());
    }
  }
  proof.invariants.push_back({"what is written is what the stream gains", largest <= 1e-6,
                              fmt::format("largest relative difference is {:.1e}", largest)});
}

void prove_closeness(Proof& proof) {
  const TensorProof* worst = nullptr;
  double largest = 0;
  for (const TensorProof& tensor : proof.tensors) {
    if (keep_larger(largest, tensor.relative())) worst = &tensor;
  }
  proof.invariants.push_back(
      {"every tensor is float64's, up to float32's rounding", largest <= kLargestRelative,
       worst == nullptr
           ? "no tensor differs"
           : fmt::format("largest relative difference is {:.1e}, of {}", largest, worst->tensor)});
}

}  // namespace

double TensorProof::relative() const {
  if (largest_difference == 0) return 0;
  return largest_difference / largest_value;
}

const TensorProof* Proof::find(std::string_view tensor) const {
  const auto place = std::ranges::find(tensors, tensor, &TensorProof::tensor);
  return place == tensors.end() ? nullptr : &*place;
}

bool Proof::holds() const { return std::ranges::all_of(invariants, &InvariantProof::holds); }

Proof prove(const Trace& trace) {
  const auto start = std::chrono::steady_clock::now();
  Proof proof;
  for (const TraceTensor& tensor : trace.tensors()) {
    if (tensor.recipe.operation == Operation::given) continue;
    proof.tensors.push_back(compare(tensor, evaluate(trace, tensor)));
  }
  prove_rows_of_weights(trace, proof);
  prove_hull(trace, proof);
  prove_writes(trace, proof);
  prove_streams(proof);
  prove_closeness(proof);
  proof.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return proof;
}

}  // namespace limelight
