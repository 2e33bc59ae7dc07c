#include "memory/whole_pages.h"

namespace drey {

bool DropWholePages(SystemMemory& system, uint8_t* start, uint64_t bytes) noexcept {
  const uint64_t page = system.Granularity();
  const uint64_t before = (page - reinterpret_cast<uintptr_t>(start) % page) % page;
  if (start == nullptr || bytes < before) return false;
  const uint64_t whole = (bytes - before) / page * page;
  return whole > 0 && system.Drop(start + before, whole);
}

}  // namespace drey
