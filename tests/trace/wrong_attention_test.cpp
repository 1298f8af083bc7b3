#include "trace/wrong/wrong_attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "model/tiny_model.h"
#include "trace/proof.h"

namespace limelight {
namespace {

using Rows = std::vector<std::vector<double>>;

constexpr std::int64_t kLength = 7;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class EveryBug : public testing::TestWithParam<Bug> {};

INSTANTIATE_TEST_SUITE_P(All, EveryBug, testing::ValuesIn([] {
                           std::vector<Bug> bugs;
                           for (const KnownBug& known : known_bugs()) bugs.push_back(known.bug);
                           return bugs;
                         }()),
                         [](const auto& bug) { return std::string(known_bug(bug.param).name); });

/// What the run left: qkv and context of every layer, the embedding, and what entered a layer.
class Keeper : public Recorder {
 public:
  void record(Door door, std::int64_t layer, const float* values, std::int64_t rows,
              std::int64_t width) override {
    Matrix kept(rows, width);
    std::copy_n(values, kept.values.size(), kept.values.begin());
    seen[{door, layer}] = std::move(kept);
  }
  std::map<std::pair<Door, std::int64_t>, Matrix> seen;
};

Keeper run(const Transformer& model, std::span<const std::int32_t> ids) {
  Keeper keeper;
  Activations activations(model.config(), 1, std::ssize(ids), false);
  model.forward(ids, activations, &keeper);
  return keeper;
}

/// One head in float64, written out from the definition of the mistake, cell by cell.
struct PlainHead {
  Rows query, key, value, scores, weights, context;
};

/// NumPy's x.reshape(heads, length, head_dim)[head] of the columns [first, first + width) of qkv,
/// or the right cut.
Rows cut(Bug bug, const Matrix& qkv, std::int64_t first, const TransformerConfig& config,
         std::int64_t head) {
  std::vector<double> flat;
  for (std::int64_t t = 0; t < qkv.rows; ++t) {
    for (std::int64_t c = 0; c < config.width; ++c) flat.push_back(qkv.at(t, first + c));
  }
  const std::int64_t dim = config.head_dim();
  Rows out;
  for (std::int64_t t = 0; t < qkv.rows; ++t) {
    const std::int64_t begin =
        bug == Bug::heads_wrong_axis ? (head * qkv.rows + t) * dim : t * config.width + head * dim;
    out.emplace_back(flat.begin() + begin, flat.begin() + begin + dim);
  }
  return out;
}

PlainHead plain_head(Bug bug, const Matrix& qkv, const TransformerConfig& config,
                     std::int64_t head) {
  PlainHead plain;
  plain.query = cut(bug, qkv, 0, config, head);
  plain.key = cut(bug, qkv, config.width, config, head);
  plain.value = cut(bug, qkv, 2 * config.width, config, head);
  const std::size_t n = plain.query.size();
  double divisor = std::sqrt(static_cast<double>(config.head_dim()));
  if (bug == Bug::scale_by_width) divisor = std::sqrt(static_cast<double>(config.width));
  if (bug == Bug::no_scale) divisor = 1;
  plain.scores = Rows(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t d = 0; d < plain.query[i].size(); ++d) {
        plain.scores[i][j] += plain.query[i][d] * plain.key[j][d] / divisor;
      }
    }
  }
  const bool after = bug == Bug::mask_after_softmax || bug == Bug::mask_after_softmax_renormalised;
  const auto exponential = [&](std::size_t i, std::size_t j) {
    if (after || j <= i) return std::exp(plain.scores[i][j]);
    return bug == Bug::finite_mask ? std::exp(-10.0) : 0.0;
  };
  plain.weights = Rows(n, std::vector<double>(n));
  plain.context = Rows(n, std::vector<double>(plain.value[0].size()));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double row = 0;
      double column = 0;
      double visible = 0;
      for (std::size_t k = 0; k < n; ++k) {
        row += exponential(i, k);
        column += exponential(k, j);
        if (k <= i) visible += exponential(i, k);
      }
      double weight = exponential(i, j) / row;
      if (bug == Bug::softmax_over_queries) weight = exponential(i, j) / column;
      if (after && j > i) weight = 0;
      if (bug == Bug::mask_after_softmax_renormalised) weight *= row / visible;
      plain.weights[i][j] = weight;
      for (std::size_t d = 0; d < plain.value[j].size(); ++d) {
        plain.context[i][d] += weight * plain.value[j][d];
      }
    }
  }
  return plain;
}

void expect_near(const Rows& expected, const Matrix& found, std::int64_t first, const char* what) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    for (std::size_t j = 0; j < expected[i].size(); ++j) {
      const double x = found.at(static_cast<std::int64_t>(i), first + static_cast<std::int64_t>(j));
      ASSERT_NEAR(x, expected[i][j], 1e-5) << what << " " << i << " " << j;
    }
  }
}

