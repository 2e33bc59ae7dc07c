#include "file_store/format/segment_header.h"

#include <algorithm>
#include <cassert>

#include "file_store/format/words.h"

namespace drey::file {
namespace {

constexpr uint8_t kMagic[8] = {'D', 'R', 'E', 'Y', 'S', 'E', 'G', 0};
constexpr size_t kChecked = 124;

}  // namespace

void Encode(const SegmentHeader& header, const Context& context,
            std::span<uint8_t> bytes) noexcept {
  assert(bytes.size() == kSegmentHeaderBytes);
  std::fill(bytes.begin(), bytes.end(), uint8_t{0});
  uint8_t* const to = bytes.data();
  std::copy(std::begin(kMagic), std::end(kMagic), to);
  Store32(to + 8, kFormatVersion);
  Store32(to + 12, kSegmentHeaderBytes);
  std::copy(context.store_id().begin(), context.store_id().end(), to + 16);
  Store64(to + 32, header.number);
  Store64(to + 40, header.oldest);
  Store64(to + 48, header.next_sequence);
  std::copy(header.boot_id.begin(), header.boot_id.end(), to + 56);
  to[72] = static_cast<uint8_t>(header.durability);
  Store64(to + 80, header.begun_at);
  Store32(to + kChecked, Checksum({to, kChecked}, context.OfSegment(header.number)));
}

bool Parse(Slice bytes, const Context& context, uint64_t number, SegmentHeader* header) noexcept {
  if (bytes.size() < kSegmentHeaderBytes) return false;
  const uint8_t* const from = bytes.data();
  if (Load32(from + kChecked) != Checksum(bytes.first(kChecked), context.OfSegment(number))) {
    return false;
  }
  if (!std::equal(std::begin(kMagic), std::end(kMagic), from) ||
      Load32(from + 8) != kFormatVersion || Load32(from + 12) != kSegmentHeaderBytes ||
      !std::equal(context.store_id().begin(), context.store_id().end(), from + 16) ||
      Load64(from + 32) != number || from[72] > static_cast<uint8_t>(Durability::kPower) ||
      !AllZero(bytes.subspan(73, 7)) || !AllZero(bytes.subspan(88, 36))) {
    return false;
  }
  header->number = number;
  header->oldest = Load64(from + 40);
  header->next_sequence = Load64(from + 48);
  std::copy_n(from + 56, 16, header->boot_id.begin());
  header->durability = static_cast<Durability>(from[72]);
  header->begun_at = Load64(from + 80);
  return header->oldest <= number && header->oldest > 0 && header->next_sequence <= kMostSequence;
}

}  // namespace drey::file
