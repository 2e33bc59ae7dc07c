#include "file_store/format/tags.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/load.h"
#include "file_store/format/limits.h"
#include "file_store/format/words.h"

namespace drey::file {
namespace {

constexpr uint16_t kMark = 0xD4E8;
constexpr uint16_t kOpen = 1;

bool ParseFloors(Slice bytes, uint32_t count, TagsFrame* frame) {
  for (uint32_t at = 0; at < count; at++) {
    if (bytes.size() < kTagFloorBytes) return false;
    TagFloor floor{.tag = {},
                   .hard = Load64(bytes.data()),
                   .soft = Load64(bytes.data() + 8),
                   .at = LoadDouble(bytes.data() + 16)};
    const uint64_t length = Load16(bytes.data() + 24);
    bytes = bytes.subspan(kTagFloorBytes);
    if (length > kMostTagBytes || length > bytes.size()) return false;
    if (std::max(floor.hard, floor.soft) > frame->head.sequence || !std::isfinite(floor.at)) {
      return false;
    }
    floor.tag.assign(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
    frame->floors.push_back(std::move(floor));
  }
  return bytes.empty();
}

}  // namespace

uint64_t TagsFrameBytes(std::span<const TagFloor> floors) noexcept {
  uint64_t bytes = kTagsHeadBytes;
  for (const TagFloor& floor : floors) bytes += kTagFloorBytes + floor.tag.size();
  return Padded(bytes);
}

void EncodeTags(std::span<const TagFloor> floors, const TagsHead& head, const Context& context,
                uint64_t number, uint64_t offset, std::vector<uint8_t>& to) {
  to.assign(TagsFrameBytes(floors), 0);
  uint8_t* next = to.data() + kTagsHeadBytes;
  for (const TagFloor& floor : floors) {
    Store64(next, floor.hard);
    Store64(next + 8, floor.soft);
    StoreDouble(next + 16, floor.at);
    Store16(next + 24, static_cast<uint16_t>(floor.tag.size()));
    std::memcpy(next + kTagFloorBytes, floor.tag.data(), floor.tag.size());
    next += kTagFloorBytes + floor.tag.size();
  }
  const auto body = static_cast<uint32_t>(static_cast<size_t>(next - to.data()) - kTagsHeadBytes);
  const uint32_t seed = context.OfTags(number, offset);
  Store32(to.data() + 4, Checksum(Slice(to).subspan(kTagsHeadBytes, body), seed));
  Store16(to.data() + 8, kMark);
  Store16(to.data() + 10, head.open ? kOpen : 0);
  Store32(to.data() + 12, body);
  Store64(to.data() + 16, head.sequence);
  Store32(to.data() + 24, static_cast<uint32_t>(floors.size()));
  std::memcpy(to.data() + 32, head.boot_id.data(), head.boot_id.size());
  Store32(to.data(), Checksum(Slice(to).subspan(4, kTagsHeadBytes - 4), seed));
}

TagsFrame ParseTags(Slice file, const Context& context, uint64_t number, uint64_t offset) {
  TagsFrame frame;
  const Slice rest = file.subspan(offset);
  if (rest.empty()) {
    frame.kind = TagsFrame::Kind::kEnd;
    return frame;
  }
  if (rest.size() < kTagsHeadBytes || AllZero(rest)) {
    frame.kind = TagsFrame::Kind::kTorn;
    return frame;
  }
  const uint32_t seed = context.OfTags(number, offset);
  if (Load32(rest.data()) != Checksum(rest.subspan(4, kTagsHeadBytes - 4), seed) ||
      Load16(rest.data() + 8) != kMark || Load16(rest.data() + 10) > kOpen ||
      Load32(rest.data() + 28) != 0) {
    return frame;
  }
  const uint64_t body = Load32(rest.data() + 12);
  frame.head.sequence = Load64(rest.data() + 16);
  frame.head.open = Load16(rest.data() + 10) == kOpen;
  std::memcpy(frame.head.boot_id.data(), rest.data() + 32, frame.head.boot_id.size());
  frame.bytes = Padded(kTagsHeadBytes + body);
  if (body > kMostTagsFile || frame.head.sequence > TagFloors::kMostSequence) return frame;
  if (frame.bytes > rest.size()) {
    frame.kind = TagsFrame::Kind::kTorn;
    return frame;
  }
  const Slice floors = rest.subspan(kTagsHeadBytes, body);
  const Slice padding = rest.subspan(kTagsHeadBytes + body, frame.bytes - kTagsHeadBytes - body);
  const bool whole = Load32(rest.data() + 4) == Checksum(floors, seed) && AllZero(padding) &&
                     ParseFloors(floors, Load32(rest.data() + 24), &frame);
  if (whole) frame.kind = TagsFrame::Kind::kWhole;
  return frame;
}

}  // namespace drey::file