TEST_P(EveryBug, IsThatMistakeInFloat64) {
  const Transformer model = test::tiny_model();
  const Matrix qkv = run(model, test::tiny_ids(kLength)).seen[{Door::qkv, 0}];
  for (std::int64_t head = 0; head < model.config().num_heads; ++head) {
    const PlainHead plain = plain_head(GetParam(), qkv, model.config(), head);
    const WrongHead found =
        attend_wrongly(GetParam(), model.config(), qkv.values.data(), qkv.rows, head);
    expect_near(plain.query, found.query, 0, "query");
    expect_near(plain.key, found.key, 0, "key");
    expect_near(plain.value, found.value, 0, "value");
    expect_near(plain.scores, found.scores, 0, "scores");
    expect_near(plain.weights, found.weights, 0, "weights");
    expect_near(plain.context, found.context, 0, "context");
  }
}

TEST_P(EveryBug, IsMadeInEveryLayerAndHead) {
  const Bug bug = GetParam();
  const Transformer wrong = make_wrong(test::tiny_model(), bug).transformer;
  Keeper keeper = run(wrong, test::tiny_ids(kLength));
  const std::int64_t dim = wrong.config().head_dim();
  for (std::int64_t layer = 0; layer < wrong.config().num_layers; ++layer) {
    for (std::int64_t head = 0; head < wrong.config().num_heads; ++head) {
      const PlainHead plain =
          plain_head(bug, keeper.seen[{Door::qkv, layer}], wrong.config(), head);
      expect_near(plain.context, keeper.seen[{Door::context, layer}], head * dim, "context");
    }
  }
}

TEST_P(EveryBug, ChangesTheRunUnlessItIsTheHarmlessOne) {
  const Transformer model = test::tiny_model();
  const auto ids = test::tiny_ids(kLength);
  const Matrix right = run(model, ids).seen[{Door::ln_f, 0}];
  const Matrix wrong = run(make_wrong(model, GetParam()).transformer, ids).seen[{Door::ln_f, 0}];
  double largest = 0;
  for (std::size_t i = 0; i < right.values.size(); ++i) {
    largest = std::max<double>(largest, std::fabs(right.values[i] - wrong.values[i]));
  }
  if (GetParam() == Bug::mask_after_softmax_renormalised) {
    EXPECT_LT(largest, 5e-6);
  } else {
    EXPECT_GT(largest, 5e-5);
  }
}

TEST_P(EveryBug, TakesABatchAsItTakesEachText) {
  const Transformer wrong = make_wrong(test::tiny_model(), GetParam()).transformer;
  std::vector<std::int32_t> both = test::tiny_ids(kLength, 1);
  const auto second = test::tiny_ids(kLength, 2);
  both.insert(both.end(), second.begin(), second.end());
  Activations activations(wrong.config(), 2, kLength, false);
  Keeper together;
  wrong.forward(both, activations, &together);
  const Matrix alone = run(wrong, second).seen[{Door::ln_f, 0}];
  const Matrix& batch = together.seen[{Door::ln_f, 0}];
  for (std::int64_t t = 0; t < kLength; ++t) {
    EXPECT_THAT(batch.row(kLength + t),
                testing::Pointwise(testing::FloatNear(1e-5f), alone.row(t)));
  }
}

/// The invariants of a run with this bug that do not hold, by their first words.
std::vector<std::string> broken(Bug bug) {
  const Transformer model = test::tiny_model();
  const WrongModel wrong = make_wrong(model, bug);
  const Proof proof = prove(record_trace(model, test::tiny_ids(kLength), {}, &wrong));
  std::vector<std::string> names;
  for (const InvariantProof& invariant : proof.invariants) {
    if (!invariant.holds) names.push_back(invariant.invariant);
  }
  return names;
}

TEST(WrongAttention, LeavesItsRecipesWhereItIsWrongAndNowhereElse) {
  const std::string sums = "every row of weights sums to 1";
  const std::string masked = "masked weights are exactly 0";
  const std::string hull = "each context lies within the hull of the values it can see";
  const std::string close = "every tensor is float64's, up to float32's rounding";
  using testing::ElementsAre;
  EXPECT_THAT(broken(Bug::softmax_over_queries), ElementsAre(sums, hull, close));
  EXPECT_THAT(broken(Bug::scale_by_width), ElementsAre(close));
  EXPECT_THAT(broken(Bug::no_scale), ElementsAre(close));
  EXPECT_THAT(broken(Bug::mask_after_softmax), ElementsAre(sums, hull, close));
  EXPECT_THAT(broken(Bug::mask_after_softmax_renormalised), ElementsAre());
  EXPECT_THAT(broken(Bug::finite_mask), ElementsAre(masked, hull, close));
  EXPECT_THAT(broken(Bug::heads_wrong_axis), ElementsAre(close));
  EXPECT_THAT(broken(Bug::no_position), ElementsAre(close));
}

