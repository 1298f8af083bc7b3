// Attention on three words: scores, shares that sum to 1, and a mixture of values.

#include <limelight/attention.h>

#include <cstdio>
#include <vector>

using limelight::ConstTensorView;
using limelight::TensorView;

int main() {
  // [batch 1, heads 1, length 3, dim 2]: "the", "warm", "light".
  const std::vector<float> query = {0, 0, 1, 0, 2, 2};
  const std::vector<float> key = {0, 0, 2, 1, 1, 2};
  const std::vector<float> value = {0, 0, 1, 0, 0, 1};
  std::vector<float> out(6);
  std::vector<float> lse(3);

  limelight::attention(ConstTensorView::of(query.data(), {1, 1, 3, 2}),
                       ConstTensorView::of(key.data(), {1, 1, 3, 2}),
                       ConstTensorView::of(value.data(), {1, 1, 3, 2}),
                       TensorView::of(out.data(), {1, 1, 3, 2}), {},
                       TensorView::of(lse.data(), {1, 1, 3}));

  // "the" asks for nothing in particular, so it takes the average of all three values.
  for (int word = 0; word < 3; ++word) {
    std::printf("context of word %d: %.4f %.4f   (lse %.4f)\n", word, out[2 * word],
                out[2 * word + 1], lse[word]);
  }
}
