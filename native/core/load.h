#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace drey {

// Reads little-endian words from any address: input has whatever alignment the caller's slice has.
//
// Always inlined, because files that are compiled for different processors include this: a copy
// that was emitted out of line with AVX-512 in it could be the one that the linker keeps for all of
// them.

[[gnu::always_inline]] inline uint64_t Load64(const uint8_t* from) noexcept {
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

[[gnu::always_inline]] inline uint32_t Load32(const uint8_t* from) noexcept {
  uint32_t word;
  std::memcpy(&word, from, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap32(word);
  return word;
}

}  // namespace drey
