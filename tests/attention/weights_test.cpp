// Weights on demand: every question, under every option, against a float64 matrix of weights that
// is built here pair by pair; and the promises that are kept to the bit. Runs once for each
// instruction set that the processor has.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limelight/attention_weights.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "attention/attention_case.h"
#include "attention/visibility.h"

namespace limelight::test {
namespace {

constexpr auto kBottom = CausalAlignment::bottom_right;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

AttentionRun run_of(const AttentionCase& inputs, const Tensor& lse) {
  return {inputs.query.view(), inputs.key.view(), lse.view(), inputs.options()};
}

/// All weights of a case in float64, by the definition.
class Oracle {
 public:
  Oracle(const AttentionCase& inputs, const Tensor& lse)
      : heads_(inputs.spec.batch * inputs.spec.num_heads),
        rows_(inputs.spec.q_len),
        columns_(inputs.spec.past_len + inputs.spec.new_len),
        weights_(static_cast<std::size_t>(heads_ * rows_ * columns_)) {
    const CaseSpec& spec = inputs.spec;
    const AttentionShape shape = {spec.batch,    spec.num_heads, spec.num_kv_heads, spec.q_len,
                                  spec.past_len, spec.new_len,   spec.head_dim,     spec.value_dim};
    const AttentionOptions options = inputs.options();
    const Visibility visibility(shape, options);
    for (const Sequence& s : visibility.sequences()) {
      for (std::int64_t h = 0; h < spec.num_heads; ++h) {
        for (std::int64_t i = 0; i < s.q_len; ++i) {
          for (std::int64_t j = 0; j < s.kv_len; ++j) {
            if (!visibility.visible(s, h, i, j)) continue;
            const std::int64_t head = s.batch * spec.num_heads + h;
            double score = product(inputs, s, head, s.first_query + i, h / shape.group(), j);
            if (spec.softcap) score = *spec.softcap * std::tanh(score / *spec.softcap);
            score += visibility.added(s, h, i, j);
            const double of_row = lse.get(head * rows_ + s.first_query + i);
            weights_[index(head, s.first_query + i, s.first_key + j)] =
                of_row == -kInfinity ? 0 : std::exp(score - of_row);
          }
        }
      }
    }
  }

  std::int64_t heads() const { return heads_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  double at(std::int64_t head, std::int64_t i, std::int64_t j) const {
    return weights_[index(head, i, j)];
  }

 private:
  std::size_t index(std::int64_t head, std::int64_t i, std::int64_t j) const {
    return static_cast<std::size_t>((head * rows_ + i) * columns_ + j);
  }

  static double product(const AttentionCase& inputs, const Sequence& s, std::int64_t head,
                        std::int64_t i, std::int64_t kv_head, std::int64_t j) {
    const CaseSpec& spec = inputs.spec;
    const bool is_past = j < spec.past_len;
    const Tensor& keys = is_past ? inputs.past_key : inputs.key;
    const std::int64_t length = is_past ? spec.past_len : spec.new_len;
    const std::int64_t at = is_past ? j : s.first_key + j - spec.past_len;
    const std::int64_t key = ((s.batch * spec.num_kv_heads + kv_head) * length + at);
    double sum = 0;
    for (std::int64_t d = 0; d < spec.head_dim; ++d) {
      sum += inputs.query.get((head * spec.q_len + i) * spec.head_dim + d) *
             keys.get(key * spec.head_dim + d);
    }
    return sum * spec.softmax_scale.value_or(1 / std::sqrt(double(spec.head_dim)));
  }

  std::int64_t heads_, rows_, columns_;
  std::vector<double> weights_;
};

/// option_specs(), their small extents and ones that cross blocks of queries and tiles of keys.
std::vector<CaseSpec> specs() {
  std::vector<CaseSpec> all = option_specs();
  for (CaseSpec spec : wide_specs()) {
    spec.name = "wide_" + spec.name;
    all.push_back(spec);
  }
  return all;
}

bool is_wide(const CaseSpec& spec) { return spec.name.starts_with("wide_"); }

struct Precision {
  DType input;
  DType result;
  double bound;  ///< of a weight, relative
};

constexpr Precision kPrecisions[] = {{DType::f64, DType::f64, 1e-13},
                                     {DType::f32, DType::f32, 1e-5},
                                     {DType::bf16, DType::f32, 1e-5},
                                     {DType::f16, DType::f32, 1e-5},
                                     {DType::bf16, DType::f64, 1e-13}};

/// A case, the lse that the operator wrote for it, and all weights.
struct Question {
  Question(const CaseSpec& spec, const Precision& precision)
      : inputs(spec, precision.input),
        lse(run_forward(inputs, precision.result == DType::f64 ? DType::f64 : precision.input).lse),
        run(run_of(inputs, lse)),
        oracle(inputs, lse) {}

