#include "file_store/format/record.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "file_store/format/words.h"

namespace drey::file {
namespace {

constexpr uint16_t kMark = 0xD4E7;

uint64_t ExtraBytes(RecordKind kind, uint8_t flags) noexcept {
  switch (kind) {
    case RecordKind::kPut:
      return (flags & kFlagBlob) != 0 ? 8 : 0;
    case RecordKind::kDelete:
      return 16;
    case RecordKind::kBatch:
      return 8;
    case RecordKind::kClear:
    case RecordKind::kDoubt:
    case RecordKind::kEnd:
      return 0;
  }
  return 0;
}

uint8_t AllowedFlags(RecordKind kind) noexcept {
  switch (kind) {
    case RecordKind::kPut:
      return kFlagBlob | kFlagMember | kFlagCopied;
    case RecordKind::kDelete:
    case RecordKind::kClear:
      return kFlagMember | kFlagCopied;
    case RecordKind::kDoubt:
      return kFlagCopied;
    case RecordKind::kBatch:
    case RecordKind::kEnd:
      return 0;
  }
  return 0;
}

// What the fixed part says, compared with the limits, before any of it is used.
bool SizesAreRight(const RecordHead& head, uint64_t key, uint64_t metadata) noexcept {
  if (head.sequence > kMostSequence) return false;
  if (head.kind != RecordKind::kPut) {
    return key == 0 && metadata == 0 && head.chunk_power == 0 && head.size == 0 && head.stored == 0;
  }
  if (key > kMostKey || head.chunk_power < kLeastChunkPower || head.chunk_power > kMostChunkPower) {
    return false;
  }
  if (head.size > kMostValue || head.stored > head.size) return false;
  if (head.blob()) {
    return head.size > 0 && head.stored >= ChunksOf(head.size, head.chunk_power);
  }
  return head.size <= kMostPacked;
}

bool TableIsRight(const RecordHead& head) noexcept {
  uint64_t stored = 0;
  for (uint64_t at = 0; at < head.ChunkCount(); at++) {
    ChunkEntry chunk;
    if (!Parse(head.table.data() + at * kChunkEntryBytes, &chunk)) return false;
    if (chunk.raw != RawLength(head.size, head.chunk_power, at)) return false;
    stored += chunk.stored;
  }
  return stored == head.stored;
}

std::vector<uint8_t> MakeHead(RecordKind kind, uint8_t flags, uint64_t length, uint64_t behind = 0,
                              std::vector<uint8_t> space = {}) {
  assert(length <= kMostHead);
  std::vector<uint8_t> head = std::move(space);
  head.clear();
  head.reserve(Padded(length) + behind);
  head.resize(Padded(length));
  Store16(&head[4], kMark);
  head[6] = static_cast<uint8_t>(kind);
  head[7] = flags;
  Store32(&head[8], static_cast<uint32_t>(length));
  return head;
}

}  // namespace

ChunkEntry RecordHead::ChunkAt(uint64_t at) const noexcept {
  ChunkEntry chunk;
  [[maybe_unused]] const bool valid = Parse(table.data() + at * kChunkEntryBytes, &chunk);
  assert(valid);
  return chunk;
}

Parsed ParseHead(Slice bytes, const Context& context, Position position,
                 RecordHead* head) noexcept {
  if (bytes.size() < kRecordHeadBytes) return Parsed::kShort;
  const uint8_t* const from = bytes.data();
  if (Load16(from + 4) != kMark || from[6] < 1 || from[6] > 6 || from[15] != 0) return Parsed::kBad;
  *head = RecordHead{};
  head->kind = static_cast<RecordKind>(from[6]);
  head->flags = from[7];
  if ((head->flags & ~AllowedFlags(head->kind)) != 0) return Parsed::kBad;
  head->length = Load32(from + 8);
  const uint64_t key = Load16(from + 12);
  head->chunk_power = from[14];
  head->sequence = Load64(from + 16);
  head->size = Load64(from + 24);
  head->stored = Load64(from + 32);
  const uint64_t metadata = Load32(from + 40);
  head->unsynced = Load32(from + 44);
  if (!SizesAreRight(*head, key, metadata)) return Parsed::kBad;
  const uint64_t extra = ExtraBytes(head->kind, head->flags);
  const bool packed = head->kind == RecordKind::kPut && !head->blob();
  const uint64_t table = packed ? ChunksOf(head->size, head->chunk_power) * kChunkEntryBytes : 0;
  if (head->length > kMostHead ||
      head->length != kRecordHeadBytes + extra + key + metadata + table) {
    return Parsed::kBad;
  }
  if (bytes.size() < head->length) return Parsed::kShort;
  head->checksum = Load32(from);
  const uint32_t seed = context.OfHead(position.segment, position.offset);
  if (Checksum(bytes.subspan(4, head->length - 4), seed) != head->checksum) return Parsed::kBad;

  Slice body = bytes.subspan(kRecordHeadBytes, head->length - kRecordHeadBytes);
  if (head->blob()) head->blob_sequence = Load64(body.data());
  if (head->kind == RecordKind::kDelete) std::copy_n(body.data(), 16, head->hash.begin());
  if (head->kind == RecordKind::kBatch) {
    head->batch_count = Load32(body.data());
    head->batch_checksum = Load32(body.data() + 4);
  }
  body = body.subspan(extra);
  head->key = body.first(key);
  head->metadata = body.subspan(key, metadata);
  head->table = body.subspan(key + metadata);
  if (packed && !TableIsRight(*head)) return Parsed::kBad;
  return Parsed::kWhole;
}

bool DataIsWhole(const RecordHead& head, Slice record) noexcept {
  if (head.kind != RecordKind::kPut || head.blob()) return true;
  if (record.size() < head.DataOffset() || record.size() - head.DataOffset() < head.stored) {
    return false;
  }
  Slice data = record.subspan(head.DataOffset(), head.stored);
  for (uint64_t at = 0; at < head.ChunkCount(); at++) {
    const ChunkEntry chunk = head.ChunkAt(at);
    if (Checksum(data.first(chunk.stored)) != chunk.checksum) return false;
    data = data.subspan(chunk.stored);
  }
  return true;
}

std::vector<uint8_t> MakePut(const PutParts& parts, std::vector<uint8_t> space) {
  const uint8_t flags = parts.blob ? kFlagBlob : 0;
  const uint64_t extra = ExtraBytes(RecordKind::kPut, flags);
  const uint64_t table = parts.blob ? 0 : parts.chunks.size() * kChunkEntryBytes;
  const uint64_t length =
      kRecordHeadBytes + extra + parts.key.size() + parts.metadata.size() + table;
  uint64_t stored = parts.stored;
  if (!parts.blob) {
    stored = 0;
    for (const ChunkEntry& chunk : parts.chunks) stored += chunk.stored;
  }
  std::vector<uint8_t> head =
      MakeHead(RecordKind::kPut, flags, length, parts.blob ? 0 : Padded(stored), std::move(space));
  Store16(&head[12], static_cast<uint16_t>(parts.key.size()));
  head[14] = parts.chunk_power;
  Store64(&head[24], parts.size);
  Store32(&head[40], static_cast<uint32_t>(parts.metadata.size()));
  uint8_t* body = head.data() + kRecordHeadBytes;
  if (parts.blob) {
    Store64(body, parts.blob_sequence);
    body += 8;
  }
  body = std::copy(parts.key.begin(), parts.key.end(), body);
  body = std::copy(parts.metadata.begin(), parts.metadata.end(), body);
  if (!parts.blob) {
    for (const ChunkEntry& chunk : parts.chunks) {
      Encode(chunk, body);
      body += kChunkEntryBytes;
    }
  }
  Store64(&head[32], stored);
  return head;
}

std::vector<uint8_t> MakeDelete(const Bytes16& hash) {
  std::vector<uint8_t> head = MakeHead(RecordKind::kDelete, 0, kRecordHeadBytes + hash.size());
  std::copy(hash.begin(), hash.end(), head.begin() + kRecordHeadBytes);
  return head;
}

std::vector<uint8_t> MakeBatchEnd(uint32_t count, uint32_t checksum) {
  std::vector<uint8_t> head = MakeHead(RecordKind::kBatch, 0, kRecordHeadBytes + 8);
  Store32(&head[kRecordHeadBytes], count);
  Store32(&head[kRecordHeadBytes + 4], checksum);
  return head;
}

std::vector<uint8_t> MakeBare(RecordKind kind) { return MakeHead(kind, 0, kRecordHeadBytes); }

uint32_t HeadLength(Slice record) noexcept { return Load32(record.data() + 8); }

uint32_t SealHead(std::span<uint8_t> record, const Context& context, const Seal& seal) noexcept {
  uint8_t* const to = record.data();
  to[7] = static_cast<uint8_t>(to[7] | seal.flags);
  Store64(to + 16, seal.sequence);
  Store32(to + 44, seal.unsynced);
  const uint32_t seed = context.OfHead(seal.position.segment, seal.position.offset);
  const uint32_t checksum = Checksum(Slice(to + 4, HeadLength(record) - 4), seed);
  Store32(to, checksum);
  return checksum;
}

}  // namespace drey::file
