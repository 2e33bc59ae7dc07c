#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/slice.h"
#include "file_store/format/context.h"
#include "file_store/format/record.h"

// Images of the index (docs/disk-format.md, section 7).
namespace drey::file {

struct ImageHeader {
  static constexpr uint64_t kBytes = 4096;

  uint64_t number = 0;
  Position position;
  uint64_t oldest = 0;
  uint64_t next_sequence = 0;
  uint64_t doubt = 0;
  uint64_t entries = 0;
  uint64_t pages = 0;
  bool clean = false;
  bool synced = false;
  Bytes16 boot_id{};
  uint64_t written_at = 0;
};

struct ImageEntry {
  static constexpr uint64_t kBytes = 40;

  uint64_t identity = 0;
  uint64_t sequence = 0;
  // The segment's number less the oldest of the header.
  uint32_t segment = 0;
  uint32_t offset_units = 0;
  uint32_t length = 0;
  uint32_t expires = 0;
  uint32_t blob_units = 0;
  uint32_t policy = 0;

  bool operator==(const ImageEntry&) const noexcept = default;
};

struct ImagePage {
  static constexpr uint64_t kBytes = 64 * 1024;
  static constexpr uint64_t kHeadBytes = 16;
  static constexpr uint64_t kMostEntries = (kBytes - kHeadBytes) / ImageEntry::kBytes;
};

constexpr uint64_t ImagePages(uint64_t entries) noexcept {
  return entries / ImagePage::kMostEntries + (entries % ImagePage::kMostEntries != 0 ? 1 : 0);
}
constexpr uint64_t ImageBytes(uint64_t entries) noexcept {
  return ImageHeader::kBytes + ImagePages(entries) * ImagePage::kHeadBytes +
         entries * ImageEntry::kBytes;
}

// `bytes` must have ImageHeader::kBytes.
void Encode(const ImageHeader& header, const Context& context, std::span<uint8_t> bytes) noexcept;
// False when it is not whole, not of image `number` of this store, or of a file of another length.
[[nodiscard]] bool Parse(Slice bytes, const Context& context, uint64_t number, uint64_t file_bytes,
                         ImageHeader* header) noexcept;

// `entries`, at most kMostEntries of them, as page number `page`; `to` becomes the page.
void EncodePage(std::span<const ImageEntry> entries, const Context& context, uint64_t image,
                uint64_t page, std::vector<uint8_t>& to);
// `bytes` are the page's, all of them.
[[nodiscard]] bool ParsePage(Slice bytes, const Context& context, uint64_t image, uint64_t page,
                             std::vector<ImageEntry>* entries);

}  // namespace drey::file
