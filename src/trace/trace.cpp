#include "trace/trace.h"

#include <fmt/format.h>
#include <limelight/error.h>

#include <algorithm>

namespace limelight {

std::int64_t TraceTensor::token_of(std::int64_t row) const {
  return rows.empty() ? row : rows[static_cast<std::size_t>(row)];
}

std::int64_t TraceTensor::row_of(std::int64_t token) const {
  if (rows.empty()) return token < values.rows ? token : -1;
  const auto place = std::lower_bound(rows.begin(), rows.end(), token);
  return place != rows.end() && *place == token ? place - rows.begin() : -1;
}

const TraceTensor& Trace::add(TraceTensor tensor) {
  const auto [place, added] = places_.emplace(tensor.name, tensors_.size());
  if (!added) throw Error("trace: there is a tensor called " + tensor.name + " already");
  tensors_.push_back(std::move(tensor));
  return tensors_.back();
}

const TraceTensor& Trace::add(std::string name, std::array<std::string, 2> axes, Matrix values,
                              Recipe recipe, std::vector<std::int64_t> rows) {
  auto storage = std::make_shared<const Matrix>(std::move(values));
  const MatrixView view = *storage;
  return add(TraceTensor{std::move(name), std::move(axes), view, std::move(recipe), std::move(rows),
                         std::move(storage)});
}

const TraceTensor* Trace::find(std::string_view name) const {
  const auto place = places_.find(name);
  return place == places_.end() ? nullptr : &tensors_[place->second];
}

const TraceTensor& Trace::at(std::string_view name) const {
  if (const TraceTensor* tensor = find(name)) return *tensor;
  throw Error("trace: expected the name of a recorded tensor, got " + std::string(name));
}

std::span<const float> Trace::row(std::string_view name, std::int64_t token) const {
  const TraceTensor& tensor = at(name);
  const std::int64_t row = tensor.row_of(token);
  if (row < 0) {
    throw Error(fmt::format("trace: expected a token that {} keeps, got {}", name, token));
  }
  return tensor.values.row(row);
}

std::string layer_tensor(std::int64_t layer, std::string_view name) {
  return fmt::format("layer.{}.{}", layer, name);
}

std::string head_tensor(std::int64_t layer, std::int64_t head, std::string_view name) {
  return fmt::format("layer.{}.head.{}.{}", layer, head, name);
}

}  // namespace limelight
