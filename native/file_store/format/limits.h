#pragma once

#include <cstdint>

// The numbers of docs/disk-format.md, section 11, and the lengths of its structures.
namespace drey::file {

constexpr uint32_t kFormatVersion = 1;

constexpr uint64_t kMostKey = 32 * 1024;
constexpr uint64_t kMostHead = 256 * 1024;
constexpr uint64_t kMostValue = (uint64_t{1} << 48) - 1;
constexpr uint64_t kMostPacked = 1024 * 1024;
constexpr uint64_t kMostEtag = 4096;
constexpr uint64_t kMostUser = 64 * 1024;
constexpr uint64_t kMostCodecName = 64;
constexpr uint64_t kMostLabels = 32 * 1024;
constexpr uint8_t kLeastChunkPower = 12;
constexpr uint8_t kMostChunkPower = 20;
constexpr uint64_t kLeastSegment = 1024 * 1024;
constexpr uint64_t kMostSegment = (uint64_t{1} << 32) - 8;
constexpr uint32_t kMostPartitions = 256;
// What the index has room for; at a million a second, that is two years.
constexpr uint64_t kMostSequence = (uint64_t{1} << 46) - 1;

constexpr uint64_t kSegmentHeaderBytes = 128;
constexpr uint64_t kRecordHeadBytes = 48;
constexpr uint64_t kChunkEntryBytes = 16;

// Lengths and places in the log are multiples of this.
constexpr uint64_t kAlignment = 8;
constexpr uint64_t Padded(uint64_t bytes) noexcept {
  return (bytes + (kAlignment - 1)) & ~(kAlignment - 1);
}

// What the file system gives at once.
constexpr uint64_t kUnit = 4096;
constexpr uint64_t UnitsOf(uint64_t bytes) noexcept {
  return bytes / kUnit + (bytes % kUnit != 0 ? 1 : 0);
}
constexpr uint64_t InUnits(uint64_t bytes) noexcept { return UnitsOf(bytes) * kUnit; }

constexpr uint64_t ChunksOf(uint64_t size, uint8_t chunk_power) noexcept {
  const uint64_t chunk = uint64_t{1} << chunk_power;
  return size / chunk + (size % chunk != 0 ? 1 : 0);
}

}  // namespace drey::file
