#include "attention/visibility.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "attention/element.h"

namespace limelight {
namespace {

/// More keys than there can be, and half of what would overflow when added to a place.
constexpr std::int64_t kEverything = std::numeric_limits<std::int64_t>::max() / 4;

std::optional<CausalAlignment> alignment_of(const AttentionOptions& options) {
  if (options.causal) return options.causal;
  if (options.window) return options.window->alignment;
  if (options.alibi) return options.alibi->alignment;
  return std::nullopt;
}

std::int64_t window_side(std::int64_t keys) {
  return keys == SlidingWindow::kUnlimited ? kEverything : std::min(keys, kEverything);
}

/// A view of fewer axes as one of four, its own standing at the places given.
BroadcastView with_axes_at(ConstTensorView view, std::initializer_list<int> places) {
  BroadcastView result;
  if (view.empty()) return result;
  result.data = view.raw();
  result.dtype = view.dtype();
  int axis = view.rank() - static_cast<int>(places.size());
  for (const int place : places) {
    if (axis >= 0 && view.size(axis) > 1) {
      result.strides[static_cast<std::size_t>(place)] = view.stride(axis);
    }
    ++axis;
  }
  return result;
}

std::int64_t element_of(ConstTensorView integers, std::int64_t i) {
  return read_integer(integers.raw(), integers.dtype(), i * integers.stride(0));
}

std::vector<Sequence> list_sequences(const AttentionShape& shape, const AttentionOptions& options) {
  std::vector<Sequence> sequences;
  const bool ragged = !options.cu_seqlens_query.empty();
  const std::int64_t count = ragged ? options.cu_seqlens_query.size(0) - 1 : shape.batch;
  const std::optional<CausalAlignment> alignment = alignment_of(options);
  for (std::int64_t i = 0; i < count; ++i) {
    Sequence sequence;
    sequence.index = i;
    if (ragged) {
      sequence.first_query = element_of(options.cu_seqlens_query, i);
      sequence.q_len = element_of(options.cu_seqlens_query, i + 1) - sequence.first_query;
      sequence.first_key = element_of(options.cu_seqlens_key, i);
      sequence.kv_len = element_of(options.cu_seqlens_key, i + 1) - sequence.first_key;
    } else {
      sequence.batch = i;
      sequence.q_len = shape.q_len;
      sequence.kv_len =
          options.key_lengths.empty() ? shape.kv_len() : element_of(options.key_lengths, i);
    }
    if (alignment == CausalAlignment::top_left) sequence.first_place = shape.past_len;
    if (alignment == CausalAlignment::bottom_right) {
      sequence.first_place = sequence.kv_len - sequence.q_len;
    }
    sequences.push_back(sequence);
  }
  return sequences;
}

}  // namespace

BroadcastView::BroadcastView(ConstTensorView view)
    : BroadcastView(with_axes_at(view, {0, 1, 2, 3})) {}

Visibility::Visibility(const AttentionShape& shape, const AttentionOptions& options)
    : num_heads_(shape.num_heads),
      sequences_(list_sequences(shape, options)),
      left_(options.window ? window_side(options.window->left) : kEverything),
      right_(options.window ? window_side(options.window->right) : kEverything),
      mask_(options.mask),
      bias_(options.bias),
      query_documents_(with_axes_at(options.query_documents, {0, 2})),
      key_documents_(with_axes_at(options.key_documents, {0, 3})) {
  if (options.causal) right_ = 0;
  if (options.alibi) alibi_slopes_ = with_axes_at(options.alibi->slopes, {0, 1});
  if (options.dropout && options.dropout->probability > 0) dropout_.emplace(*options.dropout);
}

KeyRange Visibility::range(const Sequence& sequence, std::int64_t query) const {
  const std::int64_t place = query + sequence.first_place;
  return {std::max<std::int64_t>(place - left_, 0), std::min(place + right_ + 1, sequence.kv_len)};
}

bool Visibility::looked_up_visible(const Sequence& sequence, std::int64_t head, std::int64_t query,
                                   std::int64_t key) const {
  const std::int64_t q = query + sequence.first_query;
  const std::int64_t k = key + sequence.first_key;
  if (mask_.given()) {
    const auto* flags = static_cast<const std::uint8_t*>(mask_.data);
    if (flags[mask_.offset(sequence.batch, head, q, k)] == 0) return false;
  }
  if (bias_.given()) {
    const double bias =
        read_number(bias_.data, bias_.dtype, bias_.offset(sequence.batch, head, q, k));
    if (bias == -std::numeric_limits<double>::infinity()) return false;
  }
  if (query_documents_.given()) {
    const auto document_at = [&](const BroadcastView& documents) {
      return read_integer(documents.data, documents.dtype,
                          documents.offset(sequence.batch, head, q, k));
    };
    if (document_at(query_documents_) != document_at(key_documents_)) return false;
  }
  return true;
}

bool Visibility::visible(const Sequence& sequence, std::int64_t head, std::int64_t query,
                         std::int64_t key) const {
  return range(sequence, query).contains(key) && looked_up_visible(sequence, head, query, key);
}

double Visibility::added(const Sequence& sequence, std::int64_t head, std::int64_t query,
                         std::int64_t key) const {
  double sum = 0;
  if (bias_.given()) {
    sum += read_number(
        bias_.data, bias_.dtype,
        bias_.offset(sequence.batch, head, query + sequence.first_query, key + sequence.first_key));
  }
  if (alibi_slopes_.given()) {
    const double slope = read_number(alibi_slopes_.data, alibi_slopes_.dtype,
                                     alibi_slopes_.offset(sequence.batch, head, 0, 0));
    sum -= slope * static_cast<double>(std::abs(query + sequence.first_place - key));
  }
  return sum;
}

namespace {

template <class T>
void add_elements(const void* data, std::int64_t first, std::int64_t stride, std::int64_t count,
                  float* row) {
  const T* from = static_cast<const T*>(data) + first;
  for (std::int64_t j = 0; j < count; ++j) row[j] += static_cast<float>(from[j * stride]);
}

void add_elements(const BroadcastView& view, std::int64_t first, std::int64_t count, float* row) {
  const std::int64_t stride = view.strides[3];
  switch (view.dtype) {
    case DType::f64:
      return add_elements<double>(view.data, first, stride, count, row);
    case DType::bf16:
      return add_elements<bfloat16>(view.data, first, stride, count, row);
    case DType::f16:
      return add_elements<float16>(view.data, first, stride, count, row);
    default:
      return add_elements<float>(view.data, first, stride, count, row);
  }
}

}  // namespace

bool Visibility::fill_additions(const Sequence& sequence, std::int64_t head, std::int64_t query,
                                KeyRange keys, float* row) const {
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  const std::int64_t count = keys.end - keys.begin;
  const std::int64_t q = query + sequence.first_query;
  const std::int64_t k = keys.begin + sequence.first_key;
  std::fill_n(row, count, 0.0f);
  if (bias_.given()) add_elements(bias_, bias_.offset(sequence.batch, head, q, k), count, row);
  if (alibi_slopes_.given()) {
    const auto slope = static_cast<float>(read_number(
        alibi_slopes_.data, alibi_slopes_.dtype, alibi_slopes_.offset(sequence.batch, head, 0, 0)));
    const std::int64_t place = query + sequence.first_place;
    for (std::int64_t j = 0; j < count; ++j) {
      row[j] -= slope * static_cast<float>(std::abs(place - (keys.begin + j)));
    }
  }
  if (mask_.given()) {
    const std::uint8_t* flags =
        static_cast<const std::uint8_t*>(mask_.data) + mask_.offset(sequence.batch, head, q, k);
    for (std::int64_t j = 0; j < count; ++j) {
      row[j] = flags[j * mask_.strides[3]] == 0 ? kHidden : row[j];
    }
  }
  if (query_documents_.given()) {
    const std::int64_t document = read_integer(query_documents_.data, query_documents_.dtype,
                                               query_documents_.offset(sequence.batch, head, q, k));
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t at = key_documents_.offset(sequence.batch, head, q, k + j);
      if (read_integer(key_documents_.data, key_documents_.dtype, at) != document) row[j] = kHidden;
    }
  }
  return std::any_of(row, row + count, [](float added) { return added != kHidden; });
}

