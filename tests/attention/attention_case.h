#pragma once

#include <gtest/gtest.h>
#include <limelight/attention.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace limelight::test {

/// Owned elements of any type, contiguous.
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, std::vector<std::int64_t> sizes);

  bool empty() const { return sizes_.empty(); }
  DType dtype() const { return dtype_; }
  const std::vector<std::int64_t>& sizes() const { return sizes_; }
  std::int64_t elements() const;
  TensorView view();
  ConstTensorView view() const;

  double get(std::int64_t i) const;
  void set(std::int64_t i, double value);
  std::vector<double> values() const;
  const std::vector<std::byte>& bytes() const { return bytes_; }
  void fill(double value);
  /// Normal numbers of this standard deviation, rounded to the type.
  void fill_normal(std::mt19937& random, double deviation = 1);

 private:
  DType dtype_ = DType::f32;
  std::vector<std::int64_t> sizes_;
  std::vector<std::byte> bytes_;
};

/// What a test asks for, as data: extents, and which options are used.
struct CaseSpec {
  std::string name;
  std::int64_t batch = 2, num_heads = 2, num_kv_heads = 2;
  std::int64_t q_len = 5, new_len = 7, past_len = 0;
  std::int64_t head_dim = 4, value_dim = 4;
  std::optional<double> softmax_scale;
  std::optional<CausalAlignment> causal;
  std::optional<SlidingWindow> window;
  std::vector<std::int64_t> key_lengths;
  std::vector<std::int64_t> cu_seqlens_query, cu_seqlens_key;
  std::vector<std::int64_t> mask_sizes;  ///< random, about two in three visible
  std::vector<std::int64_t> bias_sizes;  ///< normal, now and then -infinity
  std::optional<CausalAlignment> alibi;
  bool documents = false;
  std::optional<double> softcap;
  bool sinks = false;
  std::optional<Dropout> dropout;
  double deviation = 1;  ///< of query, key and value
};

/// A plain case of one head.
CaseSpec one_head(std::int64_t q_len, std::int64_t kv_len, std::int64_t dim);

/// What a failing test prints of its case.
inline void PrintTo(const CaseSpec& spec, std::ostream* out) { *out << spec.name; }

/// One call of the operator: its inputs, made from a spec and a seed.
struct AttentionCase {
  AttentionCase(const CaseSpec& spec, DType dtype, unsigned seed = 1);

  /// Views of the members below: valid while this lives where it is.
  AttentionOptions options() const;

  CaseSpec spec;
  Tensor query, key, value, past_key, past_value;
  Tensor key_lengths, cu_seqlens_query, cu_seqlens_key;
  Tensor mask, bias, slopes, query_documents, key_documents, sinks;
  Tensor grad_out;
};

struct ForwardResult {
  Tensor out, lse;
};

struct BackwardResult {
  Tensor query, key, value, past_key, past_value, bias, sinks;

  /// The gradients that there are, named.
  std::vector<std::pair<std::string, const Tensor*>> named() const;
};

/// With out and lse (and gradients) of type `result`; f64 makes the operator compute in f64.
ForwardResult run_forward(const AttentionCase& inputs, DType result);
BackwardResult run_backward(const AttentionCase& inputs, const ForwardResult& forward,
                            DType result);

/// Every option alone and in company, small enough to differentiate numerically.
std::vector<CaseSpec> option_specs();

/// option_specs() with extents that cross tiles of queries and keys, and their strides with them.
std::vector<CaseSpec> wide_specs();

/// How a parameterised test names its instances.
inline std::string name_of_case(const testing::TestParamInfo<CaseSpec>& instance) {
  return instance.param.name;
}

/// Elements [begin, begin + count) of an axis of a contiguous tensor, as a tensor of its own.
Tensor slice(const Tensor& tensor, std::size_t axis, std::int64_t begin, std::int64_t count);

/// |a - b| at its largest; infinity where one is NaN and the other is not.
double largest_difference(const Tensor& a, const Tensor& b);
double largest_magnitude(const Tensor& a);

}  // namespace limelight::test
