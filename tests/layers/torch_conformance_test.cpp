// The layers against PyTorch's autograd in float64: forward and gradients, within 1e-5 in f32.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "checkpoint/safetensors.h"
#include "layers/activation.h"
#include "layers/embedding.h"
#include "layers/linear.h"
#include "layers/normalization.h"
#include "layers/softmax.h"
#include "support/conformance.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

/// One case's tensors, as f32 for the engine and as double for the comparison.
class Case {
 public:
  explicit Case(const fs::path& path) : file_(std::move(SafetensorsFile::open(path)).value()) {}

  std::vector<double> wide(const std::string& name) const {
    const ConstTensorView view = file_.tensor(name).value();
    std::vector<double> values;
    for (std::int64_t i = 0; i < view.elements(); ++i) {
      switch (view.dtype()) {
        case DType::f64:
          values.push_back(view.data<double>()[i]);
          break;
        case DType::f32:
          values.push_back(view.data<float>()[i]);
          break;
        case DType::i64:
          values.push_back(static_cast<double>(view.data<std::int64_t>()[i]));
          break;
        default:
          values.push_back(view.data<std::int32_t>()[i]);
      }
    }
    return values;
  }
  std::vector<float> narrow(const std::string& name) const {
    const auto values = wide(name);
    return {values.begin(), values.end()};
  }
  std::vector<std::int32_t> ids(const std::string& name) const {
    const auto values = wide(name);
    return {values.begin(), values.end()};
  }
  std::int64_t width(const std::string& name) const {
    const ConstTensorView view = file_.tensor(name).value();
    return view.size(view.rank() - 1);
  }
  void expect(const std::string& name, const std::vector<float>& found) const {
    const auto expected = wide(name);
    ASSERT_EQ(found.size(), expected.size()) << name;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], expected[i], 1e-5 * std::max(1.0, std::fabs(expected[i]))) << name;
    }
  }

 private:
  SafetensorsFile file_;
};

void check_layer_norm(const Case& c) {
  const auto x = c.narrow("x"), gain = c.narrow("w"), bias = c.narrow("b"), grad = c.narrow("dY");
  const std::int64_t width = c.width("x");
  const std::int64_t rows = std::ssize(x) / width;
  const auto row_count = static_cast<std::size_t>(rows);
  std::vector<float> out(x.size()), mean(row_count), inverse(row_count), grad_x(x.size()),
      grad_gain(gain.size()), grad_bias(gain.size());
  layer_norm_forward(rows, width, 1e-5f, x.data(), gain.data(), bias.data(), out.data(),
                     mean.data(), inverse.data());
  layer_norm_backward(rows, width, x.data(), gain.data(), mean.data(), inverse.data(), grad.data(),
                      grad_x.data(), grad_gain.data(), grad_bias.data());
  c.expect("Y", out);
  c.expect("dx", grad_x);
  c.expect("dw", grad_gain);
  c.expect("db", grad_bias);
}

void check_rms_norm(const Case& c) {
  const auto x = c.narrow("x"), gain = c.narrow("w"), grad = c.narrow("dY");
  const std::int64_t width = c.width("x");
  const std::int64_t rows = std::ssize(x) / width;
  std::vector<float> out(x.size()), inverse(static_cast<std::size_t>(rows)), grad_x(x.size()),
      grad_gain(gain.size());
  rms_norm_forward(rows, width, 1e-5f, x.data(), gain.data(), out.data(), inverse.data());
  rms_norm_backward(rows, width, x.data(), gain.data(), inverse.data(), grad.data(), grad_x.data(),
                    grad_gain.data());
  c.expect("Y", out);
  c.expect("dx", grad_x);
  c.expect("dw", grad_gain);
}

void check_gelu_tanh(const Case& c) {
  const auto x = c.narrow("x"), grad = c.narrow("dY");
  std::vector<float> out(x.size()), grad_x(x.size());
  gelu_forward(GeluForm::tanh, std::ssize(x), x.data(), out.data());
  gelu_backward(GeluForm::tanh, std::ssize(x), x.data(), grad.data(), grad_x.data());
  c.expect("Y", out);
  c.expect("dx", grad_x);
}

void check_silu(const Case& c) {
  const auto x = c.narrow("x"), grad = c.narrow("dY");
  std::vector<float> out(x.size()), grad_x(x.size());
  silu_forward(std::ssize(x), x.data(), out.data());
  silu_backward(std::ssize(x), x.data(), grad.data(), grad_x.data());
  c.expect("Y", out);
  c.expect("dx", grad_x);
}

