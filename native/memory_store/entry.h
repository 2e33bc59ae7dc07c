#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "memory_store/body.h"
#include "memory_store/metadata.h"
#include "memory_store/wheel.h"

namespace drey {

// How an entry lies in its slot:
//
//   mark        2  what follows; never 0
//   key size    2
//   value size  2  of a value that is in the slot
//   cached at   6  milliseconds, when they are a whole number below 2^48
//   version     4
//   [cached at  8] otherwise
//   [times     16] fresh until, stale if error until; absent when all three are never
//   [stale      8] stale until; absent when it is not later than fresh until
//   [links      8] of the wheel; when the latest of those times is finite
//   [body       8] the address of a Body: the value is in pieces
//   [sizes      8] of etag and user, when there is one of them
//   key, etag, user  unless the mark says that they are in the body
//   value       unless it is in pieces
//
// Everything is read and written by memcpy: nothing is aligned but the slot.
class Entry {
 public:
  enum Mark : uint16_t {
    kUsed = 1 << 0,
    // A piece of a value, not an entry.
    kPiece = 1 << 1,
    kNegative = 1 << 2,
    kWideTime = 1 << 3,
    kTimes = 1 << 4,
    kExpires = 1 << 5,
    kChained = 1 << 6,
    kEtag = 1 << 7,
    kUser = 1 << 8,
    kOutside = 1 << 9,
    kStale = 1 << 10,
    // Two bits: how often the store had been cleared, modulo 4.
    kEpochShift = 14,
  };

  static constexpr uint32_t kFixedBytes = 16;
  static constexpr uint16_t kText = kEtag | kUser;

  explicit Entry(uint8_t* slot) noexcept : slot_(slot) {}

  // The marks that metadata asks for.
  static uint16_t MarksOf(const Metadata& metadata) noexcept;
  // Bytes before the key.
  static uint32_t HeadBytes(uint16_t mark) noexcept;

  uint16_t mark() const noexcept { return Get<uint16_t>(0); }
  bool Is(uint16_t marks) const noexcept { return (mark() & marks) != 0; }
  uint32_t epoch() const noexcept { return uint32_t{mark()} >> kEpochShift; }
  uint32_t version() const noexcept { return Get<uint32_t>(12); }
  Body* body() const noexcept { return Is(kChained) ? Get<Body*>(BodyAt()) : nullptr; }
  uint64_t size() const noexcept { return Is(kChained) ? body()->size : Get<uint16_t>(4); }

  Slice key() const noexcept { return {Text(), Get<uint16_t>(2)}; }
  // Etag and user, one after the other.
  Slice text() const noexcept;
  // The value, of an entry that has it in its slot.
  const uint8_t* value() const noexcept;
  uint8_t* value() noexcept { return const_cast<uint8_t*>(std::as_const(*this).value()); }

  double useful_until() const noexcept;
  Head head() const noexcept;

  WheelLinks links() const noexcept { return Get<WheelLinks>(LinksAt()); }
  void set_links(WheelLinks links) noexcept { Set(LinksAt(), links); }
  void set_body(Body* body) noexcept { Set(BodyAt(), body); }

  // Writes all but the value; `mark` says what there is. Key and texts go to `outside` where the
  // mark says so.
  void Write(uint16_t mark, uint32_t version, Slice key, uint64_t size, const Metadata& metadata,
             uint8_t* outside) noexcept;

 private:
  template <class T>
  T Get(uint32_t at) const noexcept {
    T value;
    std::memcpy(&value, slot_ + at, sizeof value);
    return value;
  }
  template <class T>
  void Set(uint32_t at, T value) noexcept {
    std::memcpy(slot_ + at, &value, sizeof value);
  }
  uint32_t TimesAt() const noexcept { return kFixedBytes + (Is(kWideTime) ? 8 : 0); }
  uint32_t StaleAt() const noexcept { return TimesAt() + (Is(kTimes) ? 16 : 0); }
  uint32_t LinksAt() const noexcept { return StaleAt() + (Is(kStale) ? 8 : 0); }
  uint32_t BodyAt() const noexcept { return LinksAt() + (Is(kExpires) ? 8 : 0); }
  uint32_t SizesAt() const noexcept { return BodyAt() + (Is(kChained) ? 8 : 0); }
  // Where the key begins.
  const uint8_t* Text() const noexcept;

  uint8_t* slot_;
};

}  // namespace drey
