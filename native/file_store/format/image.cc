#include "file_store/format/image.h"

#include <algorithm>
#include <cassert>

#include "file_store/format/words.h"

namespace drey::file {
namespace {

constexpr uint8_t kMagic[8] = {'D', 'R', 'E', 'Y', 'I', 'M', 'G', 0};
constexpr size_t kChecked = 4092;
constexpr uint32_t kClean = 1;
constexpr uint32_t kSynced = 2;

void EncodeEntry(const ImageEntry& entry, uint8_t* to) noexcept {
  Store64(to, entry.identity);
  Store64(to + 8, entry.sequence);
  Store32(to + 16, entry.segment);
  Store32(to + 20, entry.offset_units);
  Store32(to + 24, entry.length);
  Store32(to + 28, entry.expires);
  Store32(to + 32, entry.blob_units);
  Store32(to + 36, entry.policy);
}

bool ParseEntry(const uint8_t* from, ImageEntry* entry) noexcept {
  entry->identity = Load64(from);
  entry->sequence = Load64(from + 8);
  entry->segment = Load32(from + 16);
  entry->offset_units = Load32(from + 20);
  entry->length = Load32(from + 24);
  entry->expires = Load32(from + 28);
  entry->blob_units = Load32(from + 32);
  entry->policy = Load32(from + 36);
  const uint64_t offset = uint64_t{entry->offset_units} * kAlignment;
  return entry->sequence <= kMostSequence && offset >= kSegmentHeaderBytes &&
         entry->length >= kRecordHeadBytes && entry->length % kAlignment == 0 &&
         entry->length <= Padded(kMostHead) + Padded(kMostPacked) &&
         offset + entry->length <= kMostSegment;
}

}  // namespace

void Encode(const ImageHeader& header, const Context& context, std::span<uint8_t> bytes) noexcept {
  assert(bytes.size() == ImageHeader::kBytes);
  std::fill(bytes.begin(), bytes.end(), uint8_t{0});
  uint8_t* const to = bytes.data();
  std::copy(std::begin(kMagic), std::end(kMagic), to);
  Store32(to + 8, kFormatVersion);
  Store32(to + 12, ImageHeader::kBytes);
  std::copy(context.store_id().begin(), context.store_id().end(), to + 16);
  Store64(to + 32, header.number);
  Store64(to + 40, header.position.segment);
  Store64(to + 48, header.position.offset);
  Store64(to + 56, header.oldest);
  Store64(to + 64, header.next_sequence);
  Store64(to + 72, header.doubt);
  Store64(to + 80, header.entries);
  Store64(to + 88, header.pages);
  Store32(to + 96, (header.clean ? kClean : 0) | (header.synced ? kSynced : 0));
  std::copy(header.boot_id.begin(), header.boot_id.end(), to + 104);
  Store64(to + 120, header.written_at);
  Store32(to + kChecked, Checksum({to, kChecked}, context.OfImage(header.number)));
}

bool Parse(Slice bytes, const Context& context, uint64_t number, uint64_t file_bytes,
           ImageHeader* header) noexcept {
  if (bytes.size() < ImageHeader::kBytes) return false;
  const uint8_t* const from = bytes.data();
  if (Load32(from + kChecked) != Checksum(bytes.first(kChecked), context.OfImage(number))) {
    return false;
  }
  const uint32_t flags = Load32(from + 96);
  if (!std::equal(std::begin(kMagic), std::end(kMagic), from) ||
      Load32(from + 8) != kFormatVersion || Load32(from + 12) != ImageHeader::kBytes ||
      !std::equal(context.store_id().begin(), context.store_id().end(), from + 16) ||
      Load64(from + 32) != number || (flags & ~(kClean | kSynced)) != 0 ||
      Load32(from + 100) != 0 || !AllZero(bytes.subspan(128, kChecked - 128))) {
    return false;
  }
  header->number = number;
  header->position = {Load64(from + 40), Load64(from + 48)};
  header->oldest = Load64(from + 56);
  header->next_sequence = Load64(from + 64);
  header->doubt = Load64(from + 72);
  header->entries = Load64(from + 80);
  header->pages = Load64(from + 88);
  header->clean = (flags & kClean) != 0;
  header->synced = (flags & kSynced) != 0;
  std::copy_n(from + 104, 16, header->boot_id.begin());
  header->written_at = Load64(from + 120);
  const Position& position = header->position;
  if (position.offset % kAlignment != 0 || position.offset < kSegmentHeaderBytes ||
      position.offset > kMostSegment || header->oldest == 0 || header->oldest > position.segment ||
      header->next_sequence > kMostSequence || header->doubt > kMostSequence) {
    return false;
  }
  // Before they are multiplied: no file has more entries than bytes.
  return header->entries <= file_bytes && header->pages == ImagePages(header->entries) &&
         file_bytes == ImageBytes(header->entries);
}

void EncodePage(std::span<const ImageEntry> entries, const Context& context, uint64_t image,
                uint64_t page, std::vector<uint8_t>& to) {
  assert(!entries.empty() && entries.size() <= ImagePage::kMostEntries);
  to.assign(ImagePage::kHeadBytes + entries.size() * ImageEntry::kBytes, 0);
  Store32(&to[4], static_cast<uint32_t>(entries.size()));
  for (size_t at = 0; at < entries.size(); at++) {
    EncodeEntry(entries[at], &to[ImagePage::kHeadBytes + at * ImageEntry::kBytes]);
  }
  Store32(to.data(), Checksum(Slice(to).subspan(4), context.OfImagePage(image, page)));
}

bool ParsePage(Slice bytes, const Context& context, uint64_t image, uint64_t page,
               std::vector<ImageEntry>* entries) {
  if (bytes.size() < ImagePage::kHeadBytes) return false;
  if (Checksum(bytes.subspan(4), context.OfImagePage(image, page)) != Load32(bytes.data())) {
    return false;
  }
  const uint64_t count = Load32(&bytes[4]);
  if (count == 0 || count > ImagePage::kMostEntries || Load64(&bytes[8]) != 0 ||
      bytes.size() != ImagePage::kHeadBytes + count * ImageEntry::kBytes) {
    return false;
  }
  entries->resize(count);
  for (uint64_t at = 0; at < count; at++) {
    ImageEntry& entry = (*entries)[at];
    if (!ParseEntry(&bytes[ImagePage::kHeadBytes + at * ImageEntry::kBytes], &entry)) return false;
    if (at > 0 && (*entries)[at - 1].identity >= entry.identity) return false;
  }
  return true;
}

}  // namespace drey::file
