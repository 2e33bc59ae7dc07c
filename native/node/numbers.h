#pragma once

#include <cstdint>

namespace drey::node {

// The numbers that calls of the memory store take and give beside their arguments: places in one
// Float64Array for each environment, which both sides write to. A store into it costs a nanosecond,
// a property of an object or a created number ten. lib/native/numbers.ts has the same list.
enum Number : uint32_t {
  // Of an entry that was found, or is being set.
  kSize,
  kCachedAt,
  kFreshUntil,
  kStaleUntil,
  kStaleIfErrorUntil,
  // 1 when the entry is negative, else 0.
  kNegative,
  // Bytes of etag and user; -1 when there is none.
  kEtagSize,
  kUserSize,
  kVersion,
  // Where in the block the value begins, and the etag, which the user's text follows.
  kValueAt,
  kTextAt,
  // How much of the block is given out.
  kBlockUsed,
  // What was opened, begun or claimed.
  kHandle,
  // A view: where it begins in the arena, and its length.
  kViewAt,
  kViewSize,
  kNumbers,
};

}  // namespace drey::node
