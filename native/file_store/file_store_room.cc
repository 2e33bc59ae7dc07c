#include <algorithm>
#include <map>
#include <utility>

#include "file_store/file_store.h"
#include "file_store/record_io.h"
#include "file_store/segment_reader.h"

namespace drey::file {

// How room is made at once, where a write would have to be refused otherwise, and what goes before
// anything else: what has expired.

bool FileStore::MakeRoom(uint64_t bytes, uint64_t entries) {
  if (entries == 0 && bytes > 0 &&
      EvictExpired([&] { return ledger_.Missing(bytes, DiskLedger::Use::kLog) == 0; })) {
    return true;
  }
  // Once at least: what was refused was perhaps not the ledger's doing.
  bool made = false;
  do {
    const Segments::Handle oldest = segments_.Oldest();
    if (oldest == nullptr || oldest->number == writer_->active() || !EvictSegment(oldest)) break;
    made = true;
  } while (ledger_.Missing(bytes, DiskLedger::Use::kLog) > 0 ||
           (entries > 0 && !IndexHasRoom(entries)));
  if (made && ledger_.Missing(bytes, DiskLedger::Use::kLog) == 0) return true;
  // Blobs alone may fill it.
  return MakeBlobRoom(bytes);
}

bool FileStore::IndexHasRoom(uint64_t entries) {
  if (index_->HasRoomFor(entries)) return true;
  // More may be free than one shard's records would say.
  if (index_->slack() < index_->committed() / 16) return false;
  index_->Compact();
  return index_->HasRoomFor(entries);
}

bool FileStore::MakeBlobRoom(uint64_t bytes) {
  pace_.Hurry(true);
  return EvictUntil([&] { return ledger_.Missing(bytes, DiskLedger::Use::kOther) == 0; });
}

bool FileStore::EvictUntil(const Enough& enough) {
  if (EvictExpired(enough)) return true;
  // In the order of the log; in the first round, those that the policy wants to keep are spared.
  for (const bool spare : {true, false}) {
    for (const Segments::Handle& segment : segments_.All()) {
      if (enough()) return true;
      if (EvictBlobs(*segment, enough, spare)) return true;
      const Segments::Handle oldest = segments_.Oldest();
      if (oldest == segment && segment->number != writer_->active() && !EvictSegment(segment)) {
        break;
      }
    }
    const std::lock_guard lock(mutex_);
    cursor_ = {};
  }
  return enough();
}

bool FileStore::EvictBlobs(const Segment& segment, const Enough& enough, bool spare) {
  uint64_t from = kSegmentHeaderBytes;
  {
    const std::lock_guard lock(mutex_);
    if (cursor_.segment > segment.number) return false;
    if (cursor_.segment == segment.number) from = std::max(from, cursor_.offset);
  }
  const Result<OpenFiles::Handle> file = OpenSegment(segment.number);
  if (!file.ok()) return false;
  const uint64_t clock = clock_ >> 10;
  const uint32_t middle = MiddleOf();
  const uint32_t now = NowSeconds();
  SegmentReader reader(file.value()->file, context_, segment.number, from, segment.end);
  while (!enough()) {
    const SegmentReader::Found found = reader.Next();
    if (found == SegmentReader::Found::kDamage && reader.Skip()) continue;
    if (found != SegmentReader::Found::kRecord) return false;
    {
      const std::lock_guard lock(mutex_);
      cursor_ = {segment.number, reader.record_end()};
    }
    const RecordHead& head = reader.head();
    if (head.kind != RecordKind::kPut || !head.blob()) continue;
    const std::optional<IndexEntry> entry = index_->Find(HashOf(head.key).low);
    if (!entry || entry->position != reader.position()) continue;
    if (spare && entry->expires > now && turns_.Worth(entry->policy, clock, middle) > 0) {
      index_->SetPolicy(entry->identity, entry->position, turns_.Again(entry->policy));
      SendBack(*entry, reader);
      continue;
    }
    EvictEntry(*entry, &head, true);
  }
  return true;
}

// Gives a blob that is spared its turn: its record goes to the end of the queue. Left where it is,
// the cursor would not come by again before all that is younger had gone, however long that takes.
void FileStore::SendBack(const IndexEntry& entry, SegmentReader& reader) {
  const Result<Slice> record = reader.Record();
  if (!record.ok() || record.value().empty()) return;
  LogItem item;
  item.identity = entry.identity;
  item.from = entry.position;
  item.sequence = entry.sequence;
  item.expires = entry.expires;
  item.blob_units = entry.blob_units;
  item.policy = turns_.Again(entry.policy);
  item.bytes.assign(record.value().begin(), record.value().end());
  EnqueueCopy(std::move(item), nullptr);
}

void FileStore::LookForExpired() {
  // Often enough that what expires is found while it matters, seldom enough that looking through
  // the index costs little beside what was written since.
  constexpr uint64_t kBytesForEach = 64;
  const uint64_t written = writer_->bytes_written() + blobs_.bytes_written();
  const uint64_t pause = std::max(ledger_.goal() / 64, index_->count() * kBytesForEach);
  {
    const std::lock_guard lock(mutex_);
    if (written - looked_at_ < pause) return;
    looked_at_ = written;
  }
  // What is beyond is found the next time.
  constexpr size_t kMostBlobs = 65536;
  const uint32_t now = NowSeconds();
  std::map<uint64_t, uint64_t> dead;
  std::vector<IndexEntry> blobs;
  for (size_t shard = 0; shard < DiskIndex::kShards; shard++) {
    index_->ForEach(shard, [&](const IndexEntry& entry) {
      if (entry.expires > now) return;
      dead[entry.position.segment] += entry.length;
      if (entry.blob() && blobs.size() < kMostBlobs) blobs.push_back(entry);
    });
  }
  for (const Segments::Handle& segment : segments_.All()) {
    const auto found = dead.find(segment->number);
    segment->expired = found == dead.end() ? 0 : found->second;
  }
  const std::lock_guard lock(mutex_);
  expired_ = std::move(blobs);
}

bool FileStore::EvictExpired(const Enough& enough) {
  LookForExpired();
  std::vector<uint8_t> buffer;
  const uint32_t now = NowSeconds();
  while (!enough()) {
    IndexEntry entry;
    {
      const std::lock_guard lock(mutex_);
      if (expired_.empty()) return false;
      entry = expired_.back();
      expired_.pop_back();
    }
    const std::optional<IndexEntry> current = index_->Find(entry.identity);
    if (!current || current->expires > now || !current->blob()) continue;
    const Result<OpenFiles::Handle> file = OpenSegment(current->position.segment);
    RecordHead head;
    const bool known = file.ok() && ReadHead(file.value()->file, context_, current->position,
                                             current->length, buffer, &head)
                                        .ok();
    // What cannot be read goes with its segment.
    if (known && head.kind == RecordKind::kPut) EvictEntry(*current, &head, true);
  }
  return true;
}

bool FileStore::RoomIsScarce() noexcept {
  if (ledger_.Missing(options_.segment_bytes + LogWriter::kFileSlack, DiskLedger::Use::kLog) > 0) {
    return true;
  }
  return ledger_.Missing(ledger_.ahead() / 4, DiskLedger::Use::kOther) > 0 && blobs_.writing();
}

void FileStore::Pace(uint64_t bytes) noexcept {
  pace_.Hurry(RoomIsScarce());
  pace_.Wait(bytes);
}

}  // namespace drey::file
