#include "attention/kernels/simd/fused_backward.h"

#include <cmath>
#include <limits>

#include "attention/element.h"

namespace limelight::simd {
namespace {

void clear_keys_beyond(const BackwardCall& call, const Sequence& sequence,
                       const KeyTarget& target) {
  for (std::int64_t kv_head = 0; kv_head < call.shape.num_kv_heads; ++kv_head) {
    for (std::int64_t j = sequence.kv_len; j < call.shape.kv_len(); ++j) {
      const auto [view, offset] = target.find(sequence, kv_head, j);
      for (std::int64_t d = 0; !view.empty() && d < view.size(3); ++d) {
        write_number(view.raw(), view.dtype(), offset + d, 0);
      }
    }
  }
}

}  // namespace

std::vector<std::int64_t> first_blocks(const BackwardCall& call) {
  std::vector<std::int64_t> first = {0};
  for (const Sequence& sequence : call.visibility.sequences()) {
    first.push_back(first.back() + call.shape.num_heads * call.blocks_of(sequence));
  }
  return first;
}

void clear_keys_beyond(const BackwardCall& call) {
  for (const Sequence& sequence : call.visibility.sequences()) {
    clear_keys_beyond(call, sequence, call.grad_keys);
    clear_keys_beyond(call, sequence, call.grad_values);
  }
}

void store_zero_queries(const BackwardCall& call, const QueryBlock& block) {
  const TensorView& gradient = call.arguments.gradients.query;
  if (gradient.empty()) return;
  const Sequence& sequence = block.place.sequence;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const std::int64_t offset = row_offset(gradient, sequence.batch, block.place.head,
                                           sequence.first_query + block.first + r);
    for (std::int64_t d = 0; d < call.shape.head_dim; ++d) {
      write_number(gradient.raw(), gradient.dtype(), offset + d, 0);
    }
  }
}

void store_sink_gradients(const BackwardCall& call, const AttentionOptions& options) {
  const ConstTensorView& lse = call.arguments.lse;
  const TensorView& gradient = call.arguments.gradients.sinks;
  for (std::int64_t head = 0; head < call.shape.num_heads; ++head) {
    const double sink = sink_of(options, head);
    double sum = 0;
    for (const Sequence& sequence : call.visibility.sequences()) {
      for (std::int64_t i = 0; i < sequence.q_len; ++i) {
        const double row_lse =
            read_number(lse.raw(), lse.dtype(),
                        row_offset(lse, sequence.batch, head, sequence.first_query + i));
        if (row_lse == -std::numeric_limits<double>::infinity()) continue;
        sum -= std::exp(sink - row_lse) * double{call.delta[call.row_index({sequence, head}, i)]};
      }
    }
    write_number(gradient.raw(), gradient.dtype(), head * gradient.stride(0), sum);
  }
}

}  // namespace limelight::simd
