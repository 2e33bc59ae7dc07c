#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drey {

// Of one tag: entries of work that began before `hard` are gone, of work that began before `soft`
// stale since `at`. Without a tag it is the base: it counts for every tag.
struct TagFloor {
  std::string tag;
  uint64_t hard = 0;
  uint64_t soft = 0;
  // Epoch milliseconds of the last soft invalidation.
  double at = 0;
};

// What was invalidated by tag (docs/decisions/0009-tags.md).
//
// Invariants:
//  - No floor is above `sequence`. Floors, base and sequence only rise: to add is to join, so what
//  is added twice, or in another order, comes to the same.
//  - There are at most kMostFloors floors beside the base, and their cost is at most what the
//  constructor was given. The one that was changed longest ago is given up into the base, so what
//  was invalidated stays so.
//  - `changed` of a floor is the `version` of its last change, and the list is in that order.
class TagFloors {
 public:
  static constexpr size_t kMostFloors = 10'000;
  // Numbers that are skipped where invalidations may have been lost: no store comes to so many by
  // counting. What is beyond kMostSequence is no sequence.
  static constexpr uint64_t kLeap = uint64_t{1} << 32;
  static constexpr uint64_t kMostSequence = uint64_t{1} << 52;

  // A floor costs `each` bytes and those of its tag.
  TagFloors(uint64_t most_bytes, uint64_t each) noexcept : most_bytes_(most_bytes), each_(each) {}
  TagFloors(const TagFloors&) = delete;
  TagFloors& operator=(const TagFloors&) = delete;

  // The number of the last invalidation.
  uint64_t sequence() const noexcept { return sequence_; }
  // Rises with every change.
  uint64_t version() const noexcept { return version_; }
  uint64_t bytes() const noexcept { return bytes_; }

  // A new invalidation, with a number that is greater than `least`: of each of `given`, whatever of
  // hard and soft is not 0 becomes that.
  void Invalidate(std::span<const TagFloor> given, uint64_t least);
  // What somebody else knows.
  void Join(std::span<const TagFloor> given, uint64_t sequence);
  // Invalidations may have been lost: nothing that has tags and is older than now counts any more.
  void RaiseAll();

  // What was changed after `version`, the base first.
  std::vector<TagFloor> Since(uint64_t version) const;

 private:
  struct Item {
    TagFloor floor;
    uint64_t changed;
  };
  using Items = std::list<Item>;

  void Join(const TagFloor& floor);
  void JoinBase(const TagFloor& floor);
  uint64_t CostOf(const TagFloor& floor) const noexcept { return each_ + floor.tag.size(); }

  const uint64_t most_bytes_;
  const uint64_t each_;
  uint64_t sequence_ = 0;
  uint64_t version_ = 0;
  uint64_t bytes_ = 0;
  TagFloor base_;
  uint64_t base_changed_ = 0;
  Items items_;
  // Of the strings in items_. Ordered, not hashed: nobody can choose tags that make it slow.
  std::map<std::string_view, Items::iterator> by_tag_;
};

}  // namespace drey
