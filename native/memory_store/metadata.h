#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/slice.h"

namespace drey {

constexpr double kNever = std::numeric_limits<double>::infinity();

// A key may have that many bytes.
constexpr uint64_t kMostKeyBytes = 32 * 1024;

// Etag and user together may have that many bytes.
constexpr uint64_t kMostTextBytes = 1024 * 1024;

// What is kept of an entry beside key and value, as it is given. Times are epoch milliseconds;
// kNever is never.
struct Metadata {
  double cached_at = 0;
  double fresh_until = kNever;
  // Where it is later than that: until then it may be given while a new one is fetched.
  double stale_until = 0;
  double stale_if_error_until = kNever;
  bool negative = false;
  bool has_etag = false;
  bool has_user = false;
  Slice etag;
  // The user's JSON, and the entry's tags before it; here it is bytes.
  Slice user;

  uint64_t text_size() const noexcept {
    return (has_etag ? etag.size() : 0) + (has_user ? user.size() : 0);
  }
  // After that, the entry answers nobody any more.
  double useful_until() const noexcept {
    return std::max({fresh_until, stale_until, stale_if_error_until});
  }
};

// Tells an entry from those that had its key before or will have it after: a number that a shard
// gives once in 2^32 writes. Overwriting makes a new one, revising does not. 0 is none.
using Version = uint32_t;

// What is told of an entry that was found. The bytes of etag and user come separately: the etag's
// first, then the user's.
struct Head {
  uint64_t size = 0;
  double cached_at = 0;
  double fresh_until = kNever;
  double stale_until = kNever;
  double stale_if_error_until = kNever;
  bool negative = false;
  bool has_etag = false;
  bool has_user = false;
  uint32_t etag_size = 0;
  uint32_t user_size = 0;
  Version version = 0;

  uint64_t text_size() const noexcept { return uint64_t{etag_size} + user_size; }
};

}  // namespace drey
