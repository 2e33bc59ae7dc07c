#include "memory_store/entry.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace drey {
namespace {

constexpr double kShortTime = 281474976710656.0;  // 2^48

bool IsShort(double time) noexcept {
  return time >= 0 && time < kShortTime && time == std::floor(time) && !std::signbit(time);
}

}  // namespace

uint16_t Entry::MarksOf(const Metadata& metadata) noexcept {
  unsigned mark = kUsed;
  if (metadata.negative) mark |= kNegative;
  if (!IsShort(metadata.cached_at)) mark |= kWideTime;
  if (metadata.fresh_until != kNever || metadata.stale_if_error_until != kNever) mark |= kTimes;
  if (metadata.stale_until > metadata.fresh_until) mark |= kStale;
  if (metadata.useful_until() < kNever) mark |= kExpires;
  if (metadata.has_etag) mark |= kEtag;
  if (metadata.has_user) mark |= kUser;
  return static_cast<uint16_t>(mark);
}

uint32_t Entry::HeadBytes(uint16_t mark) noexcept {
  uint32_t bytes = kFixedBytes;
  if (mark & kWideTime) bytes += 8;
  if (mark & kTimes) bytes += 16;
  if (mark & kStale) bytes += 8;
  if (mark & kExpires) bytes += 8;
  if (mark & kChained) bytes += 8;
  if (mark & kText) bytes += 8;
  return bytes;
}

const uint8_t* Entry::Text() const noexcept {
  if (Is(kOutside)) return body()->outside.get();
  return slot_ + HeadBytes(mark());
}

Slice Entry::text() const noexcept {
  if (!Is(kText)) return {};
  const uint64_t size = uint64_t{Get<uint32_t>(SizesAt())} + Get<uint32_t>(SizesAt() + 4);
  return {Text() + Get<uint16_t>(2), size};
}

const uint8_t* Entry::value() const noexcept { return Text() + Get<uint16_t>(2) + text().size(); }

double Entry::useful_until() const noexcept {
  if (!Is(kTimes)) return kNever;
  const double until = std::max(Get<double>(TimesAt()), Get<double>(TimesAt() + 8));
  return Is(kStale) ? std::max(until, Get<double>(StaleAt())) : until;
}

Head Entry::head() const noexcept {
  Head head;
  head.size = size();
  head.cached_at = Is(kWideTime)
                       ? Get<double>(kFixedBytes)
                       : static_cast<double>(uint64_t{Get<uint16_t>(6)} << 32 | Get<uint32_t>(8));
  if (Is(kTimes)) {
    head.fresh_until = Get<double>(TimesAt());
    head.stale_if_error_until = Get<double>(TimesAt() + 8);
  }
  head.stale_until = Is(kStale) ? Get<double>(StaleAt()) : head.fresh_until;
  head.negative = Is(kNegative);
  head.has_etag = Is(kEtag);
  head.has_user = Is(kUser);
  if (Is(kText)) {
    head.etag_size = Get<uint32_t>(SizesAt());
    head.user_size = Get<uint32_t>(SizesAt() + 4);
  }
  head.version = version();
  return head;
}

void Entry::Write(uint16_t mark, uint32_t version, Slice key, uint64_t size,
                  const Metadata& metadata, uint8_t* outside) noexcept {
  Set(0, mark);
  Set(2, static_cast<uint16_t>(key.size()));
  Set(4, static_cast<uint16_t>(mark & kChained ? 0 : size));
  uint64_t short_time = 0;
  if (mark & kWideTime) {
    Set(kFixedBytes, metadata.cached_at);
  } else {
    short_time = static_cast<uint64_t>(metadata.cached_at);
  }
  Set(6, static_cast<uint16_t>(short_time >> 32));
  Set(8, static_cast<uint32_t>(short_time));
  Set(12, version);
  if (mark & kTimes) {
    Set(TimesAt(), metadata.fresh_until);
    Set(TimesAt() + 8, metadata.stale_if_error_until);
  }
  if (mark & kStale) Set(StaleAt(), metadata.stale_until);
  if (mark & kText) {
    Set(SizesAt(), static_cast<uint32_t>(metadata.has_etag ? metadata.etag.size() : 0));
    Set(SizesAt() + 4, static_cast<uint32_t>(metadata.has_user ? metadata.user.size() : 0));
  }
  uint8_t* to = outside != nullptr ? outside : slot_ + HeadBytes(mark);
  const auto put = [&to](Slice bytes) {
    if (bytes.empty()) return;
    std::memcpy(to, bytes.data(), bytes.size());
    to += bytes.size();
  };
  put(key);
  if (metadata.has_etag) put(metadata.etag);
  if (metadata.has_user) put(metadata.user);
}

}  // namespace drey
