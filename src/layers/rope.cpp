#include <limelight/rope.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "attention/check_view.h"
#include "attention/element.h"
#include "base/parallel.h"

namespace limelight {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

void require(bool holds, const std::string& message) {
  if (!holds) throw Error(message);
}

std::string text_of(double value) { return std::to_string(value); }

std::int64_t rotary_dim_of(std::int64_t head_dim, const RopeOptions& options) {
  const std::int64_t dim = options.rotary_dim == 0 ? head_dim : options.rotary_dim;
  require(dim > 0 && dim % 2 == 0 && dim <= head_dim,
          "rotary_dim: expected an even number up to head_dim " + std::to_string(head_dim) +
              ", got " + std::to_string(dim));
  return dim;
}

double scaled(const RopeLinearScaling& scaling, double frequency) {
  return frequency / scaling.factor;
}

double scaled(const RopeLlama3Scaling& s, double frequency) {
  const double turns = s.original_context * frequency / kTurn;
  if (turns < s.low_freq_factor) return frequency / s.factor;
  if (turns > s.high_freq_factor) return frequency;
  const double kept = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return (1 - kept) * frequency / s.factor + kept * frequency;
}

/// YaRN's blend runs over the pairs' numbers, between those that turn beta_fast and beta_slow times
/// (its equation 23, solved for the number, as its authors' program rounds it).
class YarnBlend {
 public:
  YarnBlend(const RopeYarnScaling& scaling, double theta, std::int64_t rotary_dim)
      : factor_(scaling.factor) {
    const auto dim = static_cast<double>(rotary_dim);
    const auto pair_that_turns = [&](double turns) {
      return dim * std::log(scaling.original_context / (turns * kTurn)) / (2 * std::log(theta));
    };
    first_ = std::max(std::floor(pair_that_turns(scaling.beta_fast)), 0.0);
    last_ = std::min(std::ceil(pair_that_turns(scaling.beta_slow)), dim - 1);
    if (first_ == last_) last_ += 0.001;
  }

  double operator()(std::int64_t pair, double frequency) const {
    const double divided =
        std::clamp((static_cast<double>(pair) - first_) / (last_ - first_), 0.0, 1.0);
    return frequency / factor_ * divided + frequency * (1 - divided);
  }

 private:
  double factor_, first_, last_;
};

void check_options(const RopeOptions& options) {
  require(options.theta > 1 && std::isfinite(options.theta),
          "theta: expected a finite number above 1, got " + text_of(options.theta));
  const auto check_factor = [](double factor) {
    require(factor >= 1 && std::isfinite(factor),
            "scaling.factor: expected a finite number from 1 on, got " + text_of(factor));
  };
  if (const auto* linear = std::get_if<RopeLinearScaling>(&options.scaling)) {
    check_factor(linear->factor);
  }
  if (const auto* llama = std::get_if<RopeLlama3Scaling>(&options.scaling)) {
    check_factor(llama->factor);
    require(llama->original_context > 0,
            "scaling.original_context: expected a positive number, got " +
                text_of(llama->original_context));
    require(llama->high_freq_factor > llama->low_freq_factor,
            "scaling.high_freq_factor: expected more than low_freq_factor " +
                text_of(llama->low_freq_factor) + ", got " + text_of(llama->high_freq_factor));
  }
  if (const auto* yarn = std::get_if<RopeYarnScaling>(&options.scaling)) {
    check_factor(yarn->factor);
    require(yarn->original_context > 0,
            "scaling.original_context: expected a positive number, got " +
                text_of(yarn->original_context));
    require(yarn->beta_fast > yarn->beta_slow && yarn->beta_slow > 0,
            "scaling.beta_fast: expected more than beta_slow, which is positive, got " +
                text_of(yarn->beta_fast) + " and " + text_of(yarn->beta_slow));
  }
}

std::string sizes_text(ConstTensorView view) {
  return view.shape_string() + " in " + std::string(name_of(view.dtype()));
}

void check_rows(ConstTensorView x, ConstTensorView out) {
  require(x.rank() == 4 && is_number(x.dtype()),
          "x: expected [batch, heads, length, head_dim] in f64, f32, bf16 or f16, got " +
              sizes_text(x));
  require(out.rank() == 4 && out.dtype() == x.dtype() &&
              std::equal(x.sizes().begin(), x.sizes().end(), out.sizes().begin()),
          "out: expected x's shape and type, " + sizes_text(x) + ", got " + sizes_text(out));
  check_memory("x", x, true);
  check_memory("out", out, true);
  check_writable("out", out);
}

/// Whether `view` is [length, last] or [batch, length, last], where last < 0 stands for no such
/// axis.
bool fits_rows(ConstTensorView view, ConstTensorView x, std::int64_t last) {
  const int axes = last < 0 ? 1 : 2;
  if (view.rank() != axes && view.rank() != axes + 1) return false;
  const bool batched = view.rank() == axes + 1;
  if (batched && view.size(0) != x.size(0)) return false;
  if (view.size(batched ? 1 : 0) != x.size(2)) return false;
  return last < 0 || view.size(view.rank() - 1) == last;
}

/// Element (batch, i, d) of a view that fits_rows.
std::int64_t offset_of(ConstTensorView view, int axes, std::int64_t b, std::int64_t i,
                       std::int64_t d) {
  const bool batched = view.rank() == axes + 1;
  const int length_axis = batched ? 1 : 0;
  return (batched ? b * view.stride(0) : 0) + i * view.stride(length_axis) +
         (axes == 2 ? d * view.stride(length_axis + 1) : 0);
}

struct Pair {
  std::int64_t first, second;
};

Pair pair_of(RopePairs pairs, std::int64_t i, std::int64_t count) {
  return pairs == RopePairs::interleaved ? Pair{2 * i, 2 * i + 1} : Pair{i, i + count};
}

/// turn(b, i, pair) gives {cosine, sine}.
template <class Turn>
void rotate_rows(ConstTensorView x, TensorView out, std::int64_t pair_count, RopePairs pairs,
                 RopeDirection direction, const Turn& turn) {
  const double sign = direction == RopeDirection::forward ? 1 : -1;
  parallel_for(x.size(0) * x.size(2), [&](std::int64_t row) {
    const std::int64_t b = row / x.size(2);
    const std::int64_t i = row % x.size(2);
    std::vector<std::pair<double, double>> turns(static_cast<std::size_t>(pair_count));
    for (std::int64_t p = 0; p < pair_count; ++p) {
      turns[static_cast<std::size_t>(p)] = turn(b, i, p);
    }
    for (std::int64_t h = 0; h < x.size(1); ++h) {
      const std::int64_t from = b * x.stride(0) + h * x.stride(1) + i * x.stride(2);
      const std::int64_t to = b * out.stride(0) + h * out.stride(1) + i * out.stride(2);
      for (std::int64_t p = 0; p < pair_count; ++p) {
        const auto [first, second] = pair_of(pairs, p, pair_count);
        const auto [cosine, sine] = turns[static_cast<std::size_t>(p)];
        const double a = read_number(x.raw(), x.dtype(), from + first);
        const double c = read_number(x.raw(), x.dtype(), from + second);
        write_number(out.raw(), out.dtype(), to + first, a * cosine - sign * c * sine);
        write_number(out.raw(), out.dtype(), to + second, sign * a * sine + c * cosine);
      }
      for (std::int64_t d = 2 * pair_count; d < x.size(3); ++d) {
        write_number(out.raw(), out.dtype(), to + d, read_number(x.raw(), x.dtype(), from + d));
      }
    }
  });
}

}  // namespace

