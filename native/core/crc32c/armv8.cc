#include <arm_acle.h>

#include "core/crc32c/interleave.h"
#include "core/crc32c/update.h"

// AArch64 with the CRC32 instructions, which are optional in ARMv8.0 and always there from 8.1.
namespace drey::crc32c {
namespace {

struct Armv8 {
  using Register = uint32_t;

  static Register Word(Register state, uint64_t word) noexcept { return __crc32cd(state, word); }
  static Register Half(Register state, uint32_t half) noexcept { return __crc32cw(state, half); }
  static Register Byte(Register state, uint8_t byte) noexcept { return __crc32cb(state, byte); }

  // PMULL would do this in one instruction, but it belongs to the cryptographic extension, which
  // some processors with CRC32 have not (that of the Raspberry Pi 4). Thirty-two independent steps
  // are cheap enough where they come once in twelve KiB.
  static uint64_t Multiply(uint32_t a, uint32_t b) noexcept {
    uint64_t product = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
      product ^= (uint64_t{b} << bit) & (uint64_t{0} - uint64_t{(a >> bit) & 1});
    }
    return product;
  }
};

}  // namespace

uint32_t UpdateArmv8(uint32_t state, const uint8_t* data, size_t size) noexcept {
  state = Interleaved<Armv8>::Triples<4096>(state, data, size);
  state = Interleaved<Armv8>::Triples<1024>(state, data, size);
  return Interleaved<Armv8>::Words(state, data, size);
}

}  // namespace drey::crc32c
