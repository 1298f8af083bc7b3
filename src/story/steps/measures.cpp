#include "story/steps/measures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace limelight {
namespace {

double dot_of(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

template <class Better>
std::optional<std::int64_t> best_of(std::span<const float> row, std::optional<std::int64_t> except,
                                    const Better& better) {
  std::optional<std::int64_t> best;
  for (std::int64_t j = 0; j < std::ssize(row); ++j) {
    if (except && *except == j) continue;
    if (!best || better(row[static_cast<std::size_t>(j)], row[static_cast<std::size_t>(*best)])) {
      best = j;
    }
  }
  return best;
}

}  // namespace

double length_of(std::span<const float> vector) { return std::sqrt(dot_of(vector, vector)); }

double cosine_of(std::span<const float> a, std::span<const float> b) {
  const double lengths = length_of(a) * length_of(b);
  return lengths > 0 ? dot_of(a, b) / lengths : 0;
}

std::vector<float> cosines_with_rows(MatrixView rows, std::span<const float> vector) {
  const double length = length_of(vector);
  std::vector<float> cosines;
  cosines.reserve(static_cast<std::size_t>(rows.rows));
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const auto row = rows.row(r);
    const double lengths = length * length_of(row);
    cosines.push_back(lengths > 0 ? static_cast<float>(dot_of(row, vector) / lengths) : 0.0f);
  }
  return cosines;
}

std::vector<double> in_double(std::span<const float> vector) {
  return {vector.begin(), vector.end()};
}

std::vector<double> scaled(std::span<const float> vector, double factor) {
  std::vector<double> out = in_double(vector);
  for (double& value : out) value *= factor;
  return out;
}

double spread_of(std::span<const float> values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double sum = 0;
  for (const float value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / count);
}

double spread_of_rows(MatrixView matrix, std::int64_t rows) {
  double sum = 0;
  for (std::int64_t c = 0; c < matrix.columns; ++c) {
    double mean = 0;
    for (std::int64_t r = 0; r < rows; ++r) mean += matrix.at(r, c) / static_cast<double>(rows);
    for (std::int64_t r = 0; r < rows; ++r) {
      sum += (matrix.at(r, c) - mean) * (matrix.at(r, c) - mean);
    }
  }
  return std::sqrt(sum / static_cast<double>(rows));
}

std::optional<std::int64_t> largest_of(std::span<const float> row,
                                       std::optional<std::int64_t> except) {
  return best_of(row, except, std::greater<>());
}

std::optional<std::int64_t> smallest_of(std::span<const float> row,
                                        std::optional<std::int64_t> except) {
  return best_of(row, except, std::less<>());
}

std::vector<std::int64_t> largest_columns(std::span<const float> row, std::int64_t count) {
  std::vector<std::int64_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::int64_t j) { return row[static_cast<std::size_t>(j)]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(count)));
  return order;
}

Asymmetry asymmetry_of(MatrixView square) {
  Asymmetry found;
  for (std::int64_t i = 0; i < square.rows; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      const double difference = std::fabs(static_cast<double>(square.at(i, j)) - square.at(j, i));
      if (difference > found.difference) found = {difference, i, j};
    }
  }
  return found;
}

std::vector<double> softmax_of(std::span<const double> scores) {
  std::vector<double> shares(scores.begin(), scores.end());
  if (shares.empty()) return shares;
  const double maximum = *std::ranges::max_element(shares);
  double sum = 0;
  for (double& share : shares) sum += share = std::exp(share - maximum);
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace limelight
