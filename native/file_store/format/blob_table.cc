#include "file_store/format/blob_table.h"

#include "file_store/format/words.h"

namespace drey::file {

void AppendPage(std::vector<uint8_t>& to, const Context& context, const BlobName& blob,
                uint64_t page, uint64_t first_offset, std::span<const ChunkEntry> chunks) {
  const size_t start = to.size();
  to.resize(start + TablePage::kHeadBytes + chunks.size() * kChunkEntryBytes);
  uint8_t* const bytes = to.data() + start;
  const size_t length = to.size() - start;
  Store32(bytes + 4, static_cast<uint32_t>(chunks.size()));
  Store64(bytes + 8, first_offset);
  for (size_t at = 0; at < chunks.size(); at++) {
    Encode(chunks[at], bytes + TablePage::kHeadBytes + at * kChunkEntryBytes);
  }
  const uint32_t seed = context.OfTablePage(blob.hash, blob.sequence, page);
  Store32(bytes, Checksum({bytes + 4, length - 4}, seed));
}

bool ParsePage(Slice bytes, const Context& context, const BlobName& blob, const BlobShape& shape,
               uint64_t page, TablePage* parsed) {
  const uint64_t all = shape.Chunks();
  const uint64_t first = page * TablePage::kMostChunks;
  if (page >= TablePages(all)) return false;
  const uint64_t count = ChunksInPage(all, page);
  if (bytes.size() != TablePage::kHeadBytes + count * kChunkEntryBytes) return false;
  const uint32_t seed = context.OfTablePage(blob.hash, blob.sequence, page);
  if (Checksum(bytes.subspan(4), seed) != Load32(bytes.data())) return false;
  if (Load32(&bytes[4]) != count) return false;
  parsed->first_offset = Load64(&bytes[8]);
  parsed->chunks.resize(count);
  if (parsed->first_offset > shape.stored || (page == 0 && parsed->first_offset != 0)) return false;
  uint64_t end = parsed->first_offset;
  for (uint64_t at = 0; at < count; at++) {
    ChunkEntry& chunk = parsed->chunks[at];
    if (!Parse(&bytes[TablePage::kHeadBytes + at * kChunkEntryBytes], &chunk)) return false;
    if (chunk.raw != RawLength(shape.size, shape.chunk_power, first + at)) return false;
    end += chunk.stored;
  }
  // The last chunk ends where the table begins; any other before.
  return first + count == all ? end == shape.stored : end < shape.stored;
}

}  // namespace drey::file
