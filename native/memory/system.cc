#include "memory/system.h"

#include <sys/mman.h>
#include <unistd.h>

namespace drey {
namespace {

class Posix final : public SystemMemory {
 public:
  uint64_t Granularity() const noexcept override {
    return static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  }

  uint64_t Physical() const noexcept override {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    return pages <= 0 ? 0 : static_cast<uint64_t>(pages) * Granularity();
  }

  uint8_t* Reserve(uint64_t bytes) noexcept override {
    int flags = MAP_PRIVATE | MAP_ANON;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    void* const start = ::mmap(nullptr, bytes, PROT_NONE, flags, -1, 0);
    return start == MAP_FAILED ? nullptr : static_cast<uint8_t*>(start);
  }

  void Release(uint8_t* start, uint64_t bytes) noexcept override { ::munmap(start, bytes); }

  bool Commit(uint8_t* start, uint64_t bytes) noexcept override {
    return ::mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0;
  }

  // A new mapping in place of the old gives back what the system had promised as well, where it keeps count.
  void GiveBack(uint8_t* start, uint64_t bytes) noexcept override {
    int flags = MAP_PRIVATE | MAP_ANON | MAP_FIXED;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    if (::mmap(start, bytes, PROT_NONE, flags, -1, 0) != MAP_FAILED) return;
    // Too many mappings: the memory still goes.
    ::madvise(start, bytes, MADV_DONTNEED);
  }
};

}  // namespace

SystemMemory& PosixMemory() noexcept {
  static Posix memory;
  return memory;
}

}  // namespace drey
