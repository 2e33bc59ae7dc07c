#include "memory/system.h"

#include <sys/mman.h>
#include <unistd.h>

namespace drey {
namespace {

constexpr uint64_t kWorthAMapping = 1024 * 1024;
constexpr uint64_t kLargeRange = 64 * 1024 * 1024;

class Posix final : public SystemMemory {
 public:
  uint64_t Granularity() const noexcept override {
    return static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  }

  uint64_t HugePage() const noexcept override {
#ifdef MADV_HUGEPAGE
    return 2 * 1024 * 1024;
#else
    return Granularity();
#endif
  }

  uint64_t Physical() const noexcept override {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    return pages <= 0 ? 0 : static_cast<uint64_t>(pages) * Granularity();
  }

  // A large range begins at a huge page and asks for such: a random read of a gigabyte in small
  // pages misses the processor's table of addresses nearly every time. They come where a whole one
  // is committed at once.
  uint8_t* Reserve(uint64_t bytes) noexcept override {
    const uint64_t align = bytes >= kLargeRange ? HugePage() : 0;
    int flags = MAP_PRIVATE | MAP_ANON;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    void* const mapped = ::mmap(nullptr, bytes + align, PROT_NONE, flags, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* const start = static_cast<uint8_t*>(mapped);
    if (align == 0) return start;
    const uint64_t before = (align - reinterpret_cast<uintptr_t>(start) % align) % align;
    if (before > 0) ::munmap(start, before);
    if (before < align) ::munmap(start + before + bytes, align - before);
    PreferHuge(start + before, bytes);
    return start + before;
  }

  void Release(uint8_t* start, uint64_t bytes) noexcept override { ::munmap(start, bytes); }

  bool Commit(uint8_t* start, uint64_t bytes) noexcept override {
    return ::mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0;
  }

  // A new mapping in place of the old gives back what the system had promised as well, where it
  // keeps count. Not for the pages of a store, one here and one there: a process has only so many
  // mappings (65,530 on Linux), and its other parts need some.
  void GiveBack(uint8_t* start, uint64_t bytes) noexcept override {
#ifdef __linux__
    if (bytes < kWorthAMapping && ::madvise(start, bytes, MADV_DONTNEED) == 0) return;
#endif
    int flags = MAP_PRIVATE | MAP_ANON | MAP_FIXED;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    if (::mmap(start, bytes, PROT_NONE, flags, -1, 0) != MAP_FAILED) return;
    // Too many mappings: the memory still goes.
    ::madvise(start, bytes, MADV_DONTNEED);
  }

  bool Drop(uint8_t* start, uint64_t bytes) noexcept override {
#ifdef __linux__
    return ::madvise(start, bytes, MADV_DONTNEED) == 0;
#else
    // Elsewhere that is a hint, which the system may take its time with.
    return ::mmap(start, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1,
                  0) != MAP_FAILED;
#endif
  }

  void PreferHuge([[maybe_unused]] uint8_t* start,
                  [[maybe_unused]] uint64_t bytes) noexcept override {
#ifdef MADV_HUGEPAGE
    ::madvise(start, bytes, MADV_HUGEPAGE);
#endif
  }
};

}  // namespace

SystemMemory& PosixMemory() noexcept {
  // Never destroyed: threads may still use stores while the process exits and its statics are
  // destroyed.
  static auto* const memory = new Posix;
  return *memory;
}

}  // namespace drey
