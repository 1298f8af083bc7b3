#include "base/aligned_buffer.h"

#include <sys/mman.h>

namespace limelight {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{bytes < kHugePage ? kCacheLine : kHugePage};
}

}  // namespace

void* allocate_zeroed(std::size_t bytes) {
  void* memory = ::operator new(bytes, alignment_of(bytes));
  // Small pages serve as well, so an answer is not waited for. What stands behind the last whole
  // huge page stays on small ones: no more memory is touched than was asked for.
  if (bytes >= kHugePage) ::madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return std::memset(memory, 0, bytes);
}

void free_zeroed(void* memory, std::size_t bytes) noexcept {
  ::operator delete(memory, alignment_of(bytes));
}

}  // namespace limelight
