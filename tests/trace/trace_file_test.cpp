#include "trace/trace_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "checkpoint/safetensors.h"
#include "model/tiny_model.h"
#include "support/temporary_directory.h"
#include "trace/proof.h"

namespace limelight {
namespace {

TEST(TraceFile, ComesBackAsItWas) {
  const Transformer model = test::tiny_model();
  const Trace trace = record_trace(model, test::tiny_ids(6));
  const test::TemporaryDirectory folder;
  const auto path = folder.path() / "run.safetensors";
  ASSERT_TRUE(save_trace(path, trace, {{"text", "a \"quoted\" text"}}).ok());

  const auto opened = open_trace(path);
  ASSERT_TRUE(opened.ok()) << opened.message();
  EXPECT_EQ(opened->notes.at("text"), "a \"quoted\" text");
  EXPECT_EQ(opened->trace.ids, trace.ids);
  ASSERT_EQ(opened->trace.tensors().size(), trace.tensors().size());
  for (std::size_t i = 0; i < trace.tensors().size(); ++i) {
    const TraceTensor& was = trace.tensors()[i];
    const TraceTensor& is = opened->trace.tensors()[i];
    EXPECT_EQ(is.name, was.name);
    EXPECT_EQ(is.axes, was.axes);
    EXPECT_EQ(is.rows, was.rows);
    EXPECT_EQ(is.recipe.operation, was.recipe.operation);
    EXPECT_EQ(is.recipe.operands, was.recipe.operands);
    EXPECT_EQ(is.recipe.factor, was.recipe.factor);
    ASSERT_EQ(is.values.rows, was.values.rows);
    for (std::int64_t r = 0; r < was.values.rows; ++r) {
      EXPECT_TRUE(std::ranges::equal(is.values.row(r), was.values.row(r))) << was.name;
    }
  }
  EXPECT_TRUE(prove(opened->trace).holds());
}

TEST(TraceFile, RefusesWhatIsNoTrace) {
  const test::TemporaryDirectory folder;
  const auto path = folder.path() / "other.safetensors";
  const float number = 1;
  const auto message_with = [&](const std::string& description) {
    std::map<std::string, std::string> metadata;
    if (!description.empty()) metadata["limelight.trace"] = description;
    const Status written =
        write_safetensors(path, {{"x", ConstTensorView::of(&number, {1, 1})}}, metadata);
    EXPECT_TRUE(written.ok());
    const auto opened = open_trace(path);
    return opened.ok() ? std::string() : opened.message();
  };
  const std::string sound =
      R"({"ids": [3], "tensors": [{"name": "x", "axes": ["token", "width"]}]})";
  EXPECT_EQ(message_with(sound), "");
  for (const char* wrong : {
           "",
           "[",
           "[]",
           "{}",
           R"({"ids": 3, "tensors": []})",
           R"({"ids": [-1], "tensors": []})",
           R"({"ids": [], "tensors": {}})",
           R"({"ids": [], "tensors": [3]})",
           R"({"ids": [], "tensors": [{"name": "y", "axes": ["a", "b"]}]})",
           R"({"ids": [], "tensors": [{"name": "x", "axes": ["a"]}]})",
           R"({"ids": [], "tensors": [{"name": "x", "axes": ["a", 2]}]})",
           R"({"ids": [3], "tensors": [{"name": "x", "axes": ["a", "b"], "rows": [1]}]})",
           R"({"ids": [3], "tensors": [{"name": "x", "axes": ["a", "b"], "rows": [0, 1]}]})",
           R"({"ids": [3], "tensors": [{"name": "x", "axes": ["a", "b"], "recipe": 3}]})",
           R"({"ids": [3], "tensors": [{"name": "x", "axes": ["a", "b"],
               "recipe": {"operation": "explode", "operands": [], "factor": 1}}]})",
           R"({"ids": [3], "tensors": [{"name": "x", "axes": ["a", "b"]},
                                       {"name": "x", "axes": ["a", "b"]}]})",
       }) {
    const std::string message = message_with(wrong);
    EXPECT_NE(message, "") << wrong;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_NE(message.find("other.safetensors"), std::string::npos) << message;
  }
}

// A recipe that names what is not there, or does not fit, is an error and not a crash.
TEST(TraceFile, ARecipeThatCannotBeFollowedIsAnError) {
  const test::TemporaryDirectory folder;
  const auto path = folder.path() / "hostile.safetensors";
  const float numbers[2] = {1, 2};
  for (const char* recipe : {
           R"({"operation": "add", "operands": ["y"], "factor": 1})",
           R"({"operation": "add", "operands": [], "factor": 1})",
           R"({"operation": "linear", "operands": ["x", "x"], "factor": 1})",
           R"({"operation": "dot_rows", "operands": ["x"], "factor": 1})",
           R"({"operation": "softmax", "operands": ["x", "x"], "factor": 1})",
           R"({"operation": "join", "operands": ["x", "x"], "factor": 1})",
           R"({"operation": "layer_norm", "operands": ["x"], "factor": 0})",
       }) {
    const std::string description =
        R"({"ids": [3], "tensors": [{"name": "x", "axes": ["token", "width"], "recipe": )" +
        std::string(recipe) + "}]}";
    ASSERT_TRUE(write_safetensors(path, {{"x", ConstTensorView::of(numbers, {1, 2})}},
                                  {{"limelight.trace", description}})
                    .ok());
    const auto opened = open_trace(path);
    ASSERT_TRUE(opened.ok()) << opened.message();
    EXPECT_THROW(prove(opened->trace), Error) << recipe;
  }
}

}  // namespace
}  // namespace limelight
