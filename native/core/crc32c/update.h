#pragma once

#include <cstddef>
#include <cstdint>

// One function per instruction set, to be called only where that set is there: see crc32c.cc, which
// asks.
namespace drey::crc32c {

uint32_t UpdatePortable(uint32_t state, const uint8_t* data, size_t size) noexcept;

#if defined(__x86_64__)
uint32_t UpdateSse42(uint32_t state, const uint8_t* data, size_t size) noexcept;
uint32_t UpdateAvx512(uint32_t state, const uint8_t* data, size_t size) noexcept;
#elif defined(__aarch64__)
uint32_t UpdateArmv8(uint32_t state, const uint8_t* data, size_t size) noexcept;
#endif

}  // namespace drey::crc32c
