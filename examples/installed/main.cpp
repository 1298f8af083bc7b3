// From an installed package: the operator in bfloat16, and an error that says what was wrong.

#include <limelight/attention.h>

#include <cstdio>
#include <vector>

using namespace limelight;

int main() {
  const std::vector<bfloat16> x(2 * 8, bfloat16(0.5f));
  std::vector<bfloat16> out(x.size());
  const ConstTensorView view = ConstTensorView::of(x.data(), {1, 1, 2, 8});
  attention(view, view, view, TensorView::of(out.data(), {1, 1, 2, 8}));
  std::printf("equal keys give the value itself: %g\n", static_cast<double>(float(out[0])));

  AttentionOptions options;
  options.softcap = -1;
  try {
    attention(view, view, view, TensorView::of(out.data(), {1, 1, 2, 8}), options);
  } catch (const Error& error) {
    std::printf("and a mistake is named: %s\n", error.what());
    return float(out[0]) == 0.5f ? 0 : 1;
  }
  return 1;
}
