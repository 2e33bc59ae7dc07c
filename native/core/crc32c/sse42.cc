#include <nmmintrin.h>
#include <wmmintrin.h>

#include "core/crc32c/interleave.h"
#include "core/crc32c/update.h"

// x86-64 with the CRC32 instruction of SSE4.2 and the carry-less multiplication of PCLMULQDQ.
namespace drey::crc32c {
namespace {

struct Sse42 {
  // The instruction works on 64 bits and leaves the upper half zero: with a register of that width
  // the compiler need not clear it again and again.
  using Register = uint64_t;

  static Register Word(Register state, uint64_t word) noexcept {
    return _mm_crc32_u64(state, word);
  }
  static Register Half(Register state, uint32_t half) noexcept {
    return _mm_crc32_u32(static_cast<uint32_t>(state), half);
  }
  static Register Byte(Register state, uint8_t byte) noexcept {
    return _mm_crc32_u8(static_cast<uint32_t>(state), byte);
  }
  static uint64_t Multiply(uint32_t a, uint32_t b) noexcept {
    const __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128(int64_t{a}), _mm_cvtsi64_si128(int64_t{b}), 0x00);
    return static_cast<uint64_t>(_mm_cvtsi128_si64(product));
  }
};

}  // namespace

uint32_t UpdateSse42(uint32_t state, const uint8_t* data, size_t size) noexcept {
  // The lengths of the stretches: joining costs about 15 cycles, which 4,096 bytes make vanish; the
  // shorter ones keep the last few hundred bytes, and small inputs, off the path of a word every
  // three cycles.
  Sse42::Register wide = state;
  wide = Interleaved<Sse42>::Triples<4096>(wide, data, size);
  wide = Interleaved<Sse42>::Triples<512>(wide, data, size);
  wide = Interleaved<Sse42>::Triples<64>(wide, data, size);
  return static_cast<uint32_t>(Interleaved<Sse42>::Words(wide, data, size));
}

}  // namespace drey::crc32c
