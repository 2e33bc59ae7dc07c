#include "file_store/format/metadata.h"

#include <algorithm>
#include <cmath>

#include "file_store/format/limits.h"
#include "file_store/format/words.h"

namespace drey::file {
namespace {

enum Presence : uint8_t {
  kFresh = 1,
  kStaleIfError = 2,
  kEtag = 4,
  kUser = 8,
  kCodec = 16,
  kStale = 32,
  kLabels = 64,
};
constexpr uint8_t kAllPresence = 127;
constexpr uint8_t kNegative = 1;

// Takes from the front of a slice, as long as there is enough.
class Taker {
 public:
  explicit Taker(Slice bytes) noexcept : left_(bytes) {}

  Slice Take(uint64_t count) noexcept {
    if (count > left_.size()) {
      failed_ = true;
      return {};
    }
    const Slice taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  double Time() noexcept {
    const Slice bytes = Take(8);
    if (bytes.empty()) return 0;
    const double time = LoadDouble(bytes.data());
    failed_ = failed_ || std::isnan(time);
    return time;
  }
  uint64_t Length(uint64_t width) noexcept {
    const Slice bytes = Take(width);
    uint64_t length = 0;
    for (size_t at = 0; at < bytes.size(); at++) length |= uint64_t{bytes[at]} << (8 * at);
    return length;
  }
  bool Ended() const noexcept { return !failed_ && left_.empty(); }

 private:
  Slice left_;
  bool failed_ = false;
};

void Append(std::vector<uint8_t>& to, Slice bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void AppendTime(std::vector<uint8_t>& to, double time) {
  uint8_t bytes[8];
  StoreDouble(bytes, time);
  Append(to, bytes);
}

void AppendLength(std::vector<uint8_t>& to, uint64_t length, size_t width) {
  for (size_t at = 0; at < width; at++) to.push_back(static_cast<uint8_t>(length >> (8 * at)));
}

}  // namespace

bool Parse(Slice bytes, Metadata* metadata) noexcept {
  if (bytes.size() < 10) return false;
  *metadata = Metadata{};
  const uint8_t presence = bytes[0];
  if ((presence & ~kAllPresence) != 0 || (bytes[1] & ~kNegative) != 0) return false;
  metadata->negative = bytes[1] == kNegative;
  Taker taker(bytes.subspan(2));
  metadata->cached_at = taker.Time();
  if ((presence & kFresh) != 0) metadata->fresh_until = taker.Time();
  if ((presence & kStaleIfError) != 0) metadata->stale_if_error_until = taker.Time();
  metadata->stale_until = (presence & kStale) != 0 ? taker.Time() : metadata->fresh_until;
  if (metadata->stale_until < metadata->fresh_until) return false;
  if ((presence & kEtag) != 0) {
    metadata->has_etag = true;
    metadata->etag = taker.Take(taker.Length(2));
    if (metadata->etag.size() > kMostEtag) return false;
  }
  if ((presence & kUser) != 0) {
    metadata->has_user = true;
    metadata->user = taker.Take(taker.Length(4));
    if (metadata->user.size() > kMostUser) return false;
  }
  if ((presence & kCodec) != 0) {
    metadata->has_codec = true;
    metadata->codec = taker.Take(taker.Length(1));
    if (metadata->codec.empty() || metadata->codec.size() > kMostCodecName) return false;
  }
  if ((presence & kLabels) != 0) {
    metadata->has_labels = true;
    metadata->labels = taker.Take(taker.Length(2));
    if (metadata->labels.size() > kMostLabels) return false;
  }
  return taker.Ended();
}

std::vector<uint8_t> Encode(const Metadata& metadata) {
  std::vector<uint8_t> bytes;
  bytes.reserve(64 + metadata.etag.size() + metadata.user.size());
  bytes.push_back(0);
  bytes.push_back(metadata.negative ? kNegative : 0);
  AppendTime(bytes, metadata.cached_at);
  uint32_t presence = 0;
  if (metadata.fresh_until != Metadata::kNever) {
    presence |= kFresh;
    AppendTime(bytes, metadata.fresh_until);
  }
  if (metadata.stale_if_error_until != Metadata::kNever) {
    presence |= kStaleIfError;
    AppendTime(bytes, metadata.stale_if_error_until);
  }
  if (metadata.stale_until > metadata.fresh_until) {
    presence |= kStale;
    AppendTime(bytes, metadata.stale_until);
  }
  if (metadata.has_etag) {
    presence |= kEtag;
    AppendLength(bytes, metadata.etag.size(), 2);
    Append(bytes, metadata.etag);
  }
  if (metadata.has_user) {
    presence |= kUser;
    AppendLength(bytes, metadata.user.size(), 4);
    Append(bytes, metadata.user);
  }
  if (metadata.has_codec) {
    presence |= kCodec;
    AppendLength(bytes, metadata.codec.size(), 1);
    Append(bytes, metadata.codec);
  }
  if (metadata.has_labels) {
    presence |= kLabels;
    AppendLength(bytes, metadata.labels.size(), 2);
    Append(bytes, metadata.labels);
  }
  bytes[0] = static_cast<uint8_t>(presence);
  return bytes;
}

uint32_t ExpiresOf(const Metadata& metadata) noexcept {
  const double until =
      std::max({metadata.fresh_until, metadata.stale_until, metadata.stale_if_error_until});
  const double seconds = std::ceil(until / 1000);
  if (!(seconds < static_cast<double>(kExpiresNever))) return kExpiresNever;
  return seconds <= 0 ? 0 : static_cast<uint32_t>(seconds);
}

}  // namespace drey::file
