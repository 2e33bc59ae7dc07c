#pragma once

#include <cstdint>

#include "core/slice.h"

// The hash of keys: SipHash-2-4 with 128 bits of output (J.-P. Aumasson and D. J. Bernstein,
// "SipHash: a fast short-input PRF", 2012, and its 128-bit variant in the authors' reference
// implementation).
//
// Keys come from strangers (I11). A hash that is merely well mixed lets them choose keys that
// collide and turn an index into a list, or two entries into one file name; a pseudo-random
// function under a secret key does not. Of its family, 2-4 rather than the quicker 1-3: it is the
// strength that the authors recommend, they publish test vectors for its 128 bits, and hashes are
// kept on disk, where a weakness found later could not be mended without a new format. At the
// length of a usual key, the difference is a few nanoseconds.
namespace drey {

struct HashKey {
  uint64_t low;
  uint64_t high;

  static constexpr size_t kBytes = 16;
  // `bytes` must be kBytes long.
  static HashKey From(Slice bytes) noexcept;
};

// As bytes: `low`, then `high`, both little-endian.
struct Hash128 {
  uint64_t low;
  uint64_t high;

  bool operator==(const Hash128&) const noexcept = default;
};

Hash128 Hash(const HashKey& key, Slice bytes) noexcept;

}  // namespace drey