  std::vector<std::int64_t> sizes(std::vector<std::int64_t> last) const {
    last.insert(last.begin(), {inputs.spec.batch, inputs.spec.num_heads});
    return last;
  }

  AttentionCase inputs;
  Tensor lse;
  AttentionRun run;
  Oracle oracle;
};

class WeightsTest : public testing::TestWithParam<CaseSpec> {
 protected:
  /// body(question, precision) for every type.
  template <class Body>
  void for_each_precision(const Body& body) {
    for (const Precision& precision : kPrecisions) {
      // Only the f32 kernels know tiles.
      if (is_wide(GetParam()) && precision.result == DType::f64) continue;
      SCOPED_TRACE(std::string(name_of(precision.input)) + " to " +
                   std::string(name_of(precision.result)));
      const Question question(GetParam(), precision);
      body(question, precision);
    }
  }
};

/// Every third place, backwards, and the first of them once more.
Tensor listed_places(std::int64_t length, DType dtype) {
  std::vector<std::int64_t> places;
  for (std::int64_t i = length - 1; i >= 0; i -= 3) places.push_back(i);
  if (!places.empty()) places.push_back(places.front());
  Tensor tensor(dtype, {std::ssize(places)});
  for (std::size_t i = 0; i < places.size(); ++i) tensor.set(std::int64_t(i), double(places[i]));
  return tensor;
}

std::vector<std::int64_t> places_of(const Selection& selection, std::int64_t length) {
  std::vector<std::int64_t> places;
  if (selection.listed.empty()) {
    const std::int64_t end = selection.end == Selection::kToTheEnd ? length : selection.end;
    for (std::int64_t i = selection.begin; i < end; ++i) places.push_back(i);
  } else {
    for (std::int64_t i = 0; i < selection.listed.size(0); ++i) {
      places.push_back(selection.listed.dtype() == DType::i32
                           ? selection.listed.data<std::int32_t>()[i]
                           : selection.listed.data<std::int64_t>()[i]);
    }
  }
  return places;
}

Tensor weights_of(const Question& question, const Selection& queries, const Selection& keys,
                  DType result) {
  Tensor out(result, question.sizes({std::ssize(places_of(queries, question.oracle.rows())),
                                     std::ssize(places_of(keys, question.oracle.columns()))}));
  out.fill(7);
  attention_weights(question.run, queries, keys, out.view());
  return out;
}

TEST_P(WeightsTest, RowsColumnsAndTilesAreThoseOfTheDefinition) {
  for_each_precision([&](const Question& question, const Precision& precision) {
    const Oracle& oracle = question.oracle;
    const Tensor rows = listed_places(oracle.rows(), DType::i64);
    const Tensor columns = listed_places(oracle.columns(), DType::i32);
    const Selection of_rows[] = {{}, {0, -1, rows.view()}, {oracle.rows() / 3, oracle.rows(), {}}};
    const Selection of_columns[] = {
        {}, {0, -1, columns.view()}, {oracle.columns() / 4, oracle.columns() - 1, {}}};
    for (const Selection& queries : of_rows) {
      for (const Selection& keys : of_columns) {
        const Tensor out = weights_of(question, queries, keys, precision.result);
        std::int64_t at = 0;
        for (std::int64_t head = 0; head < oracle.heads(); ++head) {
          for (const std::int64_t i : places_of(queries, oracle.rows())) {
            for (const std::int64_t j : places_of(keys, oracle.columns())) {
              const double expected = oracle.at(head, i, j);
              ASSERT_NEAR(out.get(at), expected, precision.bound * expected + 1e-37)
                  << "head " << head << " query " << i << " key " << j;
              ++at;
            }
          }
        }
      }
    }
  });
}

TEST_P(WeightsTest, ColumnSumsAreThoseOfTheDefinition) {
  for_each_precision([&](const Question& question, const Precision& precision) {
    const Oracle& oracle = question.oracle;
    Tensor out(precision.result, question.sizes({oracle.columns()}));
    attention_column_sums(question.run, out.view());
    for (std::int64_t head = 0; head < oracle.heads(); ++head) {
      for (std::int64_t j = 0; j < oracle.columns(); ++j) {
        double expected = 0;
        for (std::int64_t i = 0; i < oracle.rows(); ++i) expected += oracle.at(head, i, j);
        ASSERT_NEAR(out.get(head * oracle.columns() + j), expected,
                    2 * precision.bound * expected + 1e-37);
      }
    }
  });
}

TEST_P(WeightsTest, EntropyIsThatOfTheDefinition) {
  for_each_precision([&](const Question& question, const Precision& precision) {
    const Oracle& oracle = question.oracle;
    Tensor out(precision.result, question.sizes({oracle.rows()}));
    attention_entropy(question.run, out.view());
    for (std::int64_t head = 0; head < oracle.heads(); ++head) {
      for (std::int64_t i = 0; i < oracle.rows(); ++i) {
        double expected = 0;
        for (std::int64_t j = 0; j < oracle.columns(); ++j) {
          const double weight = oracle.at(head, i, j);
          if (weight > 0) expected -= weight * std::log(weight);
        }
        ASSERT_NEAR(out.get(head * oracle.rows() + i), expected,
                    precision.bound * (2 + std::log(double(oracle.columns()))));
      }
    }
  });
}

/// The list of a row in the order of its own weights, since rounding may exchange near ones.
TEST_P(WeightsTest, TheTopKAreTheLargestInOrder) {
  for_each_precision([&](const Question& question, const Precision& precision) {
    const Oracle& oracle = question.oracle;
    const Tensor all = weights_of(question, {}, {}, precision.result);
    for (const std::int64_t k : {0, 1, 3, 64}) {
      Tensor indices(k == 3 ? DType::i32 : DType::i64, question.sizes({oracle.rows(), k}));
      Tensor weights(precision.result, question.sizes({oracle.rows(), k}));
      top_attention_weights(question.run, indices.view(), weights.view());
      for (std::int64_t row = 0; row < oracle.heads() * oracle.rows(); ++row) {
        std::vector<std::int64_t> order;
        for (std::int64_t j = 0; j < oracle.columns(); ++j) {
          if (all.get(row * oracle.columns() + j) > 0) order.push_back(j);
        }
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
          return all.get(row * oracle.columns() + a) > all.get(row * oracle.columns() + b);
        });
        for (std::int64_t at = 0; at < k; ++at) {
          const bool is_there = at < std::ssize(order);
          const std::int64_t j = is_there ? order[static_cast<std::size_t>(at)] : -1;
          ASSERT_EQ(indices.get(row * k + at), j) << "row " << row << " rank " << at;
          ASSERT_EQ(weights.get(row * k + at), is_there ? all.get(row * oracle.columns() + j) : 0);
        }
      }
    }
  });
}

/// The part of [begin, end) that each unit interval has which meets it: {element, length}.
std::vector<std::pair<std::int64_t, double>> parts_of(double begin, double end) {
  std::vector<std::pair<std::int64_t, double>> parts;
  for (auto e = static_cast<std::int64_t>(begin); double(e) < end; ++e) {
    const double length = std::min(double(e) + 1, end) - std::max(double(e), begin);
    if (length > 1e-9) parts.emplace_back(e, length);  // the rest is rounding of the ends
  }
  return parts;
}

/// A rectangle in cells.
struct Picture {
  KeyRange rows, columns;
  std::int64_t height, width;

