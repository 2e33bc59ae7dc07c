#pragma once

#include <cstdint>

namespace drey {

// The system calls of memory, behind a seam, so that tests can let them fail.
//
// Reserving takes addresses and no memory; committing makes a range usable, and memory is taken
// when it is first touched; giving back drops the memory and keeps the addresses. All ranges are
// multiples of Granularity(). An implementation may be called from several threads at once.
class SystemMemory {
 public:
  virtual ~SystemMemory() = default;

  virtual uint64_t Granularity() const noexcept = 0;
  // What is worth committing at once where there is much of it: a huge page, or Granularity().
  virtual uint64_t HugePage() const noexcept = 0;
  // Bytes of memory that the machine has.
  virtual uint64_t Physical() const noexcept = 0;
  // Null when the system has no such range.
  virtual uint8_t* Reserve(uint64_t bytes) noexcept = 0;
  virtual void Release(uint8_t* start, uint64_t bytes) noexcept = 0;
  // False when the system refuses.
  virtual bool Commit(uint8_t* start, uint64_t bytes) noexcept = 0;
  // The bytes are undefined afterwards, until they are committed again.
  virtual void GiveBack(uint8_t* start, uint64_t bytes) noexcept = 0;
  // The same for a committed range that stays so: the bytes are undefined afterwards, and touching
  // them takes memory again. False when the system cannot, and nothing has changed.
  virtual bool Drop(uint8_t* /*start*/, uint64_t /*bytes*/) noexcept { return false; }
  // Asks for huge pages in a range, where there are such.
  virtual void PreferHuge(uint8_t* /*start*/, uint64_t /*bytes*/) noexcept {}
};

// The real one. It has no state.
SystemMemory& PosixMemory() noexcept;

}  // namespace drey
