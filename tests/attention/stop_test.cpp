// A call that is asked to end early (AttentionOptions::should_stop).

#include <gtest/gtest.h>
#include <limelight/attention.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace limelight {
namespace {

constexpr float kUntouched = -12345;

/// Takes far longer than the interval at which should_stop is asked, on any machine.
struct LongCall {
  explicit LongCall(DType dtype, std::int64_t length = 16384)
      : sizes{1, 2, length, 64},
        row_sizes{1, 2, length},
        result_type(dtype),
        inputs(static_cast<std::size_t>(2 * length * 64), 0.5f),
        lse(static_cast<std::size_t>(2 * length), 1.0f),
        results(inputs.size() * size_of(dtype) / sizeof(float), kUntouched) {}

  ConstTensorView input() const { return {inputs.data(), DType::f32, sizes}; }
  TensorView result() { return {results.data(), result_type, sizes}; }
  bool untouched_somewhere() const {
    return std::find(results.begin(), results.end(), kUntouched) != results.end();
  }
  void forward() { attention(input(), input(), input(), result(), options); }
  void backward() {
    const ConstTensorView lse_view = {lse.data(), DType::f32, row_sizes};
    if (result_type == DType::f32) {
      attention_backward(input(), input(), input(), input(), lse_view, input(), {}, result(), {},
                         options);
    } else {  // an out of f64 makes the reference compute
      const std::vector<double> out(inputs.size(), 0.5);
      attention_backward(input(), input(), input(), ConstTensorView(out.data(), DType::f64, sizes),
                         lse_view, input(), result(), {}, {}, options);
    }
  }

  std::vector<std::int64_t> sizes, row_sizes;
  DType result_type;
  std::vector<float> inputs, lse, results;
  AttentionOptions options;
};

class StopTest : public testing::TestWithParam<DType> {};

TEST_P(StopTest, EndsTheForward) {
  LongCall call(GetParam());
  int asked = 0;
  const std::thread::id caller = std::this_thread::get_id();
  bool on_the_caller = true;
  call.options.should_stop = [&] {
    on_the_caller &= std::this_thread::get_id() == caller;
    return ++asked == 2;
  };
  call.forward();
  EXPECT_EQ(asked, 2) << "asked until it says so, and no more";
  EXPECT_TRUE(on_the_caller);
  EXPECT_TRUE(call.untouched_somewhere());
}

TEST_P(StopTest, EndsTheBackward) {
  LongCall call(GetParam());
  int asked = 0;
  call.options.should_stop = [&] { return ++asked == 1; };
  call.backward();
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(call.untouched_somewhere());
}

INSTANTIATE_TEST_SUITE_P(Kernels, StopTest, testing::Values(DType::f32, DType::f64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST(ShouldStop, MayCallTheOperator) {
  LongCall plain(DType::f32, 4096);
  plain.forward();
  LongCall call(DType::f32, 4096);
  LongCall inner(DType::f32, 256);
  call.options.should_stop = [&] {
    inner.forward();
    return false;
  };
  call.forward();
  EXPECT_EQ(call.results, plain.results);
}

}  // namespace
}  // namespace limelight
