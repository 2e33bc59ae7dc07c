#pragma once

#include <cstdint>
#include <memory>

#include "memory/system.h"

namespace drey {

// One range of memory that Buffers are cut from. A mapping of its own, so that it goes when the
// last that sees it does, whatever became of others; at a huge page where it is as large as one.
//
// Invariant: bytes [0, size()) may be read and written from Map on until the end, given back or
// not: who keeps a Buffer beyond its time reads garbage then, and does not crash.
class BufferSlab {
 public:
  // Null when the system refuses, or `bytes` is 0.
  static std::unique_ptr<BufferSlab> Map(SystemMemory& system, uint64_t bytes) noexcept;
  ~BufferSlab();
  BufferSlab(const BufferSlab&) = delete;
  BufferSlab& operator=(const BufferSlab&) = delete;

  // Gives the memory to the system and keeps the addresses. False when the system cannot.
  bool GiveBack() noexcept;

  uint8_t* data() const noexcept { return data_; }
  uint64_t size() const noexcept { return size_; }

 private:
  BufferSlab(SystemMemory& system, uint8_t* start, uint64_t reserved) noexcept
      : system_(system), start_(start), reserved_(reserved) {}

  SystemMemory& system_;
  uint8_t* const start_;
  const uint64_t reserved_;
  // The part of it that is committed, in whole pages.
  uint8_t* data_ = nullptr;
  uint64_t committed_ = 0;
  uint64_t size_ = 0;
};

}  // namespace drey
