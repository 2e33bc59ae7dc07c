// The structures of docs/disk-format.md: what is written is read, and what is not exactly that is
// refused, whatever became of it.

#include <doctest/doctest.h>

#include <functional>
#include <vector>

#include "file_store/format/blob_table.h"
#include "file_store/format/directory_header.h"
#include "file_store/format/image.h"
#include "file_store/format/metadata.h"
#include "file_store/format/names.h"
#include "file_store/format/record.h"
#include "file_store/format/segment_header.h"
#include "support/random.h"

using namespace drey;
using namespace drey::file;
using drey::test::Random;

namespace {

Bytes16 Id(uint8_t from) {
  Bytes16 id;
  for (size_t at = 0; at < id.size(); at++) id[at] = static_cast<uint8_t>(from + at);
  return id;
}

std::vector<uint8_t> Bytes(Random& random, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next());
  return bytes;
}

// Whoever reads has a copy of exactly that length: ASAN sees what is read behind it.
using Accepts = std::function<bool(const std::vector<uint8_t>&)>;

void RefusesAllElse(const std::vector<uint8_t>& whole, const Accepts& accepts,
                    size_t checked = SIZE_MAX) {
  REQUIRE(accepts(whole));
  checked = std::min(checked, whole.size());
  for (size_t bit = 0; bit < checked * 8; bit++) {
    std::vector<uint8_t> flipped(whole);
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    if (accepts(flipped)) FAIL("accepts bit " << bit << " flipped");
  }
  for (size_t size = 0; size < checked; size++) {
    if (accepts(std::vector<uint8_t>(whole.begin(), whole.begin() + static_cast<long>(size)))) {
      FAIL("accepts " << size << " of " << whole.size() << " bytes");
    }
  }
}

}  // namespace

TEST_CASE("file format: checksums are those of the standard, and of their place") {
  CHECK(Checksum(SliceOf("123456789")) == 0xE3069283);
  CHECK(Checksum(SliceOf("56789"), Checksum(SliceOf("1234"))) == 0xE3069283);
  const Context context(Id(1));
  const Context other(Id(2));
  CHECK(context.OfHead(1, 128) != context.OfHead(1, 136));
  CHECK(context.OfHead(1, 128) != context.OfHead(2, 128));
  CHECK(context.OfHead(1, 128) != other.OfHead(1, 128));
  CHECK(context.OfSegment(1) != context.OfImage(1));
  // As the page says: store id, word, numbers, in that order.
  const Bytes16 id = Id(1);
  std::vector<uint8_t> said(id.begin(), id.end());
  for (const char each : std::string("HEAD")) said.push_back(static_cast<uint8_t>(each));
  for (const uint64_t number : {uint64_t{7}, uint64_t{4096}}) {
    for (int at = 0; at < 8; at++) said.push_back(static_cast<uint8_t>(number >> (8 * at)));
  }
  CHECK(context.OfHead(7, 4096) == Checksum(said));
}

TEST_CASE("file format: the directory's header") {
  const DirectoryHeader header{
      .store_id = Id(3), .secret = Id(40), .partitions = 16, .made_at = 1234567};
  std::vector<uint8_t> file(DirectoryHeader::kFileBytes);
  Encode(header, file);
  const auto same = [&](const std::vector<uint8_t>& bytes) {
    const Result<DirectoryHeader> parsed = ParseDirectory(bytes);
    return parsed.ok() && parsed.value().store_id == header.store_id &&
           parsed.value().secret == header.secret && parsed.value().partitions == 16 &&
           parsed.value().made_at == header.made_at;
  };
  CHECK(same(file));
  // One copy is enough, and one copy alone is checked throughout.
  std::vector<uint8_t> second(file);
  second[20] ^= 1;
  CHECK(same(second));
  std::vector<uint8_t> first(file.begin(), file.begin() + DirectoryHeader::kBytes);
  RefusesAllElse(first, same);
  std::vector<uint8_t> newer(file);
  for (const size_t at : {size_t{0}, size_t{512}}) {
    newer[at + 8] = 2;
    const uint32_t checksum = Checksum(Slice(newer).subspan(at, 124));
    for (size_t byte = 0; byte < 4; byte++) {
      newer[at + 124 + byte] = static_cast<uint8_t>(checksum >> (8 * byte));
    }
  }
  const Result<DirectoryHeader> refused = ParseDirectory(newer);
  CHECK(refused.status().code() == Status::Code::kFormat);
  CHECK(std::string(refused.status().message()).find("version 2") != std::string::npos);
}