void check_softmax(const Case& c) {
  const auto x = c.narrow("x");
  std::vector<float> out(x.size());
  softmax_forward(std::ssize(x) / c.width("x"), c.width("x"), x.data(), out.data());
  c.expect("Y", out);
}

void check_log_softmax(const Case& c) {
  const auto x = c.narrow("x");
  std::vector<float> out(x.size());
  log_softmax_forward(std::ssize(x) / c.width("x"), c.width("x"), x.data(), out.data());
  c.expect("Y", out);
}

void check_linear(const Case& c) {
  const auto x = c.narrow("x"), weight = c.narrow("w"), bias = c.narrow("b"), grad = c.narrow("dY");
  const std::int64_t in = c.width("x");
  const std::int64_t out_width = c.width("dY");
  const LinearShape shape{std::ssize(x) / in, in, out_width, /*weight_transposed=*/true};
  std::vector<float> out(grad.size()), grad_x(x.size()), grad_weight(weight.size()),
      grad_bias(bias.size());
  linear_forward(shape, x.data(), weight.data(), bias.data(), out.data());
  linear_backward(shape, x.data(), weight.data(), grad.data(), grad_x.data(), grad_weight.data(),
                  grad_bias.data());
  c.expect("Y", out);
  c.expect("dx", grad_x);
  c.expect("dw", grad_weight);
  c.expect("db", grad_bias);
}

void check_cross_entropy(const Case& c, bool mean) {
  const auto logits = c.narrow("logits");
  const auto targets = c.ids("target");
  const std::int64_t rows = std::ssize(targets);
  std::vector<float> losses(targets.size()), grad(logits.size());
  const float scale = mean ? 1.0f / static_cast<float>(rows) : 1.0f;
  cross_entropy(rows, c.width("logits"), logits.data(), targets, scale, losses.data(), grad.data());
  double sum = 0;
  for (const float loss : losses) sum += loss;
  c.expect("loss", {static_cast<float>(sum * scale)});
  c.expect("dlogits", grad);
}

void check_embedding(const Case& c) {
  const auto table = c.narrow("w"), grad = c.narrow("dY");
  const auto ids = c.ids("idx");
  const std::int64_t width = c.width("w");
  const std::int64_t length = c.width("idx");
  const std::int64_t batch = std::ssize(ids) / length;
  std::vector<float> out(grad.size()), grad_table(table.size());
  embedding_forward(batch, length, width, ids, 0, table.data(), nullptr, out.data());
  embedding_backward(batch, length, width, ids, 0, grad.data(), grad_table.data(), nullptr);
  c.expect("Y", out);
  c.expect("dw", grad_table);
}

/// By the beginning of a case's name. (The gradient of a bare softmax is no operation here:
/// attention and the loss have it inside.)
const std::map<std::string, std::function<void(const Case&)>> kChecks = {
    {"layer_norm", check_layer_norm},
    {"rms_norm", check_rms_norm},
    {"gelu_tanh", check_gelu_tanh},
    {"silu", check_silu},
    {"softmax", check_softmax},
    {"log_softmax", check_log_softmax},
    {"linear", check_linear},
    {"cross_entropy_mean", [](const Case& c) { check_cross_entropy(c, true); }},
    {"cross_entropy_sum", [](const Case& c) { check_cross_entropy(c, false); }},
    {"embedding", check_embedding},
};

TEST(TorchConformance, EveryLayerAgreesForwardAndBackward) {
  const fs::path folder = test::conformance_folder("torch_autograd");
  if (folder.empty()) GTEST_SKIP() << "no conformance material";
  const auto manifest = nlohmann::json::parse(test::read_file(folder / "manifest.json"));
  for (const auto& entry : manifest["cases"]) {
    const auto name = entry["case"].get<std::string>();
    SCOPED_TRACE(name);
    const auto check = std::ranges::find_if(
        kChecks, [&](const auto& known) { return name.starts_with(known.first); });
    if (check == kChecks.end()) {
      std::printf("%s: not a layer; skipped here\n", name.c_str());
      continue;
    }
    check->second(Case(folder / (name + ".safetensors")));
  }
}

}  // namespace
}  // namespace limelight
