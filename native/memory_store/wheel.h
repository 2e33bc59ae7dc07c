#pragma once

#include <array>
#include <cstdint>

namespace drey {

// Links of an entry that will expire, kept in the entry itself.
struct WheelLinks {
  // The entry before, or kHead plus the number of the list that this one begins.
  uint32_t previous;
  uint32_t next;
};

// Where those links and the deadlines are.
class WheelEntries {
 public:
  virtual WheelLinks LinksOf(uint32_t handle) const noexcept = 0;
  virtual void SetLinks(uint32_t handle, WheelLinks links) noexcept = 0;
  // Epoch milliseconds, rounded up.
  virtual uint64_t DeadlineOf(uint32_t handle) const noexcept = 0;

 protected:
  ~WheelEntries() = default;
};

// Which entries have expired, without looking at those that have not: a hierarchical timing wheel
// (G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels", 1987) of six levels with 64
// lists each; a list of level L spans 64^L ms. What lies further ahead than the last level, two
// years, waits in its last list and is filed anew then.
//
// Invariants:
//  - An entry is in one list: the due list when its deadline is at most `elapsed_`; else the list
//  that its deadline falls
//    into at the level of the highest 6 bits in which deadline and `elapsed_` differ, or at the
//    last level.
//  - A bit of `occupied_` is set exactly while its list is not empty.
// Filing, removing and expiring are O(1), an entry changes its list at most five times; a clock
// that goes back only delays. Not for several threads: the shard's lock guards it.
class Wheel {
 public:
  explicit Wheel(WheelEntries& entries) noexcept;

  void Add(uint32_t handle) noexcept;
  void Remove(uint32_t handle) noexcept;
  // An entry whose deadline has come at `now`, still filed; kNobody when there is none.
  uint32_t Due(uint64_t now) noexcept;

  static constexpr uint32_t kNobody = UINT32_MAX;

 private:
  static constexpr uint32_t kLevels = 6;
  static constexpr uint32_t kLists = 64;
  static constexpr uint32_t kDueList = kLevels * kLists;
  // Handles stay below it.
  static constexpr uint32_t kHead = uint32_t{1} << 31;

  uint32_t ListFor(uint64_t deadline) const noexcept;
  void Push(uint32_t list, uint32_t handle) noexcept;
  void Advance(uint64_t now) noexcept;

  WheelEntries& entries_;
  uint64_t elapsed_ = 0;
  std::array<uint64_t, kLevels> occupied_{};
  std::array<uint32_t, kDueList + 1> first_;
};

}  // namespace drey
