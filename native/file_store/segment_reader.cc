#include "file_store/segment_reader.h"

#include <algorithm>

#include "file_store/format/words.h"

namespace drey::file {
namespace {

constexpr uint64_t kWindow = 256 * 1024;

}  // namespace

SegmentReader::SegmentReader(const File& file, const Context& context, uint64_t number,
                             uint64_t from, uint64_t end)
    : file_(file), context_(context), number_(number), end_(end), at_(from), next_(from) {}

Slice SegmentReader::Window(uint64_t offset, uint64_t bytes) {
  if (offset >= end_) return {};
  bytes = std::min(bytes, end_ - offset);
  const bool there = offset >= buffer_at_ && offset - buffer_at_ <= buffer_size_ &&
                     buffer_size_ - (offset - buffer_at_) >= bytes;
  if (!there) {
    const uint64_t want = std::min(std::max(bytes, kWindow), end_ - offset);
    if (buffer_.size() < want) buffer_.resize(want);
    buffer_at_ = offset;
    buffer_size_ = 0;
    Result<uint64_t> read = file_.ReadUpTo(offset, std::span(buffer_).first(want));
    if (!read.ok()) {
      status_ = read.TakeStatus();
      return {};
    }
    buffer_size_ = read.value();
  }
  const uint64_t skip = offset - buffer_at_;
  return Slice(buffer_).subspan(skip, std::min(bytes, buffer_size_ - skip));
}

bool SegmentReader::OnlyZerosFrom(uint64_t offset) {
  while (offset < end_) {
    const Slice bytes = Window(offset, kWindow);
    if (bytes.empty()) return true;
    if (!AllZero(bytes)) return false;
    offset += bytes.size();
  }
  return true;
}

SegmentReader::Found SegmentReader::Next() {
  at_ = next_;
  Parsed parsed = ParseHead(Window(at_, 4096), context_, position(), &head_);
  if (parsed == Parsed::kShort) {
    parsed = ParseHead(Window(at_, kMostHead), context_, position(), &head_);
  }
  if (!status_.ok()) return Found::kFailed;
  if (parsed == Parsed::kWhole) {
    next_ = at_ + head_.PaddedLength();
    return Found::kRecord;
  }
  const bool zeros = OnlyZerosFrom(at_);
  if (!status_.ok()) return Found::kFailed;
  return zeros ? Found::kEnd : Found::kDamage;
}

bool SegmentReader::Skip() {
  for (uint64_t at = at_ + kAlignment; at + kRecordHeadBytes <= end_; at += kAlignment) {
    Slice bytes = Window(at, kRecordHeadBytes);
    if (bytes.size() < kRecordHeadBytes) return false;
    // The mark first: it is cheap.
    if (bytes[4] != 0xE7 || bytes[5] != 0xD4) continue;
    RecordHead head;
    const uint32_t length = HeadLength(bytes);
    if (length < kRecordHeadBytes || length > kMostHead) continue;
    bytes = Window(at, length);
    if (ParseHead(bytes, context_, {number_, at}, &head) != Parsed::kWhole) continue;
    next_ = at;
    return true;
  }
  return false;
}

Result<Slice> SegmentReader::Record() {
  const uint64_t bytes = head_.PaddedLength();
  const Slice record = Window(at_, bytes);
  if (!status_.ok()) return std::move(status_);
  if (record.size() < bytes) return Slice();
  if (ParseHead(record, context_, position(), &head_) != Parsed::kWhole) return Slice();
  return record;
}

}  // namespace drey::file
