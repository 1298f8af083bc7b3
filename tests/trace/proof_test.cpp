#include "trace/proof.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <cmath>
#include <numeric>

#include "model/tiny_model.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

struct TracedRun {
  Transformer model = test::tiny_model();
  Trace trace = record_trace(model, test::tiny_ids(9));
};

/// The trace with one number of one tensor changed.
Trace with_changed(const Trace& trace, const std::string& name, std::int64_t row,
                   std::int64_t column, float change) {
  Trace out;
  out.ids = trace.ids;
  for (TraceTensor tensor : trace.tensors()) {
    if (tensor.name == name) {
      Matrix values(tensor.values.rows, tensor.values.columns);
      for (std::int64_t r = 0; r < values.rows; ++r) {
        std::ranges::copy(tensor.values.row(r), values.row(r).begin());
      }
      values.at(row, column) += change;
      tensor.storage = std::make_shared<const Matrix>(std::move(values));
      tensor.values = *tensor.storage;
    }
    out.add(std::move(tensor));
  }
  return out;
}

bool invariant_holds(const Proof& proof, const std::string& words) {
  for (const InvariantProof& invariant : proof.invariants) {
    if (invariant.invariant.find(words) != std::string::npos) return invariant.holds;
  }
  ADD_FAILURE() << "no invariant speaks of " << words;
  return false;
}

TEST(Proof, HoldsAndIsClose) {
  const TracedRun run;
  const Proof proof = prove(run.trace);
  EXPECT_TRUE(proof.holds());
  for (const TensorProof& tensor : proof.tensors) {
    EXPECT_LE(tensor.largest_difference, 4e-6 * std::max(1.0, tensor.largest_value))
        << tensor.tensor;
  }
}

// Two layers and two heads: everything that is not a parameter or an input is proven.
TEST(Proof, LeavesNothingOut) {
  const TracedRun run;
  const Proof proof = prove(run.trace);
  for (const TraceTensor& tensor : run.trace.tensors()) {
    const bool input = tensor.storage == nullptr || tensor.name == "token_embedding" ||
                       tensor.name == "position_embedding";
    EXPECT_EQ(proof.find(tensor.name) == nullptr, input) << tensor.name;
  }
  EXPECT_EQ(proof.invariants.size(), 6u);
}

// A proof that cannot fail proves nothing: each recorded number, changed a little, is caught where
// it was changed.
TEST(Proof, CatchesAChangedNumber) {
  const TracedRun run;
  for (const TraceTensor& tensor : run.trace.tensors()) {
    if (tensor.recipe.operation == Operation::given) continue;
    const std::int64_t row = tensor.values.rows / 2;
    // In a row of masked scores, a place that is not hidden.
    const Trace changed = with_changed(run.trace, tensor.name, row, 0, 0.02f);
    const Proof proofs = prove(changed);
    const TensorProof* proof = proofs.find(tensor.name);
    ASSERT_NE(proof, nullptr);
    EXPECT_GT(proof->largest_difference, 0.019) << tensor.name;
    EXPECT_EQ(proof->row, row) << tensor.name;
    EXPECT_EQ(proof->column, 0) << tensor.name;
  }
}

TEST(Proof, NamesTheInvariantThatBreaks) {
  const TracedRun run;
  const auto proof_with = [&](const char* name, std::int64_t row, std::int64_t column, float by) {
    return prove(with_changed(run.trace, name, row, column, by));
  };
  EXPECT_FALSE(invariant_holds(proof_with("layer.1.head.0.weights", 4, 2, 0.01f), "sums to 1"));
  EXPECT_TRUE(invariant_holds(proof_with("layer.1.head.0.weights", 4, 2, 0.01f), "exactly 0"));
  EXPECT_FALSE(invariant_holds(proof_with("layer.1.head.0.weights", 2, 4, 1e-7f), "exactly 0"));
  EXPECT_FALSE(invariant_holds(proof_with("layer.0.head.1.context", 3, 1, 9), "hull"));
  EXPECT_FALSE(invariant_holds(proof_with("layer.0.head.1.write", 3, 1, 0.01f), "writes add up"));
  EXPECT_FALSE(invariant_holds(proof_with("layer.0.stream_mid", 3, 1, 0.01f), "stream gains"));
  EXPECT_FALSE(invariant_holds(proof_with("layer.0.norm_1", 3, 1, 0.1f), "every tensor"));
}