  double row_length() const { return double(rows.end - rows.begin) / double(height); }
  double column_length() const { return double(columns.end - columns.begin) / double(width); }
};

/// The mean over the cell's area, or the largest value in it.
double cell_of(const Oracle& oracle, std::int64_t head, const Picture& picture, std::int64_t r,
               std::int64_t c, Pooling pooling) {
  const double height = picture.row_length();
  const double width = picture.column_length();
  double sum = 0;
  double most = 0;
  for (const auto& [i, of_row] : parts_of(double(r) * height, double(r + 1) * height)) {
    for (const auto& [j, of_column] : parts_of(double(c) * width, double(c + 1) * width)) {
      const double weight = oracle.at(head, picture.rows.begin + i, picture.columns.begin + j);
      sum += of_row * of_column * weight;
      most = std::max(most, weight);
    }
  }
  return pooling == Pooling::mean ? sum / (height * width) : most;
}

TEST_P(WeightsTest, MapsShowMeansAndMaximaOfTheirCells) {
  for_each_precision([&](const Question& question, const Precision& precision) {
    const Oracle& oracle = question.oracle;
    const KeyRange all_rows = {0, oracle.rows()};
    const KeyRange all_columns = {0, oracle.columns()};
    const KeyRange some_rows = {oracle.rows() / 3, oracle.rows()};
    const KeyRange some_columns = {oracle.columns() / 5, oracle.columns() - oracle.columns() / 7};
    const Picture pictures[] = {{all_rows, all_columns, 1, 1},
                                {all_rows, all_columns, 3, 4},
                                {some_rows, some_columns, 2, 3},
                                {some_rows, all_columns, oracle.rows() + 2, 2},
                                {all_rows, some_columns, 2, oracle.columns() + 3}};
    for (const Picture& picture : pictures) {
      const auto& [rows, columns, height, width] = picture;
      for (const Pooling pooling : {Pooling::mean, Pooling::max}) {
        Tensor out(precision.result, question.sizes({height, width}));
        attention_map(question.run, {rows.begin, rows.end, {}}, {columns.begin, columns.end, {}},
                      pooling, out.view());
        for (std::int64_t at = 0; at < out.elements(); ++at) {
          const std::int64_t head = at / (height * width);
          const double expected =
              cell_of(oracle, head, picture, at / width % height, at % width, pooling);
          // 1e-11: the ends of cells are rounded here, and only here.
          ASSERT_NEAR(out.get(at), expected, (2 * precision.bound + 1e-11) * expected + 1e-37)
              << "cell " << at << " of " << height << " x " << width;
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Options, WeightsTest, testing::ValuesIn(specs()), name_of_case);

/// All answers about one case, for comparing bits.
std::vector<Tensor> all_answers(const AttentionRun& run, DType result) {
  const std::int64_t batch = run.query.size(0);
  const std::int64_t heads = run.query.size(1);
  const std::int64_t rows = run.query.size(2);
  const std::int64_t columns =
      run.key.size(2) + (run.options.past_key.empty() ? 0 : run.options.past_key.size(2));
  std::vector<Tensor> answers = {
      Tensor(result, {batch, heads, rows, columns}), Tensor(DType::i64, {batch, heads, rows, 5}),
      Tensor(result, {batch, heads, rows, 5}),       Tensor(result, {batch, heads, columns}),
      Tensor(result, {batch, heads, rows}),          Tensor(result, {batch, heads, 7, 9}),
      Tensor(result, {batch, heads, 3, 5})};
  attention_weights(run, {}, {}, answers[0].view());
  top_attention_weights(run, answers[1].view(), answers[2].view());
  attention_column_sums(run, answers[3].view());
  attention_entropy(run, answers[4].view());
  attention_map(run, {}, {}, Pooling::mean, answers[5].view());
  attention_map(run, {}, {}, Pooling::max, answers[6].view());
  return answers;
}

CaseSpec long_causal() {
  return {.name = "long",
          .num_heads = 4,
          .q_len = 531,
          .new_len = 701,
          .head_dim = 24,
          .causal = kBottom,
          .sinks = true};
}

TEST(WeightsBits, AnyNumberOfThreadsGivesTheSame) {
  const int most = omp_get_max_threads();
  for (const DType result : {DType::f32, DType::f64}) {
    const AttentionCase inputs(long_causal(), DType::f32);
    const Tensor lse = run_forward(inputs, result).lse;
    omp_set_num_threads(1);
    const std::vector<Tensor> expected = all_answers(run_of(inputs, lse), result);
    for (const int threads : {2, 3, 7}) {
      omp_set_num_threads(threads);
      const std::vector<Tensor> found = all_answers(run_of(inputs, lse), result);
      for (std::size_t a = 0; a < expected.size(); ++a) {
        EXPECT_EQ(found[a].bytes(), expected[a].bytes()) << "answer " << a;
      }
    }
    omp_set_num_threads(most);
  }
}

/// A weight is the same bits alone as in the whole matrix, wherever it stands in what is asked.
TEST(WeightsBits, AWeightDoesNotDependOnWhatElseIsAsked) {
  const Question question(long_causal(), kPrecisions[1]);
  const Tensor all = weights_of(question, {}, {}, DType::f32);
  const std::int64_t columns = question.oracle.columns();
  for (const std::int64_t i : {0, 100, 530}) {
    for (const std::int64_t j : {0, 77, 250, 700}) {
      const Tensor one = weights_of(question, {i, i + 1, {}}, {j, j + 1, {}}, DType::f32);
      for (std::int64_t head = 0; head < one.elements(); ++head) {
        EXPECT_EQ(one.get(head), all.get((head * question.oracle.rows() + i) * columns + j));
      }
    }
  }
}

TEST(WeightsBits, ABatchItemAloneAndKeysAsPastGiveTheSame) {
  const AttentionCase inputs(long_causal(), DType::f32);
  const Tensor lse = run_forward(inputs, DType::f32).lse;
  const std::vector<Tensor> expected = all_answers(run_of(inputs, lse), DType::f32);

  AttentionCase alone = inputs;
  for (Tensor* tensor : {&alone.query, &alone.key}) *tensor = slice(*tensor, 0, 1, 1);
  const Tensor lse_alone = slice(lse, 0, 1, 1);
  const std::vector<Tensor> found = all_answers(run_of(alone, lse_alone), DType::f32);
  for (std::size_t a = 0; a < expected.size(); ++a) {
    EXPECT_EQ(found[a].bytes(), slice(expected[a], 0, 1, 1).bytes()) << "answer " << a;
  }

  AttentionCase split = inputs;
  split.past_key = slice(inputs.key, 2, 0, 200);
  split.past_value = slice(inputs.value, 2, 0, 200);
  split.key = slice(inputs.key, 2, 200, 501);
  const std::vector<Tensor> of_split = all_answers(run_of(split, lse), DType::f32);
  for (std::size_t a = 0; a < expected.size(); ++a) {
    EXPECT_EQ(of_split[a].bytes(), expected[a].bytes()) << "answer " << a;
  }
}

TEST(WeightsSums, RowsAndTheirSinksSumToOne) {
  const AttentionCase inputs(long_causal(), DType::f32);
  const ForwardResult forward = run_forward(inputs, DType::f32);
  const Tensor weights = all_answers(run_of(inputs, forward.lse), DType::f32)[0];
  const std::int64_t columns = inputs.spec.new_len;
  for (std::int64_t row = 0; row < forward.lse.elements(); ++row) {
    const std::int64_t head = row / inputs.spec.q_len % inputs.spec.num_heads;
    double sum = std::exp(inputs.sinks.get(head) - forward.lse.get(row));
    for (std::int64_t j = 0; j < columns; ++j) sum += weights.get(row * columns + j);
    ASSERT_NEAR(sum, 1, 4e-6);
  }
}

// Whatever comes after it in its cells, a NaN stays.
TEST(WeightsMaps, KeepTheNanOfAQuery) {
  AttentionCase inputs(long_causal(), DType::f32);
  const std::int64_t rows = inputs.spec.q_len;
  for (std::int64_t i = 0; i < inputs.query.elements(); i += rows * inputs.spec.head_dim) {
    inputs.query.set(i, std::nan(""));  // the first of a head
  }
  const Tensor lse = run_forward(inputs, DType::f32).lse;
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Pooling pooling : {Pooling::mean, Pooling::max}) {
      Tensor out(dtype, {inputs.spec.batch, inputs.spec.num_heads, 2, 1});
      attention_map(run_of(inputs, lse), {}, {}, pooling, out.view());
      for (std::int64_t at = 0; at < out.elements(); ++at) {
        EXPECT_EQ(std::isnan(out.get(at)), at % 2 == 0) << "cell " << at;
      }
    }
  }
}

// A query of 1, keys that are the scores and an lse of 0: the weights are exponentials.
TEST(WeightsExponential, StaysWithinItsStatedError) {
  constexpr std::int64_t kKeys = 100000;
  const double smallest = std::log(double{std::numeric_limits<float>::min()});
  Tensor query(DType::f32, {1, 1, 1, 1}), key(DType::f32, {1, 1, kKeys, 1}),
      lse(DType::f32, {1, 1, 1});
  Tensor weights(DType::f32, {1, 1, 1, kKeys});
  query.set(0, 1);
  for (std::int64_t j = 1; j < kKeys; ++j) {
    key.set(j, smallest + (87.99 - smallest) * double(j) / double{kKeys - 1});
  }
  AttentionOptions options;
  options.softmax_scale = 1;
  attention_weights({query.view(), key.view(), lse.view(), options}, {}, {}, weights.view());
  EXPECT_EQ(weights.get(0), 1) << "exp(0)";
  for (std::int64_t j = 1; j < kKeys; ++j) {
    const double exact = std::exp(key.get(j));
    const double last_place = std::ldexp(1, std::ilogb(exact) - 23);
    ASSERT_NEAR(weights.get(j), exact, 1.2 * last_place) << key.get(j);
  }
}

/// A NaN in key 2 of head 0: what sees it shows it, and nothing else changes by a bit.
TEST_P(WeightsTest, NanShowsWhereItIsSeenAndNowhereElse) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    AttentionCase inputs(GetParam(), dtype);
    if (inputs.spec.new_len < 3) GTEST_SKIP() << "needs three keys";
    const Tensor clean_lse = run_forward(inputs, dtype).lse;
    const std::vector<Tensor> clean = all_answers(run_of(inputs, clean_lse), dtype);
    for (std::int64_t d = 0; d < inputs.spec.head_dim; ++d) {
      inputs.key.set(2 * inputs.spec.head_dim + d, std::nan(""));
    }
    const Tensor lse = run_forward(inputs, dtype).lse;
    const std::vector<Tensor> found = all_answers(run_of(inputs, lse), dtype);
    const std::int64_t columns = inputs.spec.past_len + inputs.spec.new_len;
    const Oracle oracle(inputs, lse);
    for (std::int64_t row = 0; row < lse.elements(); ++row) {
      const std::int64_t head = row / oracle.rows();
      const bool sees = std::isnan(lse.get(row));
      EXPECT_EQ(std::isnan(found[4].get(row)), sees) << "entropy of row " << row;
      if (!sees) {
        EXPECT_EQ(found[4].get(row), clean[4].get(row)) << "entropy of row " << row;
      }
      EXPECT_EQ(std::isnan(found[2].get(row * 5)), sees) << "top of row " << row;
      for (std::int64_t j = 0; j < columns; ++j) {
        const double weight = found[0].get(row * columns + j);
        const double expected = oracle.at(head, row % oracle.rows(), j);
        EXPECT_EQ(std::isnan(weight), std::isnan(expected)) << "row " << row << " key " << j;
        if (!sees) {
          EXPECT_EQ(weight, clean[0].get(row * columns + j));
        }
      }
    }
    for (std::int64_t at = 0; at < found[3].elements(); ++at) {
      bool sees = false;
      for (std::int64_t i = 0; i < oracle.rows(); ++i) {
        sees = sees || std::isnan(oracle.at(at / columns, i, at % columns));
      }
      EXPECT_EQ(std::isnan(found[3].get(at)), sees) << "sum of column " << at;
    }
  }
}

TEST(WeightsErrors, NameTheArgument) {
  const CaseSpec spec;
  const AttentionCase inputs(spec, DType::f32);
  const Tensor lse = run_forward(inputs, DType::f32).lse;
  const AttentionRun run = run_of(inputs, lse);
  Tensor out(DType::f32, {2, 2, 5, 7});
  Tensor indices(DType::i64, {2, 2, 5, 3});
  Tensor top(DType::f32, {2, 2, 5, 3});
  Tensor wrong_list(DType::i64, {2});
  wrong_list.set(1, 7);
  const auto message_of = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto weights_with = [&](const AttentionRun& of, Selection queries, Selection keys) {
    return message_of([&] { attention_weights(of, queries, keys, out.view()); });
  };
  EXPECT_EQ(weights_with(run, {}, {}), "");
  EXPECT_EQ(weights_with(run, {3, 6, {}}, {}),
            "rows: expected a range within 0 to q_len = 5, got 3 to 6");
  EXPECT_EQ(weights_with(run, {}, {0, -1, wrong_list.view()}),
            "columns: expected 0 to less than kv_len = 7, got 7 at index 1");
  EXPECT_EQ(weights_with(run, {}, {0, 6, {}}),
            "out: expected [batch, num_heads, rows, columns] = [2, 2, 5, 6], got [2, 2, 5, 7]");
  AttentionRun without_lse = run;
  without_lse.lse = {};
  EXPECT_THAT(weights_with(without_lse, {}, {}), testing::StartsWith("lse: expected 3 axes"));
  AttentionRun other_key = run;
  other_key.key = ConstTensorView::of(top.view().data<float>(), {2, 2, 5, 3});
  EXPECT_THAT(weights_with(other_key, {}, {}), testing::StartsWith("key: expected"));
  EXPECT_EQ(message_of([&] {
              attention_weights(run, {}, {},
                                TensorView(out.view().raw(), DType::f16, out.view().sizes()));
            }),
            "out: expected elements of type f32 or f64, got f16");
  AttentionRun overlapping = run;
  overlapping.lse = ConstTensorView::of(out.view().data<float>(), {2, 2, 5});
  EXPECT_EQ(weights_with(overlapping, {}, {}),
            "out: is written, so expected memory of its own, got memory that overlaps lse");
  EXPECT_EQ(message_of([&] { top_attention_weights(run, top.view(), top.view()); }),
            "indices: expected elements of type i32 or i64, got f32");
  EXPECT_EQ(message_of([&] {
              attention_map(run, {2, 2, {}}, {}, Pooling::mean, out.view());
            }),
            "rows: expected at least one for a map, got 2 to 2");
  EXPECT_EQ(message_of([&] {
              attention_map(run, {}, {0, -1, wrong_list.view()}, Pooling::mean, out.view());
            }),
            "columns: expected a range, got a list");
}

}  // namespace
}  // namespace limelight::test