double Visibility::dropout_factor(const Sequence& sequence, std::int64_t head, std::int64_t query,
                                  std::int64_t key) const {
  return dropout_ ? dropout_->factor(dropout_row(sequence, head), query, key) : 1;
}

TileCover Visibility::cover_of_ranges(const Sequence& sequence, std::int64_t query_begin,
                                      std::int64_t query_end, KeyRange keys) const {
  const KeyRange first = range(sequence, query_begin);
  const KeyRange last = range(sequence, query_end - 1);
  const KeyRange seen_by_some = {first.begin, last.end};
  const KeyRange seen_by_all = {last.begin, first.end};
  if (seen_by_all.contains(keys)) return TileCover::full;
  if (std::max(seen_by_some.begin, keys.begin) >= std::min(seen_by_some.end, keys.end)) {
    return TileCover::empty;
  }
  return TileCover::partial;
}

TileCover Visibility::cover(const Sequence& sequence, std::int64_t head, std::int64_t query_begin,
                            std::int64_t query_end, KeyRange keys) const {
  if (keys.empty() || query_begin >= query_end) return TileCover::empty;
  const TileCover of_ranges = cover_of_ranges(sequence, query_begin, query_end, keys);
  if (of_ranges == TileCover::empty || !looks_up_keys()) return of_ranges;
  // A look costs far less than a score, so looking at all of a tile pays where it can be skipped.
  bool all = of_ranges == TileCover::full;
  bool any = false;
  for (std::int64_t query = query_begin; query < query_end; ++query) {
    for (std::int64_t key = keys.begin; key < keys.end; ++key) {
      const bool seen = visible(sequence, head, query, key);
      any = any || seen;
      all = all && seen;
      if (any && !all) return TileCover::partial;
    }
  }
  return any ? TileCover::full : TileCover::empty;
}

double sink_of(const AttentionOptions& options, std::int64_t head) {
  const ConstTensorView& sinks = options.sinks;
  return sinks.empty() ? -std::numeric_limits<double>::infinity()
                       : read_number(sinks.raw(), sinks.dtype(), head * sinks.stride(0));
}

}  // namespace limelight
