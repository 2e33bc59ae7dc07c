#include "core/hash.h"

#include <bit>
#include <cassert>

#include "core/load.h"

namespace drey {
namespace {

class SipHash {
 public:
  explicit SipHash(const HashKey& key) noexcept
      // "somepseudorandomlygeneratedbytes", and the mark of the variant with 128 bits of output.
      : v0_(key.low ^ 0x736f6d6570736575),
        v1_(key.high ^ 0x646f72616e646f6d ^ 0xee),
        v2_(key.low ^ 0x6c7967656e657261),
        v3_(key.high ^ 0x7465646279746573) {}

  void Absorb(uint64_t word) noexcept {
    v3_ ^= word;
    Round();
    Round();
    v0_ ^= word;
  }

  Hash128 Finish() noexcept {
    v2_ ^= 0xee;
    const uint64_t low = Squeeze();
    v1_ ^= 0xdd;
    const uint64_t high = Squeeze();
    return {low, high};
  }

 private:
  void Round() noexcept {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  uint64_t Squeeze() noexcept {
    for (int round = 0; round < 4; round++) Round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  uint64_t v0_;
  uint64_t v1_;
  uint64_t v2_;
  uint64_t v3_;
};

}  // namespace

HashKey HashKey::From(Slice bytes) noexcept {
  assert(bytes.size() == kBytes);
  return {Load64(bytes.data()), Load64(bytes.data() + 8)};
}

Hash128 Hash(const HashKey& key, Slice bytes) noexcept {
  SipHash hash(key);
  const uint8_t* data = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; data += 8, left -= 8) hash.Absorb(Load64(data));

  // The last word: what is left of the bytes, and the length of all of them, modulo 256, on top.
  uint64_t last = static_cast<uint64_t>(bytes.size()) << 56;
  for (size_t at = 0; at < left; at++) last |= uint64_t{data[at]} << (8 * at);
  hash.Absorb(last);
  return hash.Finish();
}

}  // namespace drey
