#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/slice.h"

// CRC32C (Castagnoli): the checksum of every byte that drey keeps on a disk, as defined in RFC
// 3720, appendix B.4: polynomial 0x1EDC6F41, reflected, initial value and final inversion all ones.
//
// There is one implementation per instruction set, each in a file of its own that is compiled with
// the flags of that set and no other. Which of them this processor can run is found out once, at
// run time: the binary that is shipped was built on another machine.
namespace drey::crc32c {

struct Implementation {
  // Advances the register of the checksum, uninverted, over `size` bytes.
  using Update = uint32_t (*)(uint32_t state, const uint8_t* data, size_t size) noexcept;

  const char* name;
  Update update;

  // The checksum of `bytes` appended to data whose checksum is `crc`; 0 is that of no data.
  uint32_t Extend(uint32_t crc, Slice bytes) const noexcept {
    return ~update(~crc, bytes.data(), bytes.size());
  }
};

// Those that this processor can run, fastest first. Never empty: the portable one comes last.
std::span<const Implementation> Implementations() noexcept;

inline const Implementation& Fastest() noexcept { return Implementations().front(); }

}  // namespace drey::crc32c
