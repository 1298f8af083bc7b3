#include "attention/check_view.h"

#include <algorithm>
#include <limits>

#include "attention/memory_overlap.h"

namespace limelight {
namespace {

[[noreturn]] void fail(std::string_view name, const std::string& what) {
  throw Error(std::string(name) + ": " + what);
}

std::string strides_string(ConstTensorView view) {
  std::string text = "[";
  for (int axis = 0; axis < view.rank(); ++axis) {
    text += (axis ? ", " : "") + std::to_string(view.stride(axis));
  }
  return text + "]";
}

/// Throws unless the last element's last byte can be addressed.
void check_extent(std::string_view name, ConstTensorView view) {
  constexpr std::int64_t kMostBytes = std::numeric_limits<std::int64_t>::max() / 4;
  const auto width = static_cast<std::int64_t>(size_of(view.dtype()));
  std::int64_t elements = 1;
  std::int64_t last = 0;
  for (int axis = 0; axis < view.rank(); ++axis) {
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(elements, view.size(axis), &elements) ||
        __builtin_mul_overflow(view.size(axis) - 1, view.stride(axis), &reach) ||
        __builtin_add_overflow(last, reach, &last) || last >= kMostBytes / width ||
        elements >= kMostBytes / width) {
      fail(name, "sizes and strides reach beyond what memory can hold, got shape " +
                     view.shape_string() + " with strides " + strides_string(view));
    }
  }
}

}  // namespace

std::string shape_string(std::initializer_list<std::int64_t> sizes) {
  std::string text = "[";
  for (const std::int64_t size : sizes) {
    if (text.size() > 1) text += ", ";
    text += size == kAnySize ? "*" : std::to_string(size);
  }
  return text + "]";
}

void check_memory(std::string_view name, ConstTensorView view, bool dense_rows) {
  bool no_elements = false;
  bool negative_stride = false;
  for (int axis = 0; axis < view.rank(); ++axis) {
    if (view.size(axis) < 0) {
      fail(name, "expected sizes of 0 or more, got shape " + view.shape_string());
    }
    negative_stride = negative_stride || view.stride(axis) < 0;
    no_elements = no_elements || view.size(axis) == 0;
  }
  if (negative_stride) {
    fail(name, "expected strides of 0 or more, got " + strides_string(view) + " for shape " +
                   view.shape_string());
  }
  if (no_elements) return;
  check_extent(name, view);
  if (view.raw() == nullptr) {
    fail(name, "expected data for shape " + view.shape_string() + ", got a null pointer");
  }
  if (reinterpret_cast<std::uintptr_t>(view.raw()) % size_of(view.dtype()) != 0) {
    fail(name, "expected data aligned to its element, " + std::to_string(size_of(view.dtype())) +
                   " bytes of " + std::string(name_of(view.dtype())) +
                   ", got an address that is not a multiple of it");
  }
  const int last = view.rank() - 1;
  if (dense_rows && last >= 0 && view.size(last) > 1 && view.stride(last) != 1) {
    fail(name, "expected a last stride of 1, got strides " + strides_string(view) + " for shape " +
                   view.shape_string());
  }
}

void check_rank(std::string_view name, ConstTensorView view, int rank, std::string_view meaning) {
  if (view.rank() == rank) return;
  fail(name, "expected " + std::to_string(rank) + " axes " + std::string(meaning) + ", got shape " +
                 view.shape_string());
}

void check_shape(std::string_view name, ConstTensorView view,
                 std::initializer_list<std::int64_t> expected, std::string_view meaning) {
  check_rank(name, view, static_cast<int>(expected.size()), meaning);
  const bool same = std::equal(
      expected.begin(), expected.end(), view.sizes().begin(),
      [](std::int64_t want, std::int64_t got) { return want == kAnySize || want == got; });
  if (same) return;
  fail(name, "expected " + std::string(meaning) + " = " + shape_string(expected) + ", got " +
                 view.shape_string());
}

void check_broadcasts(std::string_view name, ConstTensorView view,
                      std::initializer_list<std::int64_t> full, std::string_view meaning) {
  const int missing = static_cast<int>(full.size()) - view.rank();
  bool fits = missing >= 0;
  for (int axis = 0; fits && axis < view.rank(); ++axis) {
    fits = view.size(axis) == 1 || view.size(axis) == full.begin()[axis + missing];
  }
  if (fits) return;
  fail(name, "expected a shape that broadcasts to " + std::string(meaning) + " = " +
                 shape_string(full) + ", got " + view.shape_string());
}

void check_dtype(std::string_view name, ConstTensorView view,
                 std::initializer_list<DType> allowed) {
  if (std::find(allowed.begin(), allowed.end(), view.dtype()) != allowed.end()) return;
  std::string list;
  for (const DType dtype : allowed) {
    if (!list.empty()) list += dtype == allowed.end()[-1] ? " or " : ", ";
    list += name_of(dtype);
  }
  fail(name, "expected elements of type " + list + ", got " + std::string(name_of(view.dtype())));
}

void check_writable(std::string_view name, ConstTensorView view) {
  if (!overlaps_itself(view)) return;
  fail(name, "is written, so expected every element at a place of its own, got strides " +
                 strides_string(view) + " for shape " + view.shape_string());
}

}  // namespace limelight