TEST_CASE("file format: a segment's header") {
  const Context context(Id(3));
  const SegmentHeader header{.number = 9,
                             .oldest = 4,
                             .next_sequence = 77,
                             .boot_id = Id(9),
                             .durability = Durability::kPower,
                             .begun_at = 5};
  std::vector<uint8_t> bytes(kSegmentHeaderBytes);
  Encode(header, context, bytes);
  RefusesAllElse(bytes, [&](const std::vector<uint8_t>& given) {
    SegmentHeader parsed;
    return Parse(given, context, 9, &parsed) && parsed.oldest == 4 && parsed.next_sequence == 77 &&
           parsed.boot_id == Id(9) && parsed.durability == Durability::kPower;
  });
  SegmentHeader parsed;
  CHECK(!Parse(bytes, context, 10, &parsed));
  CHECK(!Parse(bytes, Context(Id(4)), 9, &parsed));
}

TEST_CASE("file format: records") {
  const Context context(Id(3));
  Random random(1);
  const Position position{.segment = 3, .offset = 4096};
  for (int round = 0; round < 60; round++) {
    const auto key = Bytes(random, random.Below(40));
    const auto metadata = Bytes(random, 10 + random.Below(30));
    const uint64_t size = round < 5 ? 0 : random.Below(20'000);
    const bool blob = size > 0 && round % 3 == 0;
    std::vector<ChunkEntry> chunks;
    uint64_t stored = 0;
    for (uint64_t at = 0; at < ChunksOf(size, 12); at++) {
      const auto raw = static_cast<uint32_t>(RawLength(size, 12, at));
      const uint32_t kept = round % 2 == 0 ? raw : 1 + static_cast<uint32_t>(random.Below(raw));
      chunks.push_back({.checksum = static_cast<uint32_t>(random.Next()),
                        .stored = kept,
                        .raw = raw,
                        .codec = static_cast<uint8_t>(kept == raw ? 0 : 1)});
      stored += kept;
    }
    std::vector<uint8_t> record = MakePut({.key = key,
                                           .metadata = metadata,
                                           .size = size,
                                           .chunk_power = 12,
                                           .chunks = chunks,
                                           .blob = blob,
                                           .blob_sequence = 55,
                                           .stored = stored});
    CHECK(record.size() % 8 == 0);
    SealHead(record, context, {.position = position, .sequence = 99, .flags = 0, .unsynced = 4});
    const size_t length = HeadLength(record);
    record.resize(length);
    const auto same = [&](const std::vector<uint8_t>& given) {
      RecordHead head;
      if (ParseHead(given, context, position, &head) != Parsed::kWhole) return false;
      bool equal =
          head.kind == RecordKind::kPut && head.sequence == 99 && head.size == size &&
          head.stored == stored && head.blob() == blob && head.unsynced == 4 &&
          std::equal(head.key.begin(), head.key.end(), key.begin(), key.end()) &&
          std::equal(head.metadata.begin(), head.metadata.end(), metadata.begin(), metadata.end());
      if (blob) return equal && head.blob_sequence == 55;
      for (uint64_t at = 0; equal && at < chunks.size(); at++) {
        equal = head.ChunkAt(at) == chunks[at];
      }
      return equal && head.ChunkCount() == chunks.size();
    };
    RefusesAllElse(record, same, round < 12 ? SIZE_MAX : 48);
    // Elsewhere it is damaged (F3).
    RecordHead head;
    CHECK(ParseHead(record, context, {3, 4104}, &head) == Parsed::kBad);
    CHECK(ParseHead(record, context, {4, 4096}, &head) == Parsed::kBad);
    CHECK(ParseHead(record, Context(Id(5)), position, &head) == Parsed::kBad);
  }
  for (std::vector<uint8_t> bare :
       {MakeDelete(Id(7)), MakeBatchEnd(3, 12345), MakeBare(RecordKind::kClear),
        MakeBare(RecordKind::kDoubt), MakeBare(RecordKind::kEnd)}) {
    SealHead(bare, context, {.position = position, .sequence = 5});
    bare.resize(HeadLength(bare));
    RefusesAllElse(bare, [&](const std::vector<uint8_t>& given) {
      RecordHead head;
      return ParseHead(given, context, position, &head) == Parsed::kWhole && head.sequence == 5;
    });
  }
}

TEST_CASE("file format: lengths that lie are refused though the checksum is right") {
  const Context context(Id(3));
  const Position position{.segment = 1, .offset = 128};
  const ChunkEntry chunk{.checksum = 1, .stored = 100, .raw = 100, .codec = 0};
  const std::vector<uint8_t> key(5, 'k');
  const std::vector<uint8_t> metadata(10);
  const auto parsed = [&](const std::function<void(std::vector<uint8_t>&)>& change) {
    std::vector<uint8_t> record = MakePut({.key = key,
                                           .metadata = metadata,
                                           .size = 100,
                                           .chunk_power = 16,
                                           .chunks = std::span(&chunk, 1)});
    change(record);
    const uint32_t length = HeadLength(record);
    if (length >= 48 && length <= record.size()) {
      SealHead(record, context, {.position = position, .sequence = 1});
    }
    RecordHead head;
    return ParseHead(record, context, position, &head);
  };
  CHECK(parsed([](auto&) {}) == Parsed::kWhole);
  CHECK(parsed([](auto& it) { it[12] = 200; }) == Parsed::kBad);          // key
  CHECK(parsed([](auto& it) { it[13] = 0xFF; }) == Parsed::kBad);         // key beyond its limit
  CHECK(parsed([](auto& it) { it[43] = 0xFF; }) == Parsed::kBad);         // metadata
  CHECK(parsed([](auto& it) { it[11] = 0xFF; }) == Parsed::kBad);         // head
  CHECK(parsed([](auto& it) { it[8] = 40; }) == Parsed::kBad);            // head too short
  CHECK(parsed([](auto& it) { it[24] = 99; }) == Parsed::kBad);           // size
  CHECK(parsed([](auto& it) { it[31] = 1; }) == Parsed::kBad);            // size beyond its limit
  CHECK(parsed([](auto& it) { it[32] = 99; }) == Parsed::kBad);           // stored
  CHECK(parsed([](auto& it) { it[14] = 11; }) == Parsed::kBad);           // chunk size
  CHECK(parsed([](auto& it) { it[14] = 63; }) == Parsed::kBad);           // chunk size
  CHECK(parsed([](auto& it) { it[6] = 7; }) == Parsed::kBad);             // kind
  CHECK(parsed([](auto& it) { it[7] = 8; }) == Parsed::kBad);             // flags
  CHECK(parsed([](auto& it) { it[15] = 1; }) == Parsed::kBad);            // zero
  CHECK(parsed([](auto& it) { it[48 + 15 + 12] = 5; }) == Parsed::kBad);  // codec
  CHECK(parsed([](auto& it) { it[48 + 15 + 13] = 1; }) == Parsed::kBad);  // zero of a chunk
  CHECK(parsed([](auto& it) { it[48 + 15 + 4] = 0; }) == Parsed::kBad);   // stored length
}

TEST_CASE("file format: metadata") {
  const std::vector<uint8_t> etag = {'"', 'e', '"'};
  const std::vector<uint8_t> user = {'{', '}'};
  const std::vector<uint8_t> codec = {'b', 'r'};
  const std::vector<uint8_t> labels = {'7', '\n', 't'};
  for (uint32_t has = 0; has < 256; has++) {
    const Metadata given{.cached_at = 1e12,
                         .fresh_until = (has & 1) != 0 ? 2e12 : Metadata::kNever,
                         .stale_until = (has & 64) != 0 ? 4e12 : 0,
                         .stale_if_error_until = (has & 2) != 0 ? 3e12 : Metadata::kNever,
                         .negative = (has & 32) != 0,
                         .has_etag = (has & 4) != 0,
                         .has_user = (has & 8) != 0,
                         .has_codec = (has & 16) != 0,
                         .has_labels = (has & 128) != 0,
                         .etag = etag,
                         .user = user,
                         .codec = codec,
                         .labels = labels};
    const std::vector<uint8_t> bytes = Encode(given);
    Metadata parsed;
    REQUIRE(Parse(bytes, &parsed));
    CHECK(parsed.cached_at == given.cached_at);
    CHECK(parsed.fresh_until == given.fresh_until);
    CHECK(parsed.stale_if_error_until == given.stale_if_error_until);
    CHECK(parsed.stale_until == std::max(given.stale_until, given.fresh_until));
    CHECK(parsed.labels.size() == (given.has_labels ? labels.size() : 0));
    CHECK(parsed.negative == given.negative);
    CHECK(parsed.has_etag == given.has_etag);
    CHECK(parsed.user.size() == (given.has_user ? user.size() : 0));
    CHECK(Encode(parsed) == bytes);
    // Its checksum is the record's: but what is cut or longer is refused.
    for (size_t size = 0; size < bytes.size(); size++) {
      CHECK(!Parse(Slice(bytes).first(size), &parsed));
    }
    std::vector<uint8_t> longer(bytes);
    longer.push_back(0);
    CHECK(!Parse(longer, &parsed));
  }
  Metadata parsed;
  std::vector<uint8_t> nan = Encode({.etag = {}, .user = {}, .codec = {}, .labels = {}});
  std::fill(nan.begin() + 2, nan.end(), uint8_t{0xFF});
  CHECK(!Parse(nan, &parsed));
  CHECK(ExpiresOf({.fresh_until = 1001,
                   .stale_if_error_until = 5,
                   .etag = {},
                   .user = {},
                   .codec = {},
                   .labels = {}}) == 2);
  CHECK(ExpiresOf({.fresh_until = 5, .etag = {}, .user = {}, .codec = {}, .labels = {}}) ==
        kExpiresNever);
}

TEST_CASE("file format: a blob's table") {
  const Context context(Id(3));
  const BlobName blob{.hash = Id(9), .sequence = 12};
  Random random(4);
  for (const uint64_t count : {1, 2, 254, 255, 256, 600}) {
    const uint64_t size = count * 4096 - 100;
    std::vector<ChunkEntry> chunks;
    uint64_t stored = 0;
    for (uint64_t at = 0; at < count; at++) {
      const auto raw = static_cast<uint32_t>(RawLength(size, 12, at));
      const uint32_t kept = 1 + static_cast<uint32_t>(random.Below(raw - 1));
      chunks.push_back({.checksum = 5, .stored = kept, .raw = raw, .codec = 1});
      stored += kept;
    }
    const BlobShape shape{.size = size, .stored = stored, .chunk_power = 12};
    CHECK(shape.Chunks() == count);
    uint64_t offset = 0;
    uint64_t bytes = 0;
    for (uint64_t page = 0; page < TablePages(count); page++) {
      const auto in_page = std::span<const ChunkEntry>(chunks).subspan(
          page * TablePage::kMostChunks, ChunksInPage(count, page));
      std::vector<uint8_t> made;
      AppendPage(made, context, blob, page, offset, in_page);
      const auto same = [&](const std::vector<uint8_t>& given) {
        TablePage parsed;
        return ParsePage(given, context, blob, shape, page, &parsed) &&
               parsed.first_offset == offset &&
               std::equal(parsed.chunks.begin(), parsed.chunks.end(), in_page.begin(),
                          in_page.end());
      };
      RefusesAllElse(made, same, 64);
      TablePage parsed;
      CHECK(!ParsePage(made, context, blob, shape, page + 1, &parsed));
      CHECK(!ParsePage(made, context, {.hash = Id(9), .sequence = 13}, shape, page, &parsed));
      CHECK(!ParsePage(made, context, blob, {size, stored + 1, 12}, page, &parsed) ==
            (page + 1 == TablePages(count)));
      bytes += made.size();
      for (const ChunkEntry& chunk : in_page) offset += chunk.stored;
    }
    CHECK(bytes == TableBytes(count));
  }
}

TEST_CASE("file format: images") {
  const Context context(Id(3));
  const ImageHeader header{.number = 5,
                           .position = {7, 1024},
                           .oldest = 3,
                           .next_sequence = 100,
                           .doubt = 4,
                           .entries = 2000,
                           .pages = 2,
                           .clean = true,
                           .synced = false,
                           .boot_id = Id(8),
                           .written_at = 9};
  std::vector<uint8_t> bytes(ImageHeader::kBytes);
  Encode(header, context, bytes);
  const auto same = [&](const std::vector<uint8_t>& given) {
    ImageHeader parsed;
    return Parse(given, context, 5, ImageBytes(2000), &parsed) &&
           parsed.position == header.position && parsed.clean && !parsed.synced &&
           parsed.doubt == 4;
  };
  RefusesAllElse(bytes, same, 200);
  ImageHeader parsed;
  CHECK(!Parse(bytes, context, 5, ImageBytes(2000) - 1, &parsed));
  CHECK(!Parse(bytes, context, 6, ImageBytes(2000), &parsed));

  std::vector<ImageEntry> entries;
  for (uint64_t at = 0; at < 20; at++) {
    entries.push_back({.identity = at * 3,
                       .sequence = at,
                       .segment = 1,
                       .offset_units = static_cast<uint32_t>(16 + at * 8),
                       .length = 64,
                       .expires = kExpiresNever,
                       .blob_units = 0,
                       .policy = 7});
  }
  std::vector<uint8_t> page;
  EncodePage(entries, context, 5, 0, page);
  RefusesAllElse(page, [&](const std::vector<uint8_t>& given) {
    std::vector<ImageEntry> read;
    return ParsePage(given, context, 5, 0, &read) && read == entries;
  });
  std::vector<ImageEntry> read;
  CHECK(!ParsePage(page, context, 5, 1, &read));
  std::swap(entries[3], entries[4]);
  EncodePage(entries, context, 5, 0, page);
  CHECK(!ParsePage(page, context, 5, 0, &read));
}

TEST_CASE("file format: names come from numbers, and nothing else is one") {
  CHECK(SegmentName(255) == "00000000000000ff.seg");
  CHECK(ParseSegmentName("00000000000000ff.seg") == 255);
  CHECK(ParseImageName("00000000000000ff.img") == 255);
  for (const char* name :
       {"", "ff.seg", "00000000000000FF.seg", "00000000000000ff.sex", "0000000000000000.seg",
        "00000000000000ff.seg.", "x0000000000000ff.seg"}) {
    CHECK(!ParseSegmentName(name));
  }
  const BlobName blob{.hash = Id(0xA0), .sequence = 0x1234};
  CHECK(blob.ToString() == "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf-0000000000001234");
  CHECK(ParseBlobName(blob.ToString()) == blob);
  CHECK(!ParseBlobName("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf_0000000000001234"));
  CHECK(blob.Partition(16) == 0);
  CHECK(blob.Partition(256) == 0xA0);
  CHECK(ParsePartitionName("0f", 16) == 15U);
  CHECK(!ParsePartitionName("10", 16));
  CHECK(IsUnfinishedDirectoryFile("DREY.0123456789abcdef"));
  CHECK(!IsUnfinishedDirectoryFile("DREY.0123"));
}
