#include "core/hash.h"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace drey {
namespace {

std::string Hex(const Hash128& hash) {
  std::string hex;
  for (const uint64_t half : {hash.low, hash.high}) {
    for (int byte = 0; byte < 8; byte++) {
      constexpr char kDigits[] = "0123456789abcdef";
      const uint64_t value = (half >> (8 * byte)) & 0xff;
      hex.push_back(kDigits[value >> 4]);
      hex.push_back(kDigits[value & 15]);
    }
  }
  return hex;
}

std::vector<uint8_t> Ascending(size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t at = 0; at < size; at++) bytes[at] = static_cast<uint8_t>(at);
  return bytes;
}

const HashKey kKey = HashKey::From(Ascending(HashKey::kBytes));

// Published by the authors for SipHash-2-4 with 128 bits of output (vectors_sip128): the key is 00
// 01 … 0f, the input as many bytes 00 01 02 … as the left column says.
struct Vector {
  size_t size;
  const char* hash;
};
constexpr Vector kVectors[] = {
    {0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
    {2, "8177228da4a45dc7fca38bdef60affe4"},  {3, "9c70b60c5267a94e5f33b6b02985ed51"},
    {4, "f88164c12d9c8faf7d0f6e7c7bcd5579"},  {5, "1368875980776f8854527a07690e9627"},
    {6, "14eeca338b208613485ea0308fd7a15e"},  {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},
    {8, "3b62a9ba6258f5610f83e264f31497b4"},  {9, "264499060ad9baabc47f8b02bb6d71ed"},
    {15, "5493e99933b0a8117e08ec0f97cfc3d9"}, {16, "6ee2a4ca67b054bbfd3315bf85230577"},
    {63, "5150d1772f50834a503e069a973fbd7c"},
};

TEST_CASE("hash: the authors' vectors") {
  for (const Vector& vector : kVectors) {
    CAPTURE(vector.size);
    CHECK(Hex(Hash(kKey, Ascending(vector.size))) == vector.hash);
  }
}

TEST_CASE("hash: at every alignment, and reading nothing beyond the end") {
  for (size_t size = 0; size < 80; size++) {
    const std::vector<uint8_t> bytes = Ascending(size);
    const Hash128 expected = Hash(kKey, bytes);
    for (size_t alignment = 0; alignment < 16; alignment++) {
      const std::unique_ptr<uint8_t[]> exact(new uint8_t[alignment + size]);
      for (size_t at = 0; at < size; at++) exact[alignment + at] = bytes[at];
      REQUIRE(Hash(kKey, Slice(exact.get() + alignment, size)) == expected);
    }
  }
}

TEST_CASE("hash: every bit of the key and of the input matters") {
  std::vector<uint8_t> key = Ascending(HashKey::kBytes);
  std::vector<uint8_t> input = Ascending(29);
  const Hash128 plain = Hash(HashKey::From(key), input);
  for (std::vector<uint8_t>* flipped : {&key, &input}) {
    for (size_t bit = 0; bit < flipped->size() * 8; bit++) {
      const auto mask = static_cast<uint8_t>(1u << (bit % 8));
      (*flipped)[bit / 8] ^= mask;
      const Hash128 other = Hash(HashKey::From(key), input);
      CHECK(other.low != plain.low);
      CHECK(other.high != plain.high);
      (*flipped)[bit / 8] ^= mask;
    }
  }
}

TEST_CASE("hash: zeros at the end are not ignored") {
  std::vector<uint8_t> zeros;
  Hash128 before = Hash(kKey, zeros);
  for (int more = 0; more < 40; more++) {
    zeros.push_back(0);
    const Hash128 hash = Hash(kKey, zeros);
    CHECK(hash != before);
    before = hash;
  }
}

}  // namespace
}  // namespace drey
