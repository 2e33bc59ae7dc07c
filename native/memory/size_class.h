#pragma once

#include <array>
#include <cstdint>

namespace drey {

// The sizes of slots that a page may be divided into.
//
// Small sizes lie 16 bytes apart. From where that would be finer than whole numbers of slots to a
// page, a size is what a page divided by a whole number gives: nothing is left over at the page's
// end, and at 1 KiB in a page of 64 KiB neighbours are 1/62 apart. Rounding costs half a step on
// average. The largest size, 4 KiB or an eighth of a page, is 1/16 from its neighbour; what is
// larger is stored in pieces.
class SizeClasses {
 public:
  static constexpr uint32_t kMost = 160;
  static constexpr uint32_t kSmallest = 64;
  // No size is larger.
  static constexpr uint32_t kLargest = 32768;

  explicit SizeClasses(uint64_t page_bytes) noexcept;

  uint32_t count() const noexcept { return count_; }
  uint32_t largest() const noexcept { return sizes_[count_ - 1]; }
  uint32_t Size(uint32_t size_class) const noexcept { return sizes_[size_class]; }
  // How many slots a page of that class has; at most 1,024.
  uint32_t Slots(uint32_t size_class) const noexcept { return slots_[size_class]; }
  // The class of the smallest slots that hold `bytes`, at most largest().
  uint32_t For(uint32_t bytes) const noexcept { return by_size_[(bytes + unit_ - 1) / unit_]; }

 private:
  static constexpr uint32_t kUnits = 512;

  uint32_t count_ = 0;
  // Sizes are multiples of it: 8, and more where pages are larger than 64 KiB.
  uint32_t unit_;
  std::array<uint32_t, kMost> sizes_{};
  std::array<uint32_t, kMost> slots_{};
  std::array<uint8_t, kUnits + 1> by_size_{};
};

}  // namespace drey