std::vector<double> rope_frequencies(std::int64_t head_dim, const RopeOptions& options) {
  check_options(options);
  const std::int64_t dim = rotary_dim_of(head_dim, options);
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < dim / 2; ++i) {
    const double frequency =
        std::pow(options.theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
    frequencies.push_back(std::visit(
        [&](const auto& scaling) {
          using Scaling = std::decay_t<decltype(scaling)>;
          if constexpr (std::is_same_v<Scaling, std::monostate>)
            return frequency;
          else if constexpr (std::is_same_v<Scaling, RopeYarnScaling>)
            return YarnBlend(scaling, options.theta, dim)(i, frequency);
          else
            return scaled(scaling, frequency);
        },
        options.scaling));
  }
  return frequencies;
}

double rope_attention_factor(const RopeOptions& options) {
  const auto* yarn = std::get_if<RopeYarnScaling>(&options.scaling);
  if (!yarn) return 1;
  return yarn->attention_factor > 0 ? yarn->attention_factor : 0.1 * std::log(yarn->factor) + 1;
}

void rope(ConstTensorView x, ConstTensorView positions, TensorView out, const RopeOptions& options,
          RopeDirection direction) {
  check_rows(x, out);
  const bool integers = positions.dtype() == DType::i32 || positions.dtype() == DType::i64;
  require(integers && fits_rows(positions, x, -1),
          "positions: expected [length] or [batch, length] in i32 or i64 for x " +
              x.shape_string() + ", got " + sizes_text(positions));
  check_memory("positions", positions, false);
  const std::vector<double> frequencies = rope_frequencies(x.size(3), options);
  const double factor = rope_attention_factor(options);
  rotate_rows(x, out, std::ssize(frequencies), options.pairs, direction,
              [&](std::int64_t b, std::int64_t i, std::int64_t pair) {
                const std::int64_t position = read_integer(positions.raw(), positions.dtype(),
                                                           offset_of(positions, 1, b, i, 0));
                const double angle =
                    static_cast<double>(position) * frequencies[static_cast<std::size_t>(pair)];
                return std::pair{factor * std::cos(angle), factor * std::sin(angle)};
              });
}

void rope_rotate(ConstTensorView x, ConstTensorView cosines, ConstTensorView sines, TensorView out,
                 RopePairs pairs, RopeDirection direction) {
  check_rows(x, out);
  const std::int64_t count = cosines.rank() == 0 ? 0 : cosines.size(cosines.rank() - 1);
  for (const auto& [name, view] : {std::pair{"cosines", cosines}, std::pair{"sines", sines}}) {
    require(is_number(view.dtype()) && fits_rows(view, x, count) && 2 * count <= x.size(3),
            std::string(name) +
                ": expected [length, rotary_dim / 2] or [batch, length, rotary_dim / 2] for x " +
                x.shape_string() + ", got " + sizes_text(view));
    check_memory(name, view, false);
  }
  rotate_rows(x, out, count, pairs, direction,
              [&](std::int64_t b, std::int64_t i, std::int64_t pair) {
                return std::pair{
                    read_number(cosines.raw(), cosines.dtype(), offset_of(cosines, 2, b, i, pair)),
                    read_number(sines.raw(), sines.dtype(), offset_of(sines, 2, b, i, pair))};
              });
}

}  // namespace limelight
