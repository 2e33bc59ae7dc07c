#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/slice.h"
#include "file_store/format/chunk.h"
#include "file_store/format/context.h"
#include "file_store/format/limits.h"

// Records of the log (docs/disk-format.md, section 5.2).
namespace drey::file {

enum class RecordKind : uint8_t {
  kPut = 1,
  kDelete = 2,
  kClear = 3,
  kBatch = 4,
  kDoubt = 5,
  kEnd = 6
};

enum RecordFlag : uint8_t { kFlagBlob = 1, kFlagMember = 2, kFlagCopied = 4 };

constexpr uint32_t kUnsyncedUnknown = 0xFFFFFFFF;

// Where a record is. A segment's number and an offset in it say it for ever: no number is used
// twice.
struct Position {
  uint64_t segment = 0;
  uint64_t offset = 0;

  auto operator<=>(const Position&) const noexcept = default;
};

// A head that was checked. Its slices point into the bytes that it was parsed from.
struct RecordHead {
  RecordKind kind = RecordKind::kEnd;
  uint8_t flags = 0;
  // 0 but for puts.
  uint8_t chunk_power = 0;
  // Without padding.
  uint32_t length = 0;
  uint32_t checksum = 0;
  uint32_t unsynced = kUnsyncedUnknown;
  uint64_t sequence = 0;
  uint64_t size = 0;
  uint64_t stored = 0;
  // Of a blob.
  uint64_t blob_sequence = 0;
  // Of a batch's end.
  uint32_t batch_count = 0;
  uint32_t batch_checksum = 0;
  // Of a delete.
  Bytes16 hash{};
  Slice key;
  Slice metadata;
  // Of a packed value: kChunkEntryBytes a chunk. Its entries are valid, and their sums those of the
  // head.
  Slice table;

  bool blob() const noexcept { return (flags & kFlagBlob) != 0; }
  bool member() const noexcept { return (flags & kFlagMember) != 0; }
  // Of all that the record takes in the log, padding included.
  uint64_t PaddedLength() const noexcept { return Padded(length) + (blob() ? 0 : Padded(stored)); }
  uint64_t DataOffset() const noexcept { return Padded(length); }
  uint64_t ChunkCount() const noexcept { return table.size() / kChunkEntryBytes; }
  ChunkEntry ChunkAt(uint64_t at) const noexcept;
};

enum class Parsed : uint8_t {
  kWhole,
  // No record is here, or it is damaged.
  kBad,
  // It may be one, but `bytes` end before its head does.
  kShort,
};

// `bytes` begin where the record does, and may go on behind it.
Parsed ParseHead(Slice bytes, const Context& context, Position position, RecordHead* head) noexcept;

// Whether `record`, which begins where its head does, has all its data as it was written. Of a
// blob, that is so by itself.
bool DataIsWhole(const RecordHead& head, Slice record) noexcept;

struct PutParts {
  Slice key;
  Slice metadata;
  uint64_t size = 0;
  uint8_t chunk_power = 16;
  // Of a packed value; the stored size is their sum.
  std::span<const ChunkEntry> chunks;
  bool blob = false;
  uint64_t blob_sequence = 0;
  // Of a blob.
  uint64_t stored = 0;
};

// The heads of records, padded, without what only the log knows: SealHead puts it in. That of a
// packed value has the capacity for its data, too; `space` is memory that it may be made in.
std::vector<uint8_t> MakePut(const PutParts& parts, std::vector<uint8_t> space = {});
std::vector<uint8_t> MakeDelete(const Bytes16& hash);
std::vector<uint8_t> MakeBatchEnd(uint32_t count, uint32_t checksum);
// Of kClear, kDoubt, kEnd.
std::vector<uint8_t> MakeBare(RecordKind kind);

struct Seal {
  Position position;
  uint64_t sequence = 0;
  uint8_t flags = 0;
  uint32_t unsynced = kUnsyncedUnknown;
};

// Completes a head at the beginning of `record`; returns its checksum. Flags are added to those
// that it has.
uint32_t SealHead(std::span<uint8_t> record, const Context& context, const Seal& seal) noexcept;

// The length without padding that a head made by us has.
uint32_t HeadLength(Slice record) noexcept;

}  // namespace drey::file
