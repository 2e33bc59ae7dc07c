#include "file_store/format/chunk.h"

#include "file_store/format/words.h"

namespace drey::file {

void Encode(const ChunkEntry& chunk, uint8_t* to) noexcept {
  Store32(to, chunk.checksum);
  Store32(to + 4, chunk.stored);
  Store32(to + 8, chunk.raw);
  Store32(to + 12, chunk.codec);
}

bool Parse(const uint8_t* from, ChunkEntry* chunk) noexcept {
  chunk->checksum = Load32(from);
  chunk->stored = Load32(from + 4);
  chunk->raw = Load32(from + 8);
  chunk->codec = from[12];
  if (chunk->codec > ChunkEntry::kMostCodec || !AllZero({from + 13, 3})) return false;
  if (chunk->stored == 0 || chunk->stored > chunk->raw) return false;
  return chunk->codec != 0 || chunk->stored == chunk->raw;
}

}  // namespace drey::file
