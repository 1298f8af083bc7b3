// Training throughput of lantern's configuration, as a share of the multiply-add rate measured in
// the same run. Counted are the products that the mathematics needs: forward, and twice as many
// backward; of attention the visible half, and 2.5 times as many backward (scores are computed
// again).

#include <fmt/format.h>

#include "base/counter_random.h"
#include "benchmarks/ceilings.h"
#include "benchmarks/measure.h"
#include "training/trainer.h"

namespace {

using namespace limelight;

constexpr TransformerConfig kLantern = {.vocab_size = 4096,
                                        .context_length = 256,
                                        .num_layers = 4,
                                        .num_heads = 4,
                                        .width = 192,
                                        .inner_width = 768};
constexpr std::int64_t kBatch = 16;

double products_per_token(const TransformerConfig& c) {
  const auto width = static_cast<double>(c.width);
  const auto layers = static_cast<double>(c.num_layers);
  const double linear =
      layers * (4 * width * width + 2 * width * static_cast<double>(c.inner_width)) +
      width * static_cast<double>(c.vocab_size);
  const double visible = static_cast<double>(c.context_length + 1) / 2;
  const double attention = layers * 2 * visible * width;
  return 2 * (3 * linear + 3.5 * attention);
}

void fill(Batch& batch, std::uint64_t seed) {
  batch.batch = kBatch;
  batch.length = kLantern.context_length;
  const auto count = static_cast<std::size_t>(batch.batch * batch.length);
  batch.ids.resize(count);
  batch.targets.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    batch.ids[i] = static_cast<std::int32_t>(random_below(seed, i, kLantern.vocab_size));
    batch.targets[i] = static_cast<std::int32_t>(random_below(seed + 1, i, kLantern.vocab_size));
  }
}

}  // namespace

int main() {
  Transformer model(kLantern);
  initialize_parameters(kLantern, model.layout(), 1, model.parameters().data());
  Trainer trainer(model, {});
  const auto step = [&] { trainer.step(1, [](std::int64_t, Batch& batch) { fill(batch, 1); }); };
  const double ceiling = bench::multiply_add_rate(bench::all_threads()).median;
  const double seconds = bench::measure(step).median;
  const double tokens = static_cast<double>(kBatch * kLantern.context_length) / seconds;
  const double rate = tokens * products_per_token(kLantern);
  fmt::print("Training, lantern's configuration ({} threads)\n", bench::all_threads());
  fmt::print(
      "{:>12.0f} tokens/s\n{:>12.1f} GFLOP/s\n{:>12.1f} % of the multiply-add rate ({:.1f} "
      "GFLOP/s)\n",
      tokens, rate / 1e9, 100 * rate / ceiling, ceiling / 1e9);
}
