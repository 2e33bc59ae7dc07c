#include "memory/size_class.h"

#include <algorithm>

namespace drey {

SizeClasses::SizeClasses(uint64_t page_bytes) noexcept
    : unit_(static_cast<uint32_t>(std::max<uint64_t>(1, page_bytes / (64 * 1024)) * 8)) {
  const auto page = static_cast<uint32_t>(page_bytes);
  const uint32_t largest = std::min({page / 8, unit_ * kUnits, kLargest});
  const uint32_t step = 2 * unit_;
  const auto add = [&](uint32_t size) {
    if (count_ > 0 && size <= sizes_[count_ - 1]) return;
    sizes_[count_] = size;
    slots_[count_] = page / size;
    count_ += 1;
  };
  uint32_t size = std::max(kSmallest, page / 1024);
  // The step from page/(n+1) to page/n is page/(n*(n+1)).
  uint32_t slots = page / size;
  while (page / slots - page / (slots + 1) < step) {
    add(size);
    size += step;
    slots = page / size;
  }
  for (; slots >= page / largest; slots--) add(page / slots / unit_ * unit_);

  uint32_t size_class = 0;
  for (uint32_t at = 0; at <= largest / unit_; at++) {
    while (sizes_[size_class] < at * unit_) size_class += 1;
    by_size_[at] = static_cast<uint8_t>(size_class);
  }
}

}  // namespace drey
