#pragma once

#include <cstddef>
#include <cstdint>

#include "core/crc32c/polynomial.h"
#include "core/load.h"

// What the processors with a CRC32C instruction have in common.
//
// Such an instruction takes one word and has to wait for the one before it: three cycles of
// latency, though a new one could start in each. So three stretches of the input, of the same
// length, are worked on side by side, and their remainders joined by carry-less multiplication (V.
// Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction", Intel, 2011).
//
// Joining. The instruction maps a register of zero and a word w to w·x^32 mod P, where bit i of w
// stands for x^(63-i). The carry-less product of remainders a and b, both with bit i for x^(31-i),
// has bit k for x^(62-k); read as such a word it stands for a·b·x. So the instruction makes
// a·b·x^33 of it, and b has to be x^(8n-33) mod P to move a past n bytes.
//
// `Machine` gives the instructions: Register; Word, Half and Byte, which advance it; Multiply, 32
// by 32 to 63 bits. It must be a type of an unnamed namespace, so that what is instantiated here
// stays inside the file that was compiled for that processor.
namespace drey::crc32c {

template <class Machine>
struct Interleaved {
  using Register = typename Machine::Register;

  // Takes whole groups of three stretches of kStretch bytes off the front of the input.
  template <size_t kStretch>
  static Register Triples(Register state, const uint8_t*& data, size_t& size) noexcept {
    constexpr uint32_t kPastOne = PowerOfX(8 * kStretch - 33);
    constexpr uint32_t kPastTwo = PowerOfX(16 * kStretch - 33);
    while (size >= 3 * kStretch) {
      Register first = state;
      Register second = 0;
      Register third = 0;
      for (size_t at = 0; at < kStretch; at += 8) {
        first = Machine::Word(first, Load64(data + at));
        second = Machine::Word(second, Load64(data + kStretch + at));
        third = Machine::Word(third, Load64(data + 2 * kStretch + at));
      }
      const uint64_t moved = Machine::Multiply(static_cast<uint32_t>(first), kPastTwo) ^
                             Machine::Multiply(static_cast<uint32_t>(second), kPastOne);
      state = third ^ Machine::Word(0, moved);
      data += 3 * kStretch;
      size -= 3 * kStretch;
    }
    return state;
  }

  // The rest, one after another.
  static Register Words(Register state, const uint8_t* data, size_t size) noexcept {
    for (; size >= 8; data += 8, size -= 8) state = Machine::Word(state, Load64(data));
    if (size >= 4) {
      state = Machine::Half(state, Load32(data));
      data += 4;
      size -= 4;
    }
    for (; size > 0; data++, size--) state = Machine::Byte(state, *data);
    return state;
  }
};

}  // namespace drey::crc32c
