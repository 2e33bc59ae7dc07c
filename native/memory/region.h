#pragma once

#include <cstdint>

#include "memory/ledger.h"
#include "memory/system.h"

namespace drey {

// A range of addresses of which a prefix is committed, for tables that grow without moving.
//
// Invariants: bytes [0, committed()) may be used, and are in the ledger; committed memory that was
// never written, or was given back and committed again, reads as anything. Not for several threads:
// the owner's lock guards it.
class Region {
 public:
  Region() noexcept = default;
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  // False when the system has no such range.
  [[nodiscard]] bool Reserve(SystemMemory& system, Ledger& ledger, uint64_t bytes) noexcept;

  // What a failed Grow wants for.
  enum class Growth : uint8_t { kDone, kNoRoom, kRefused };
  // Makes at least `bytes` usable: kNoRoom when the ledger has no room for it or the range ends,
  // kRefused when the system says no.
  Growth Grow(uint64_t bytes) noexcept;
  // Gives back what lies beyond `bytes`, in whole steps.
  void Shrink(uint64_t bytes) noexcept;

  uint8_t* data() const noexcept { return start_; }
  uint64_t committed() const noexcept { return committed_; }

 private:
  uint64_t Step() const noexcept;

  SystemMemory* system_ = nullptr;
  Ledger* ledger_ = nullptr;
  uint8_t* start_ = nullptr;
  uint64_t reserved_ = 0;
  uint64_t committed_ = 0;
};

}  // namespace drey
