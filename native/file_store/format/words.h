#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "core/load.h"
#include "core/slice.h"

// Little-endian words, at any address. The caller has compared lengths.
namespace drey::file {

inline uint16_t Load16(const uint8_t* from) noexcept {
  return static_cast<uint16_t>(from[0] | from[1] << 8);
}

inline double LoadDouble(const uint8_t* from) noexcept {
  return std::bit_cast<double>(Load64(from));
}

inline void Store16(uint8_t* to, uint16_t word) noexcept {
  to[0] = static_cast<uint8_t>(word);
  to[1] = static_cast<uint8_t>(word >> 8);
}

inline void Store32(uint8_t* to, uint32_t word) noexcept {
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap32(word);
  std::memcpy(to, &word, sizeof word);
}

inline void Store64(uint8_t* to, uint64_t word) noexcept {
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  std::memcpy(to, &word, sizeof word);
}

inline void StoreDouble(uint8_t* to, double number) noexcept {
  Store64(to, std::bit_cast<uint64_t>(number));
}

inline bool AllZero(Slice bytes) noexcept {
  for (const uint8_t byte : bytes) {
    if (byte != 0) return false;
  }
  return true;
}

}  // namespace drey::file
