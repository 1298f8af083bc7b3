#include "story/principal_axes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace limelight {
namespace {

using Vector = std::vector<double>;
using Square = std::vector<Vector>;

// Rotations converge quadratically: a matrix of a few hundred rows takes about ten sweeps.
constexpr int kMostSweeps = 60;
// Eigenvalues below this part of the sum of all are rounding, and have no direction.
constexpr double kNothing = 1e-13;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

Square products_of(const std::vector<Vector>& vectors) {
  Square products(vectors.size(), Vector(vectors.size()));
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j)
      products[i][j] = products[j][i] = dot(vectors[i], vectors[j]);
  }
  return products;
}

/// A plane rotation's cosine and sine.
struct Rotation {
  double c, s;
};

/// The rotation that makes cell (p, q) zero (Golub and Van Loan, Matrix Computations, 8.5.2).
Rotation rotation_for(const Square& m, std::size_t p, std::size_t q) {
  const double tau = (m[q][q] - m[p][p]) / (2 * m[p][q]);
  const double t = (tau >= 0 ? 1.0 : -1.0) / (std::fabs(tau) + std::sqrt(1 + tau * tau));
  const double c = 1 / std::sqrt(1 + t * t);
  return {c, t * c};
}

void rotate_rows(Square& m, std::size_t p, std::size_t q, Rotation r) {
  for (std::size_t k = 0; k < m.size(); ++k) {
    const double x = m[p][k];
    const double y = m[q][k];
    m[p][k] = r.c * x - r.s * y;
    m[q][k] = r.s * x + r.c * y;
  }
}

void rotate_columns(Square& m, std::size_t p, std::size_t q, Rotation r) {
  for (Vector& row : m) {
    const double x = row[p];
    const double y = row[q];
    row[p] = r.c * x - r.s * y;
    row[q] = r.s * x + r.c * y;
  }
}

double off_diagonal(const Square& m) {
  double sum = 0;
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) sum += m[i][j] * m[i][j];
  }
  return std::sqrt(sum);
}

/// Makes `m` diagonal, which leaves its eigenvalues there; row i of the result is the eigenvector
/// of m[i][i].
Square diagonalise(Square& m) {
  Square vectors(m.size(), Vector(m.size()));
  double trace = 0;
  for (std::size_t i = 0; i < m.size(); ++i) {
    vectors[i][i] = 1;
    trace += m[i][i];
  }
  for (int sweep = 0; sweep < kMostSweeps && off_diagonal(m) > 1e-16 * trace; ++sweep) {
    for (std::size_t p = 0; p < m.size(); ++p) {
      for (std::size_t q = p + 1; q < m.size(); ++q) {
        if (m[p][q] == 0) continue;
        const Rotation rotation = rotation_for(m, p, q);
        rotate_rows(m, p, q, rotation);
        rotate_columns(m, p, q, rotation);
        rotate_rows(vectors, p, q, rotation);
      }
    }
  }
  return vectors;
}

/// The direction whose coordinates along the vectors are these, the longest vector's positive.
Vector direction_of(const std::vector<Vector>& vectors, const Vector& coordinates) {
  Vector axis(vectors.front().size());
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    for (std::size_t d = 0; d < axis.size(); ++d) axis[d] += coordinates[i] * vectors[i][d];
  }
  const auto longest =
      std::ranges::max_element(vectors, {}, [](const Vector& v) { return dot(v, v); });
  const double length = std::sqrt(dot(axis, axis)) * (dot(axis, *longest) < 0 ? -1 : 1);
  for (double& x : axis) x /= length;
  return axis;
}

}  // namespace

PrincipalAxes principal_axes(const std::vector<Vector>& vectors, std::size_t count) {
  Square values = products_of(vectors);
  const Square coordinates = diagonalise(values);
  double all = 0;
  for (const Vector& vector : vectors) all += dot(vector, vector);
  std::vector<std::size_t> order(vectors.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return values[i][i]; });

  PrincipalAxes out;
  for (std::size_t k = 0; k < count; ++k) {
    const double value = k < order.size() ? values[order[k]][order[k]] : 0;
    if (value <= kNothing * all) {
      out.axes.emplace_back(vectors.empty() ? 0 : vectors.front().size());
      out.shares.push_back(0);
      continue;
    }
    out.axes.push_back(direction_of(vectors, coordinates[order[k]]));
    out.shares.push_back(value / all);
  }
  return out;
}

}  // namespace limelight
