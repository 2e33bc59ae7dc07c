#pragma once

#include <cstdint>

// The arithmetic behind the implementations, done by the compiler, so that no constant has to be
// believed.
//
// A CRC is the remainder of a polynomial over GF(2) modulo P. CRC32C is reflected: in a 32-bit
// register the bit i stands for x^(31-i), so multiplying by x is a shift to the right. That which
// makes fast versions possible is that a remainder can be moved past n more bytes of data by a
// single multiplication, with x^(8n) mod P: pieces of the input can be worked on at the same time
// and joined afterwards.
namespace drey::crc32c {

// P without its leading term x^32, reflected.
inline constexpr uint32_t kPolynomial = 0x82f63b78;

// x^n mod P. Used to initialise constants only, so that no copy of it is emitted into files that
// are compiled for different processors. (consteval would insist on that, but clang 14 refuses it
// inside templates.)
constexpr uint32_t PowerOfX(uint64_t n) {
  uint32_t remainder = uint32_t{1} << 31;
  for (; n > 0; n--) remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? kPolynomial : 0);
  return remainder;
}

}  // namespace drey::crc32c
