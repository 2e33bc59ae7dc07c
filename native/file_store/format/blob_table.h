#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/slice.h"
#include "file_store/format/chunk.h"
#include "file_store/format/context.h"
#include "file_store/format/names.h"

// The table at the end of a blob (docs/disk-format.md, section 6): pages of 4096 bytes, each of
// which is checked, and says where its first chunk is, so that a range is read by its own pages.
namespace drey::file {

struct TablePage {
  static constexpr uint64_t kBytes = 4096;
  static constexpr uint64_t kHeadBytes = 16;
  static constexpr uint64_t kMostChunks = 255;

  // In the file, of its first chunk.
  uint64_t first_offset = 0;
  std::vector<ChunkEntry> chunks;
};

constexpr uint64_t TablePages(uint64_t chunks) noexcept {
  return chunks / TablePage::kMostChunks + (chunks % TablePage::kMostChunks != 0 ? 1 : 0);
}
constexpr uint64_t TableBytes(uint64_t chunks) noexcept {
  return TablePages(chunks) * TablePage::kHeadBytes + chunks * kChunkEntryBytes;
}
// Chunks in page `page` of a table of `chunks`.
constexpr uint64_t ChunksInPage(uint64_t chunks, uint64_t page) noexcept {
  const uint64_t left = chunks - page * TablePage::kMostChunks;
  return left < TablePage::kMostChunks ? left : TablePage::kMostChunks;
}

// Appends page number `page` of the table of `blob`.
void AppendPage(std::vector<uint8_t>& to, const Context& context, const BlobName& blob,
                uint64_t page, uint64_t first_offset, std::span<const ChunkEntry> chunks);

// What a record says of its blob: what its table must agree with.
struct BlobShape {
  uint64_t size = 0;
  uint64_t stored = 0;
  uint8_t chunk_power = 0;

  uint64_t Chunks() const noexcept { return ChunksOf(size, chunk_power); }
  uint64_t FileBytes() const noexcept { return stored + TableBytes(Chunks()); }
};

// `bytes` are the page's, all of them. False when it is not whole, or not what the shape wants.
[[nodiscard]] bool ParsePage(Slice bytes, const Context& context, const BlobName& blob,
                             const BlobShape& shape, uint64_t page, TablePage* parsed);

}  // namespace drey::file
