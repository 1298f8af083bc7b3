#pragma once

#include <limelight/dtype.h>
#include <limelight/error.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

namespace limelight {

/// The most axes a view can have.
inline constexpr int kMaxRank = 6;

/// A strided view of memory that someone else owns: a pointer, an element type, and for each axis a
/// size and a stride (in elements, not bytes). `Void` is `void` (TensorView) or `const void`
/// (ConstTensorView). A view is a value: copying it copies no element. A default-constructed view
/// has no data and rank 0; `empty()` tells it from a tensor.
template <class Void>
class BasicTensorView {
  template <class T>
  using Element = std::conditional_t<std::is_const_v<Void>, const T, T>;

 public:
  BasicTensorView() = default;

  /// A view of contiguous elements, the last axis fastest.
  BasicTensorView(Void* data, DType dtype, std::span<const std::int64_t> sizes)
      : data_(data), dtype_(dtype) {
    set_sizes(sizes);
    std::int64_t stride = 1;
    for (int axis = rank_ - 1; axis >= 0; --axis) {
      strides_[axis] = stride;
      stride *= sizes_[axis];
    }
  }

  /// A view with strides of its own (in elements).
  BasicTensorView(Void* data, DType dtype, std::span<const std::int64_t> sizes,
                  std::span<const std::int64_t> strides)
      : data_(data), dtype_(dtype) {
    if (sizes.size() != strides.size()) {
      throw Error("strides: expected one stride for each of the " + std::to_string(sizes.size()) +
                  " axes, got " + std::to_string(strides.size()));
    }
    set_sizes(sizes);
    for (int axis = 0; axis < rank_; ++axis) strides_[axis] = strides[axis];
  }

  /// A contiguous view whose element type follows from the pointer.
  template <class T>
  static BasicTensorView of(T* data, std::initializer_list<std::int64_t> sizes) {
    return BasicTensorView(data, kDTypeOf<std::remove_const_t<T>>,
                           std::span(sizes.begin(), sizes.size()));
  }

  /// A mutable view is also a const one.
  template <class Other>
  requires(std::is_const_v<Void> && !std::is_const_v<Other>)
      BasicTensorView(const BasicTensorView<Other>& other)  // NOLINT(google-explicit-constructor)
      : BasicTensorView(other.raw(), other.dtype(), other.sizes(), other.strides()) {}

  bool empty() const { return rank_ == 0 && data_ == nullptr; }
  int rank() const { return rank_; }
  DType dtype() const { return dtype_; }
  std::int64_t size(int axis) const { return sizes_[axis]; }
  std::int64_t stride(int axis) const { return strides_[axis]; }
  std::span<const std::int64_t> sizes() const { return {sizes_.data(), std::size_t(rank_)}; }
  std::span<const std::int64_t> strides() const { return {strides_.data(), std::size_t(rank_)}; }
  Void* raw() const { return data_; }

  /// REQUIRES: dtype() is T's.
  template <class T>
  Element<T>* data() const {
    return static_cast<Element<T>*>(data_);
  }

  /// Number of elements; 1 for rank 0.
  std::int64_t elements() const {
    std::int64_t count = 1;
    for (int axis = 0; axis < rank_; ++axis) count *= sizes_[axis];
    return count;
  }

  /// "[2, 8, 128, 64]"
  std::string shape_string() const {
    std::string text = "[";
    for (int axis = 0; axis < rank_; ++axis) {
      text += (axis ? ", " : "") + std::to_string(sizes_[axis]);
    }
    return text + "]";
  }

  /// The same elements with two axes exchanged.
  BasicTensorView transposed(int a, int b) const {
    BasicTensorView view = *this;
    std::swap(view.sizes_[a], view.sizes_[b]);
    std::swap(view.strides_[a], view.strides_[b]);
    return view;
  }

 private:
  void set_sizes(std::span<const std::int64_t> sizes) {
    if (sizes.size() > kMaxRank) {
      throw Error("sizes: expected at most " + std::to_string(kMaxRank) + " axes, got " +
                  std::to_string(sizes.size()));
    }
    rank_ = static_cast<int>(sizes.size());
    for (int axis = 0; axis < rank_; ++axis) sizes_[axis] = sizes[axis];
  }

  Void* data_ = nullptr;
  DType dtype_ = DType::f32;
  int rank_ = 0;
  std::array<std::int64_t, kMaxRank> sizes_{};
  std::array<std::int64_t, kMaxRank> strides_{};
};

using TensorView = BasicTensorView<void>;
using ConstTensorView = BasicTensorView<const void>;

}  // namespace limelight
