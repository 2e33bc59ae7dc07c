#pragma once

#include <cstdint>

#include "core/slice.h"
#include "file_store/format/limits.h"

namespace drey::file {

// How one chunk of a value is stored (docs/disk-format.md, section 5.2).
struct ChunkEntry {
  static constexpr uint8_t kMostCodec = 4;

  // Of the bytes as they are stored.
  uint32_t checksum = 0;
  uint32_t stored = 0;
  uint32_t raw = 0;
  // 0 none, 1 lz4, 2 gzip, 3 zstd, 4 the user's. The core compresses nothing: it only checks.
  uint8_t codec = 0;

  bool operator==(const ChunkEntry&) const noexcept = default;
};

// `to` has kChunkEntryBytes.
void Encode(const ChunkEntry& chunk, uint8_t* to) noexcept;

// False when its parts contradict each other. `from` has kChunkEntryBytes.
[[nodiscard]] bool Parse(const uint8_t* from, ChunkEntry* chunk) noexcept;

// The raw length of chunk `at` of a value of `size` bytes; `at` must be one of its chunks.
constexpr uint64_t RawLength(uint64_t size, uint8_t chunk_power, uint64_t at) noexcept {
  const uint64_t chunk = uint64_t{1} << chunk_power;
  const uint64_t left = size - at * chunk;
  return left < chunk ? left : chunk;
}

}  // namespace drey::file
