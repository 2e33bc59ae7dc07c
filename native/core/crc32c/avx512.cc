#include <immintrin.h>

#include "core/crc32c/polynomial.h"
#include "core/crc32c/update.h"
#include "core/load.h"

// x86-64 with AVX-512 and VPCLMULQDQ: 64 bytes are folded by two multiplications (V. Gopal et al.,
// "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009, four
// lanes wide).
//
// Folding. A lane of 128 bits holds a polynomial whose bit i stands for x^(127-i): its low half is
// H·x^64, its high half L, where bit i of either half stands for x^(63-i). Moving the lane D bits
// forward modulo P means H·(x^(D+64) mod P) + L·(x^D mod P), which is congruent and again fits a
// lane. The carry-less product of two halves has bit k for x^(126-k); read as a lane it is the
// product times x, so the factors are x^(D+63) and x^(D-1). Such a factor has a degree below 32: as
// a half it is the reflected remainder in the upper 32 bits.
namespace drey::crc32c {
namespace {

constexpr size_t kVector = 64;
// Vectors in flight. A multiplication has a latency of 3 to 8 cycles and there is one unit for it;
// four hide that and leave little to join at the end. More of them, or CRC32 instructions beside
// them, measured no faster.
constexpr size_t kVectors = 4;

// The two factors that move a lane kBytes forward, for the low and the high half.
template <uint64_t kBytes>
__m512i Factors() noexcept {
  constexpr uint64_t kLow = uint64_t{PowerOfX(8 * kBytes + 63)} << 32;
  constexpr uint64_t kHigh = uint64_t{PowerOfX(8 * kBytes - 1)} << 32;
  return _mm512_set_epi64(static_cast<int64_t>(kHigh), static_cast<int64_t>(kLow),
                          static_cast<int64_t>(kHigh), static_cast<int64_t>(kLow),
                          static_cast<int64_t>(kHigh), static_cast<int64_t>(kLow),
                          static_cast<int64_t>(kHigh), static_cast<int64_t>(kLow));
}

// Moves `lanes` forward and adds what lies there.
__m512i Fold(__m512i lanes, __m512i factors, __m512i there) noexcept {
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lanes, factors, 0x00),
                                   _mm512_clmulepi64_epi128(lanes, factors, 0x11), there,
                                   kXorOfThree);
}

}  // namespace

uint32_t UpdateAvx512(uint32_t state, const uint8_t* data, size_t size) noexcept {
  // Below this the wide registers do not pay; and every processor that is here can run the other.
  if (size < kVector) return UpdateSse42(state, data, size);

  const __m512i past_one = Factors<kVector>();
  // The register of the checksum is added to the first four bytes, as if the data had begun
  // earlier.
  const __m512i before = _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state)));
  __m512i lanes = _mm512_xor_si512(_mm512_loadu_si512(data), before);

  if (size >= kVectors * kVector) {
    const __m512i past_all = Factors<kVectors * kVector>();
    __m512i second = _mm512_loadu_si512(data + kVector);
    __m512i third = _mm512_loadu_si512(data + 2 * kVector);
    __m512i fourth = _mm512_loadu_si512(data + 3 * kVector);
    data += kVectors * kVector;
    size -= kVectors * kVector;
    for (; size >= kVectors * kVector; data += kVectors * kVector, size -= kVectors * kVector) {
      lanes = Fold(lanes, past_all, _mm512_loadu_si512(data));
      second = Fold(second, past_all, _mm512_loadu_si512(data + kVector));
      third = Fold(third, past_all, _mm512_loadu_si512(data + 2 * kVector));
      fourth = Fold(fourth, past_all, _mm512_loadu_si512(data + 3 * kVector));
    }
    lanes = Fold(lanes, past_one, second);
    lanes = Fold(lanes, past_one, third);
    lanes = Fold(lanes, past_one, fourth);
  } else {
    data += kVector;
    size -= kVector;
  }
  for (; size >= kVector; data += kVector, size -= kVector) {
    lanes = Fold(lanes, past_one, _mm512_loadu_si512(data));
  }

  // What is left are 64 bytes that have the same remainder as all that came before, and the tail.
  alignas(kVector) uint8_t folded[kVector];
  _mm512_store_si512(folded, lanes);
  return UpdateSse42(UpdateSse42(0, folded, kVector), data, size);
}

}  // namespace drey::crc32c
