#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/transformer.h"
#include "trace/matrix.h"
#include "trace/recipe.h"
#include "trace/wrong/wrong_attention.h"

namespace limelight {

/// One tensor of a run: its numbers, as the engine left them, and how they were made.
struct TraceTensor {
  std::string name;                       ///< "layer.2.head.1.scores"
  std::array<std::string, 2> axes;        ///< {"token", "key_token"}
  MatrixView values;                      ///< [rows, columns]
  Recipe recipe;                          ///< checked by the proof; operands precede the tensor
  std::vector<std::int64_t> rows;         ///< the tokens that its rows are; empty: all, in order
  std::shared_ptr<const Matrix> storage;  ///< what values lie in; null: the model's parameters

  /// The token of a row, and the row of a token (-1 when it is not kept).
  std::int64_t token_of(std::int64_t row) const;
  std::int64_t row_of(std::int64_t token) const;
};

/// What of a run is kept. What is not asked for is not stored; what attention looks at (the inputs,
/// keys and values of a chosen layer and head) is kept for every token.
struct TraceSelection {
  std::optional<std::vector<std::int64_t>> layers;  ///< none: all
  std::optional<std::vector<std::int64_t>> heads;   ///< of each of those layers; none: all
  std::optional<std::vector<std::int64_t>> tokens;  ///< rows; none: all
  /// A token whose stream is kept after every layer, those left out too: stream_path.
  std::optional<std::int64_t> path_of;
};

/// One run of a model over one text: named tensors in the order of the computation.
///
///   token_embedding, position_embedding, embedding                        [token, width]
///   layer.L.  stream_in, norm_1                                           [token, width]
///             context (heads joined), attention_out, stream_mid           [token, width]
///             norm_2, mlp_hidden, mlp_activated, mlp_out, stream_out
///             norm_1_gain, norm_1_bias, output_matrix, ...                parameters
///   layer.L.head.H.  query_matrix, query_bias, ... value_bias             parameters
///             query, key, value                                           [token, head_dim]
///             dots, scores, masked_scores, weights                        [token, key_token]
///             context                                                     [token, head_dim]
///             output_matrix [head_dim, width], write                      [token, width]
///   final_norm [token, width], output_embedding, logits                   [1, vocabulary]
///   stream_path, one token's: the embedding, then the stream after each layer  [depth, width]
///
/// The fused attention never stores scores or weights: dots are computed again from the recorded
/// queries and keys, weights are exp(score - lse) with the lse that the run itself had.
///
/// Parameters are views of the model, which must outlive the trace.
/// Invariant: a name is there once, after the operands of its recipe. References to tensors stay
/// valid while the Trace lives.
class Trace {
 public:
  std::vector<std::int32_t> ids;

  /// REQUIRES: no tensor of that name.
  const TraceTensor& add(TraceTensor tensor);
  /// The same for numbers of the trace's own.
  const TraceTensor& add(std::string name, std::array<std::string, 2> axes, Matrix values,
                         Recipe recipe, std::vector<std::int64_t> rows = {});
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// Null when there is no tensor of that name.
  const TraceTensor* find(std::string_view name) const;
  /// Throws Error when there is no tensor of that name.
  const TraceTensor& at(std::string_view name) const;
  const MatrixView& values(std::string_view name) const { return at(name).values; }
  /// The row of `token`. Throws Error when the tensor does not keep it.
  std::span<const float> row(std::string_view name, std::int64_t token) const;

  const std::deque<TraceTensor>& tensors() const { return tensors_; }

 private:
  std::deque<TraceTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> places_;
};

/// "layer.2.norm_1"
std::string layer_tensor(std::int64_t layer, std::string_view name);
/// "layer.2.head.1.query"
std::string head_tensor(std::int64_t layer, std::int64_t head, std::string_view name);

/// Runs the model over the ids with a recorder at each door.
/// With `wrong`, made from `model`, it is that one which runs: the tensors are what it left, the
/// recipes and parameters stay the right ones, so the proof shows where the run leaves them.
/// Throws Error when the ids do not fit the model or the selection names what it does not have.
Trace record_trace(const Transformer& model, std::span<const std::int32_t> ids,
                   const TraceSelection& selection = {}, const WrongModel* wrong = nullptr);

}  // namespace limelight
