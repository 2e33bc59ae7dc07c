// A log of any bytes, of which the checksums are right where the first byte says so: recovery takes
// it, says what it found, and the store that comes of it finds nothing that is not in it.

#include <cstdlib>
#include <memory>

#include "file_store/directory.h"
#include "file_store/format/words.h"
#include "file_store/recovery.h"
#include "fuzz.h"
#include "io/env_posix.h"
#include "memory/system.h"
#include "support/temp_folder.h"

using namespace drey;
using namespace drey::file;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// Makes the checksums of what looks like a head right, one after the other as their lengths say.
void SealAll(std::vector<uint8_t>& bytes, const Context& context, uint64_t segment) {
  for (uint64_t at = 0; at + kRecordHeadBytes <= bytes.size(); at += kAlignment) {
    if (bytes[at + 4] != 0xE7 || bytes[at + 5] != 0xD4) continue;
    const uint32_t length = Load32(&bytes[at + 8]);
    if (length < kRecordHeadBytes || length > bytes.size() - at) continue;
    const uint32_t seed = context.OfHead(segment, kSegmentHeaderBytes + at);
    Store32(&bytes[at], Checksum(Slice(bytes).subspan(at + 4, length - 4), seed));
  }
}

// One directory for all inputs: what they differ in is written anew.
struct Place {
  test::TempFolder folder;
  std::unique_ptr<Directory> directory;
  Context context;

  Place() {
    Result<std::unique_ptr<Directory>> opened =
        Directory::Open(PosixEnv(), folder.path() + "/s", 4, 1);
    Require(opened.ok());
    directory = opened.Take();
    Require(directory->OpenLog().ok());
    context = Context(directory->header().store_id);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Place place;
  if (size == 0 || size > 64 * 1024) return 0;
  const Folder& log = place.directory->log();
  // What the first byte says: seal, durability, and where a second segment begins.
  std::vector<uint8_t> bytes(data + 1, data + size);
  const bool two = (data[0] & 0x40) != 0;
  const uint64_t middle = two ? bytes.size() / 2 / kAlignment * kAlignment : bytes.size();
  for (const uint64_t number : {uint64_t{1}, uint64_t{2}}) {
    static_cast<void>(log.Unlink(SegmentName(number)).ok());
    if (number == 2 && !two) continue;
    std::vector<uint8_t> part(
        number == 1 ? bytes.begin() : bytes.begin() + static_cast<long>(middle),
        number == 1 ? bytes.begin() + static_cast<long>(middle) : bytes.end());
    if ((data[0] & 0x80) != 0) SealAll(part, place.context, number);
    std::vector<uint8_t> header(kSegmentHeaderBytes);
    Encode(SegmentHeader{.number = number,
                         .oldest = 1,
                         .next_sequence = number == 1 ? 1U : 50U,
                         .boot_id = {1},
                         .durability = static_cast<Durability>(data[0] % 3)},
           place.context, header);
    Result<File> made = log.OpenFile(SegmentName(number), Env::Access::kCreate);
    Require(made.ok());
    File file = made.Take();
    const Slice slices[] = {header, part};
    Require(file.WriteFull(0, std::span(slices)).ok());
  }
  constexpr uint64_t kIndexBytes = 4 * 1024 * 1024;
  DiskLedger ledger(uint64_t{1} << 40, 0);
  Segments segments;
  std::unique_ptr<DiskIndex> index = DiskIndex::Create(PosixMemory(), kIndexBytes);
  Recovery recovery(*place.directory, place.context,
                    HashKey::From(place.directory->header().secret), {1}, ledger, segments);
  Result<Recovered> recovered = recovery.Run(index, kIndexBytes);
  Require(recovered.ok());
  uint64_t entries = 0;
  for (size_t shard = 0; shard < DiskIndex::kShards; shard++) {
    for (const IndexEntry& entry : index->Collect(shard)) {
      entries += 1;
      const Segments::Handle segment = segments.Find(entry.position.segment);
      Require(segment != nullptr);
      Require(entry.position.offset + kRecordHeadBytes <= segment->end);
      Require(entry.sequence < recovered.value().next_sequence);
    }
  }
  Require(entries == recovered.value().entries);
  return 0;
}

std::vector<std::vector<uint8_t>> Seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  const std::vector<uint8_t> metadata(10, 0);
  const Context none;
  for (const uint8_t first : std::vector<uint8_t>{0x80, 0x81, 0x82, 0xC0, 0xC2}) {
    std::vector<uint8_t> bytes;
    uint64_t sequence = 1;
    const auto add = [&](std::vector<uint8_t> record, uint8_t flags = 0) {
      SealHead(record, none,
               {.position = {1, 128}, .sequence = sequence++, .flags = flags, .unsynced = 8});
      bytes.insert(bytes.end(), record.begin(), record.end());
    };
    for (uint8_t at = 0; at < 3; at++) {
      const std::vector<uint8_t> key = {'k', at};
      const std::vector<uint8_t> value(24, at);
      const ChunkEntry chunk{.checksum = Checksum(value), .stored = 24, .raw = 24, .codec = 0};
      std::vector<uint8_t> record = MakePut({.key = key,
                                             .metadata = metadata,
                                             .size = 24,
                                             .chunk_power = 16,
                                             .chunks = std::span(&chunk, 1)});
      record.insert(record.end(), value.begin(), value.end());
      add(std::move(record), at == 1 ? kFlagMember : 0);
      if (at == 1) add(MakeBatchEnd(1, 0));
    }
    add(MakePut({.key = metadata,
                 .metadata = metadata,
                 .size = 70'000,
                 .chunk_power = 16,
                 .chunks = {},
                 .blob = true,
                 .blob_sequence = 3,
                 .stored = 60'000}));
    add(MakeDelete(Bytes16{1, 2, 3}));
    add(MakeBare(RecordKind::kDoubt));
    add(MakeBare(RecordKind::kClear));
    add(MakeBare(RecordKind::kEnd));
    std::vector<uint8_t> input = {first};
    input.insert(input.end(), bytes.begin(), bytes.end());
    seeds.push_back(std::move(input));
  }
  return seeds;
}
