#include "memory/buffer_slab.h"

#include <new>

namespace drey {
namespace {

// No slab is larger; sums of a few such do not overflow.
constexpr uint64_t kMost = uint64_t{1} << 48;

constexpr uint64_t RoundUp(uint64_t bytes, uint64_t to) noexcept {
  return (bytes + to - 1) / to * to;
}

}  // namespace

std::unique_ptr<BufferSlab> BufferSlab::Map(SystemMemory& system, uint64_t bytes) noexcept {
  if (bytes == 0 || bytes > kMost) return nullptr;
  const uint64_t page = system.Granularity();
  const uint64_t huge = system.HugePage();
  const uint64_t committed = RoundUp(bytes, page);
  // Where a mapping begins is the system's choice: addresses for one border more.
  const uint64_t align = huge > page && bytes >= huge ? huge : page;
  const uint64_t reserved = committed + (align - page);
  uint8_t* const start = system.Reserve(reserved);
  if (start == nullptr) return nullptr;
  std::unique_ptr<BufferSlab> slab(new (std::nothrow) BufferSlab(system, start, reserved));
  if (slab == nullptr) {
    system.Release(start, reserved);
    return nullptr;
  }
  const uint64_t skip = (align - reinterpret_cast<uintptr_t>(start) % align) % align;
  if (!system.Commit(start + skip, committed)) return nullptr;
  if (align > page) system.PreferHuge(start + skip, committed);
  slab->data_ = start + skip;
  slab->committed_ = committed;
  slab->size_ = bytes;
  return slab;
}

BufferSlab::~BufferSlab() { system_.Release(start_, reserved_); }

bool BufferSlab::GiveBack() noexcept { return system_.Drop(data_, committed_); }

}  // namespace drey