TEST_P(EveryBug, IsProvenWrongInTheTensorThatItTouches) {
  const Transformer model = test::tiny_model();
  const WrongModel wrong = make_wrong(model, GetParam());
  const Proof proof = prove(record_trace(model, test::tiny_ids(kLength), {}, &wrong));
  const std::map<Bug, std::set<std::string>> touched = {
      {Bug::softmax_over_queries, {"weights"}},
      {Bug::scale_by_width, {"scores"}},
      {Bug::no_scale, {"scores"}},
      {Bug::mask_after_softmax, {"weights"}},
      {Bug::mask_after_softmax_renormalised, {}},
      {Bug::finite_mask, {"masked_scores"}},
      {Bug::heads_wrong_axis, {"query", "key", "value"}},
      {Bug::no_position, {"embedding"}},
  };
  std::set<std::string> found;
  for (const TensorProof& tensor : proof.tensors) {
    if (tensor.relative() <= kLargestRelative) continue;
    found.insert(tensor.tensor.substr(tensor.tensor.rfind('.') + 1));
  }
  EXPECT_EQ(found, touched.at(GetParam()));
}

// A story of one row records what a story of all rows does.
TEST_P(EveryBug, IsRecordedAlikeByRowAndWhole) {
  const Transformer model = test::tiny_model();
  const WrongModel wrong = make_wrong(model, GetParam());
  const auto ids = test::tiny_ids(kLength);
  const Trace whole = record_trace(model, ids, {}, &wrong);
  const Trace row = record_trace(model, ids, {.tokens = std::vector<std::int64_t>{4}}, &wrong);
  for (const char* name : {"query", "dots", "scores", "weights", "context"}) {
    const std::string tensor = head_tensor(1, 1, name);
    EXPECT_THAT(row.row(tensor, 4),
                testing::Pointwise(testing::FloatNear(1e-6f), whole.row(tensor, 4)));
  }
}

TEST(WrongAttention, PositionForgottenLeavesTheTokensRows) {
  const Transformer model = test::tiny_model();
  const auto ids = test::tiny_ids(kLength);
  const Matrix embedding =
      run(make_wrong(model, Bug::no_position).transformer, ids).seen[{Door::embedding, 0}];
  for (std::int64_t t = 0; t < kLength; ++t) {
    const float* row = model.parameter_views().token_embedding +
                       ids[static_cast<std::size_t>(t)] * model.config().width;
    for (std::int64_t c = 0; c < model.config().width; ++c) EXPECT_EQ(embedding.at(t, c), row[c]);
  }
}

TEST(WrongAttention, HasNoGradients) {
  const Transformer wrong = make_wrong(test::tiny_model(), Bug::no_scale).transformer;
  const auto ids = test::tiny_ids(kLength);
  Activations activations(wrong.config(), 1, kLength, true);
  wrong.forward(ids, activations);
  const std::vector<float> grad_logits(
      static_cast<std::size_t>(kLength * wrong.config().vocab_size), 1.0f);
  std::vector<float> gradients(wrong.layout().size());
  EXPECT_THROW(wrong.backward(ids, activations, grad_logits.data(), gradients), Error);
}

TEST(WrongAttention, AStandInFarBelowTheScoresHidesAndANearOneDoesNot) {
  Matrix scores(4, 4);
  for (std::size_t i = 0; i < scores.values.size(); ++i) {
    scores.values[i] = static_cast<float>(random_normal(8, i));
  }
  const auto largest_hidden = [&](float stand_in) {
    const Matrix weights = weights_with_stand_in(scores, stand_in);
    float largest = 0;
    for (std::int64_t i = 0; i < 4; ++i) {
      for (std::int64_t j = i + 1; j < 4; ++j) largest = std::max(largest, weights.at(i, j));
    }
    return largest;
  };
  EXPECT_GT(largest_hidden(-1), 0.05f);
  EXPECT_GT(largest_hidden(-10), 0.0f);
  EXPECT_LT(largest_hidden(-10), 1e-2f);
  EXPECT_EQ(largest_hidden(-1e4f), 0.0f);
  EXPECT_EQ(largest_hidden(static_cast<float>(-kInfinity)), 0.0f);
}

TEST(Bugs, AreFoundByName) {
  for (const KnownBug& known : known_bugs()) EXPECT_EQ(bug_named(known.name), known.bug);
  EXPECT_EQ(bug_named("softmax-over-queries"), Bug::softmax_over_queries);
  EXPECT_EQ(bug_named("softmax over queries"), std::nullopt);
  EXPECT_EQ(bug_named(""), std::nullopt);
  EXPECT_THAT(bug_names(), testing::HasSubstr("no_scale, mask_after_softmax"));
}

}  // namespace
}  // namespace limelight
