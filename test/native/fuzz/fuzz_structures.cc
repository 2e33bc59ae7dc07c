// All structures but the log. The first byte says which, and whether its checksum is made right
// first: else nothing but checksums would ever be tested.

#include <cstdlib>

#include "file_store/format/blob_table.h"
#include "file_store/format/directory_header.h"
#include "file_store/format/image.h"
#include "file_store/format/metadata.h"
#include "file_store/format/names.h"
#include "file_store/format/segment_header.h"
#include "file_store/format/words.h"
#include "fuzz.h"

using namespace drey;
using namespace drey::file;

namespace {

enum Which : uint8_t { kDirectory, kSegment, kImage, kImagePage, kTable, kMetadata, kName, kLast };

const Context& Place() {
  static const Context context(Bytes16{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  return context;
}

constexpr BlobName kBlob{.hash = {9}, .sequence = 5};
constexpr BlobShape kShape{.size = 1'000'000, .stored = 900'000, .chunk_power = 12};

void Require(bool holds) {
  if (!holds) std::abort();
}

void SealAtEnd(std::vector<uint8_t>& bytes, size_t at, uint32_t seed) {
  if (bytes.size() < at + 4) return;
  Store32(&bytes[at], Checksum(Slice(bytes).first(at), seed));
}

void SealAtStart(std::vector<uint8_t>& bytes, uint32_t seed) {
  if (bytes.size() < 4) return;
  Store32(bytes.data(), Checksum(Slice(bytes).subspan(4), seed));
}

void Try(uint8_t which, bool seal, std::vector<uint8_t> bytes) {
  switch (which) {
    case kDirectory: {
      if (seal) SealAtEnd(bytes, 124, 0);
      const Result<DirectoryHeader> parsed = ParseDirectory(bytes);
      if (!parsed.ok()) break;
      Require(parsed.value().partitions >= 1 && parsed.value().partitions <= kMostPartitions);
      break;
    }
    case kSegment: {
      if (seal) SealAtEnd(bytes, 124, Place().OfSegment(9));
      SegmentHeader header;
      if (Parse(bytes, Place(), 9, &header)) Require(header.oldest <= 9 && header.oldest > 0);
      break;
    }
    case kImage: {
      if (seal) SealAtEnd(bytes, 4092, Place().OfImage(3));
      ImageHeader header;
      if (!Parse(bytes, Place(), 3, bytes.size(), &header)) break;
      Require(ImageBytes(header.entries) == bytes.size());
      break;
    }
    case kImagePage: {
      if (seal) SealAtStart(bytes, Place().OfImagePage(3, 1));
      std::vector<ImageEntry> entries;
      if (!ParsePage(bytes, Place(), 3, 1, &entries)) break;
      for (const ImageEntry& entry : entries) {
        Require(uint64_t{entry.offset_units} * 8 + entry.length <= kMostSegment);
      }
      break;
    }
    case kTable: {
      if (seal) SealAtStart(bytes, Place().OfTablePage(kBlob.hash, kBlob.sequence, 0));
      TablePage page;
      if (!ParsePage(bytes, Place(), kBlob, kShape, 0, &page)) break;
      uint64_t end = page.first_offset;
      for (const ChunkEntry& chunk : page.chunks) end += chunk.stored;
      Require(end <= kShape.stored);
      break;
    }
    case kMetadata: {
      Metadata metadata;
      if (!Parse(bytes, &metadata)) break;
      Require(metadata.etag.size() <= kMostEtag && metadata.user.size() <= kMostUser);
      Metadata again;
      Require(Parse(Encode(metadata), &again));
      break;
    }
    default: {
      const std::string name(bytes.begin(), bytes.end());
      if (const auto number = ParseSegmentName(name)) Require(SegmentName(*number) == name);
      if (const auto number = ParseImageName(name)) Require(ImageName(*number) == name);
      if (const auto blob = ParseBlobName(name)) Require(blob->ToString() == name);
      break;
    }
  }
}

std::vector<uint8_t> With(Which which, const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> input = {static_cast<uint8_t>(which | 0x80)};
  input.insert(input.end(), bytes.begin(), bytes.end());
  return input;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Try(data[0] % 0x80 % kLast, (data[0] & 0x80) != 0, std::vector<uint8_t>(data + 1, data + size));
  return 0;
}

std::vector<std::vector<uint8_t>> Seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  std::vector<uint8_t> bytes(DirectoryHeader::kFileBytes);
  Encode(DirectoryHeader{.store_id = {1}, .secret = {2}, .partitions = 16, .made_at = 5}, bytes);
  seeds.push_back(With(kDirectory, bytes));
  bytes.assign(kSegmentHeaderBytes, 0);
  Encode(SegmentHeader{.number = 9, .oldest = 2, .next_sequence = 50, .boot_id = {7}}, Place(),
         bytes);
  seeds.push_back(With(kSegment, bytes));
  const std::vector<ImageEntry> entries = {
      {.identity = 1, .sequence = 2, .offset_units = 16, .length = 64},
      {.identity = 9, .sequence = 3, .segment = 4, .offset_units = 99, .length = 640}};
  std::vector<uint8_t> page;
  EncodePage(entries, Place(), 3, 1, page);
  seeds.push_back(With(kImagePage, page));
  bytes.assign(ImageHeader::kBytes, 0);
  Encode(ImageHeader{.number = 3, .position = {5, 1024}, .oldest = 2, .entries = 2, .pages = 1},
         Place(), bytes);
  bytes.insert(bytes.end(), page.begin(), page.end());
  seeds.push_back(With(kImage, bytes));
  std::vector<ChunkEntry> chunks;
  for (uint64_t at = 0; at < ChunksInPage(kShape.Chunks(), 0); at++) {
    const auto raw = static_cast<uint32_t>(RawLength(kShape.size, 12, at));
    chunks.push_back({.checksum = 1,
                      .stored = at == 0 ? raw - 100'000 % 4096 : raw,
                      .raw = raw,
                      .codec = static_cast<uint8_t>(at == 0 ? 1 : 0)});
  }
  page.clear();
  AppendPage(page, Place(), kBlob, 0, 0, chunks);
  seeds.push_back(With(kTable, page));
  const std::vector<uint8_t> etag = {'"', 'e', '"'};
  seeds.push_back(With(kMetadata, Encode(Metadata{.cached_at = 1e12,
                                                  .fresh_until = 2e12,
                                                  .has_etag = true,
                                                  .has_user = true,
                                                  .has_labels = true,
                                                  .etag = etag,
                                                  .user = etag,
                                                  .codec = {},
                                                  .labels = etag})));
  for (const std::string& name : {SegmentName(77), ImageName(5), kBlob.ToString()}) {
    seeds.push_back(With(kName, std::vector<uint8_t>(name.begin(), name.end())));
  }
  return seeds;
}
