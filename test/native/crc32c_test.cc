#include "core/crc32c/crc32c.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/crc32c/polynomial.h"

namespace drey {
namespace {

using crc32c::Implementation;
using crc32c::Implementations;

// The definition, a bit at a time: what everything else is held against.
uint32_t Bitwise(uint32_t crc, Slice bytes) {
  crc = ~crc;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

std::vector<uint8_t> Random(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

TEST_CASE("crc32c: the vectors of RFC 3720, B.4, in every implementation") {
  std::vector<uint8_t> ascending(32), descending(32);
  for (uint8_t at = 0; at < 32; at++) {
    ascending[at] = at;
    descending[at] = static_cast<uint8_t>(31 - at);
  }
  // An iSCSI SCSI Read (10) command.
  const std::vector<uint8_t> command = {0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00,
                                        0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00,
                                        0x00, 0x18, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                        0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
  for (const Implementation& implementation : Implementations()) {
    CAPTURE(implementation.name);
    CHECK(implementation.Extend(0, std::vector<uint8_t>(32, 0x00)) == 0x8a9136aa);
    CHECK(implementation.Extend(0, std::vector<uint8_t>(32, 0xff)) == 0x62a8ab43);
    CHECK(implementation.Extend(0, ascending) == 0x46dd794e);
    CHECK(implementation.Extend(0, descending) == 0x113fdb5c);
    CHECK(implementation.Extend(0, command) == 0xd9963a56);
    CHECK(implementation.Extend(0, SliceOf("123456789")) == 0xe3069283);
    CHECK(implementation.Extend(0, {}) == 0);
    CHECK(implementation.Extend(0x12345678, {}) == 0x12345678);
  }
}

// Each input ends where its memory ends, so that the sanitizer sees a read beyond it; its start is
// moved to every place within a cache line.
TEST_CASE("crc32c: every length from 0 to 4096 at every alignment, all implementations alike") {
  constexpr size_t kLongest = 4096;
  constexpr size_t kLine = 64;
  const std::vector<uint8_t> bytes = Random(kLongest, 1);
  std::vector<uint32_t> expected;
  for (size_t length = 0; length <= kLongest; length++) {
    // One step of the definition more for each length.
    expected.push_back(length == 0 ? 0
                                   : Bitwise(expected.back(), Slice(bytes).subspan(length - 1, 1)));
  }
  for (const Implementation& implementation : Implementations()) {
    CAPTURE(implementation.name);
    size_t wrong = 0;
    for (size_t alignment = 0; alignment < kLine; alignment++) {
      for (size_t length = 0; length <= kLongest; length++) {
        const std::unique_ptr<uint8_t[]> exact(new uint8_t[alignment + length]);
        if (length > 0) std::memcpy(exact.get() + alignment, bytes.data(), length);
        const uint32_t crc = implementation.Extend(0, Slice(exact.get() + alignment, length));
        wrong += crc == expected[length] ? 0u : 1u;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("crc32c: pieces, one after another, give the checksum of the whole") {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; round++) {
    const std::vector<uint8_t> bytes = Random(random() % 40000, static_cast<uint32_t>(random()));
    const Slice whole(bytes);
    const uint32_t expected = Implementations().back().Extend(0, whole);
    for (const Implementation& implementation : Implementations()) {
      CAPTURE(implementation.name);
      uint32_t crc = 0;
      size_t at = 0;
      while (at < whole.size()) {
        const size_t size = std::min<size_t>(1 + random() % 20000, whole.size() - at);
        crc = implementation.Extend(crc, whole.subspan(at, size));
        at += size;
      }
      REQUIRE(crc == expected);
      REQUIRE(implementation.Extend(0, whole) == expected);
    }
  }
}

TEST_CASE("crc32c: any seed, long inputs, against the definition") {
  std::mt19937 random(3);
  for (const size_t size : {100u, 12287u, 12288u, 12289u, 24576u, 65536u, 100003u}) {
    const std::vector<uint8_t> bytes = Random(size, static_cast<uint32_t>(size));
    const auto seed = static_cast<uint32_t>(random());
    const uint32_t expected = Bitwise(seed, bytes);
    for (const Implementation& implementation : Implementations()) {
      CAPTURE(implementation.name);
      CAPTURE(size);
      CHECK(implementation.Extend(seed, bytes) == expected);
    }
  }
}

TEST_CASE("crc32c: every flipped bit is seen") {
  std::vector<uint8_t> bytes = Random(600, 4);
  for (const Implementation& implementation : Implementations()) {
    CAPTURE(implementation.name);
    const uint32_t whole = implementation.Extend(0, bytes);
    for (size_t bit = 0; bit < bytes.size() * 8; bit++) {
      const auto mask = static_cast<uint8_t>(1u << (bit % 8));
      bytes[bit / 8] ^= mask;
      REQUIRE(implementation.Extend(0, bytes) != whole);
      bytes[bit / 8] ^= mask;
    }
  }
}

TEST_CASE("crc32c: the portable implementation is always there, and last") {
  REQUIRE(!Implementations().empty());
  CHECK(std::string_view(Implementations().back().name) == "portable");
  CHECK(crc32c::Fastest().name == Implementations().front().name);
}

// x^32 mod P is, by definition, P without its leading term; and the register after a single one in
// front of n zero bits holds x^(32+n).
TEST_CASE("polynomial: powers of x") {
  CHECK(crc32c::PowerOfX(0) == 0x80000000);
  CHECK(crc32c::PowerOfX(31) == 1);
  CHECK(crc32c::PowerOfX(32) == crc32c::kPolynomial);
  std::vector<uint8_t> bytes(1 + 64);
  bytes[0] =
      0x80;  // The last bit of the first byte to be shifted in: x^0 there, x^(8·64) at the end.
  const uint32_t state = Implementations().back().update(0, bytes.data(), bytes.size());
  CHECK(state == crc32c::PowerOfX(32 + 8 * 64));
}

}  // namespace
}  // namespace drey