TEST(Proof, CatchesNotANumber) {
  const TracedRun run;
  const Trace changed =
      with_changed(run.trace, "layer.0.norm_1", 0, 0, std::numeric_limits<float>::quiet_NaN());
  const Proof proof = prove(changed);
  EXPECT_TRUE(std::isnan(proof.find("layer.0.norm_1")->largest_difference));
  EXPECT_FALSE(proof.holds());
}

TEST(Trace, KeepsWhatIsAskedForAlone) {
  const TracedRun run;
  const Trace part = record_trace(run.model, run.trace.ids,
                                  {.layers = std::vector<std::int64_t>{1},
                                   .heads = std::vector<std::int64_t>{1},
                                   .tokens = std::vector<std::int64_t>{3, 5}});
  for (const TraceTensor& tensor : part.tensors()) {
    EXPECT_EQ(tensor.name.find("layer.0."), std::string::npos) << tensor.name;
    EXPECT_EQ(tensor.name.find("head.0."), std::string::npos) << tensor.name;
    const TraceTensor* whole = run.trace.find(tensor.name);
    ASSERT_NE(whole, nullptr) << tensor.name;
    for (std::int64_t r = 0; r < tensor.values.rows && tensor.storage; ++r) {
      const auto expected = whole->values.row(whole->row_of(tensor.token_of(r)));
      const auto found = tensor.values.row(r);
      for (std::size_t c = 0; c < found.size(); ++c) {
        if (std::isinf(expected[c])) continue;
        EXPECT_NEAR(found[c], expected[c], 1e-5) << tensor.name;
      }
    }
  }
  EXPECT_EQ(part.at("layer.1.head.1.weights").values.rows, 2);
  EXPECT_EQ(part.at("layer.1.head.1.value").values.rows, 9);
  EXPECT_TRUE(prove(part).holds());
  EXPECT_THROW(record_trace(run.model, run.trace.ids, {.layers = std::vector<std::int64_t>{2}}),
               Error);
}

TEST(Trace, WeightsAreTheRunsOwn) {
  const TracedRun run;
  for (std::int64_t h = 0; h < run.model.config().num_heads; ++h) {
    const MatrixView weights = run.trace.values(head_tensor(0, h, "weights"));
    const MatrixView value = run.trace.values(head_tensor(0, h, "value"));
    const MatrixView context = run.trace.values(head_tensor(0, h, "context"));
    for (std::int64_t i = 0; i < weights.rows; ++i) {
      const auto row = weights.row(i);
      EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1, 1e-6);
      for (std::int64_t d = 0; d < context.columns; ++d) {
        double mixed = 0;
        for (std::int64_t j = 0; j <= i; ++j) mixed += weights.at(i, j) * value.at(j, d);
        EXPECT_NEAR(mixed, context.at(i, d), 2e-6);
      }
    }
  }
}

TEST(ChooseHead, FindsTheMostSelectiveThatLooksElsewhere) {
  const TracedRun run;
  const std::int64_t token = 7;
  const HeadChoice found = choose_head(run.model, run.trace.ids, token, {}, {});
  for (std::int64_t layer = 0; layer < 2; ++layer) {
    for (std::int64_t head = 0; head < 2; ++head) {
      const auto row = run.trace.row(head_tensor(layer, head, "weights"), token).first(token + 1);
      const auto largest = std::ranges::max_element(row) - row.begin();
      const bool looks = largest != 0 && largest != token;
      if (looks == found.looks_elsewhere) {
        EXPECT_GE(effective_words(row), found.effective_words - 1e-4);
      } else {
        EXPECT_TRUE(found.looks_elsewhere);
      }
      const HeadChoice only = choose_head(run.model, run.trace.ids, token, layer, head);
      EXPECT_EQ(only.layer, layer);
      EXPECT_EQ(only.head, head);
      EXPECT_NEAR(only.effective_words, effective_words(row), 1e-4);
    }
  }
}

TEST(EffectiveWords, RunsFromOneToAll) {
  EXPECT_NEAR(effective_words(std::vector<float>{0, 1, 0}), 1, 1e-12);
  EXPECT_NEAR(effective_words(std::vector<float>(8, 0.125f)), 8, 1e-9);
}

}  // namespace
}  // namespace limelight
