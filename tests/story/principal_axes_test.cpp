#include "story/principal_axes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/counter_random.h"

namespace limelight {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// sum_k coordinates_k * directions_k
Vector combined(const std::vector<Vector>& directions, const Vector& coordinates) {
  Vector out(directions.front().size());
  for (std::size_t k = 0; k < coordinates.size(); ++k) {
    for (std::size_t d = 0; d < out.size(); ++d) out[d] += coordinates[k] * directions[k][d];
  }
  return out;
}

std::vector<Vector> random_vectors(std::size_t count, std::size_t width, std::uint64_t seed) {
  std::vector<Vector> vectors(count, Vector(width));
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t d = 0; d < width; ++d) vectors[i][d] = random_normal(seed, i * width + d);
  }
  return vectors;
}

TEST(PrincipalAxes, FindsTheAxesThatAFlatCloudWasMadeFrom) {
  const std::vector<Vector> made = {{0.6, 0.8, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
  std::vector<Vector> cloud;
  for (const double sign : {1.0, -1.0}) {
    cloud.push_back(combined(made, {5 * sign, 0, 0}));
    cloud.push_back(combined(made, {0, 2 * sign, 0}));
    cloud.push_back(combined(made, {0, 0, sign}));
  }
  const PrincipalAxes found = principal_axes(cloud, 2);
  EXPECT_THAT(found.axes[0], testing::Pointwise(testing::DoubleNear(1e-12), made[0]));
  EXPECT_NEAR(std::fabs(found.axes[1][2]), 1, 1e-12);
  EXPECT_NEAR(found.shares[0], 25.0 / 30, 1e-12);
  EXPECT_NEAR(found.shares[1], 4.0 / 30, 1e-12);
}

TEST(PrincipalAxes, AreEigenvectorsAtRightAnglesThatCoverEverything) {
  for (const auto& [count, width] : {std::pair{6, 20}, {20, 6}, {12, 12}, {1, 5}}) {
    const auto vectors =
        random_vectors(static_cast<std::size_t>(count), static_cast<std::size_t>(width), 7);
    const auto most = static_cast<std::size_t>(std::min(count, width));
    const PrincipalAxes found = principal_axes(vectors, most);
    double all = 0;
    for (const Vector& v : vectors) all += dot(v, v);
    for (std::size_t k = 0; k < most; ++k) {
      for (std::size_t l = 0; l < most; ++l) {
        EXPECT_NEAR(dot(found.axes[k], found.axes[l]), k == l ? 1 : 0, 1e-10);
      }
      Vector image(static_cast<std::size_t>(width));  // of the axis under the sum of outer products
      for (const Vector& v : vectors) {
        for (std::size_t d = 0; d < image.size(); ++d) image[d] += dot(v, found.axes[k]) * v[d];
      }
      for (std::size_t d = 0; d < image.size(); ++d) {
        EXPECT_NEAR(image[d], found.shares[k] * all * found.axes[k][d], 1e-9);
      }
      if (k > 0) {
        EXPECT_LE(found.shares[k], found.shares[k - 1]);
      }
    }
    EXPECT_NEAR(std::accumulate(found.shares.begin(), found.shares.end(), 0.0), 1, 1e-12);
  }
}

TEST(PrincipalAxes, OfFewerDirectionsAreZero) {
  const PrincipalAxes line = principal_axes({{1, 2}, {2, 4}, {-3, -6}}, 2);
  EXPECT_NEAR(line.shares[0], 1, 1e-12);
  EXPECT_EQ(line.shares[1], 0);
  EXPECT_EQ(line.axes[1], (Vector{0, 0}));
  EXPECT_LT(line.axes[0][0], 0) << "the longest vector's coordinate is positive";
  const PrincipalAxes nothing = principal_axes({{0, 0}, {0, 0}}, 2);
  EXPECT_EQ(nothing.shares, (Vector{0, 0}));
}

}  // namespace
}  // namespace limelight
