#include <algorithm>
#include <iterator>
#include <utility>

#include "file_store/file_store.h"
#include "file_store/format/words.h"
#include "file_store/record_io.h"
#include "file_store/segment_reader.h"

namespace drey::file {

// How room is made (D7). The log is a queue: what goes is the oldest segment. In the background,
// those that the policy wants to keep are copied to its end first; where a write would have to be
// refused otherwise, all of it goes at once, because a copy would need the room that there is not.

struct FileStore::Candidate {
  IndexEntry entry;
  uint32_t worth = 0;
};

// A segment of which records are being copied.
struct FileStore::Turn {
  std::shared_ptr<FileStore> store;
  Segments::Handle segment;
  // It is not the oldest: it goes only when all that counts in it is elsewhere.
  bool early = false;
  std::atomic<bool> failed{false};
  // Copies on their way, and one while they are being made.
  std::atomic<uint64_t> left{1};

  void Done(bool failing) {
    if (failing) failed = true;
    if (left.fetch_sub(1) == 1) store->EndTurn(segment, early, failed);
  }
};

void FileStore::WantReclaim() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || reclaiming_.exchange(true)) return;
    under_way_ += 1;
  }
  RunOn(Executor::kMaintenance, [self = shared_from_this()] { self->ReclaimStep(); });
}

void FileStore::ReclaimStep() {
  const Segments::Handle oldest = segments_.Oldest();
  bool again = false;
  bool closing = false;
  {
    const std::lock_guard lock(mutex_);
    closing = closing_;
  }
  if (!closing && oldest != nullptr && oldest->number != writer_->active()) {
    if (index_->Over() && index_->slack() > 0) index_->Compact();
    if (oldest->live == 0) {
      again = EvictSegment(oldest);
    } else if (ledger_.AboveHighMark() > 0 &&
               EvictExpired([this] { return ledger_.AboveHighMark() == 0; })) {
      again = true;
    } else if (const Segments::Handle dead = MostlyDead(*oldest);
               dead != nullptr && ledger_.AboveHighMark() > 0) {
      return CopyAll(dead);
    } else if (IsFull()) {
      std::vector<Candidate> candidates;
      // EndTurn goes on from there.
      if (GatherCandidates(*oldest, candidates)) {
        return CopyForward(oldest, std::move(candidates));
      }
      again = EvictSegment(oldest);
    }
  } else if (!closing && ledger_.AboveHighMark() > 0) {
    // Only one segment is left, and it is being written to: what there is are blobs.
    pace_.Hurry(true);
    static_cast<void>(EvictUntil([this] { return ledger_.AboveHighMark() == 0; }));
  }
  if (again) {
    RunOn(Executor::kMaintenance, [self = shared_from_this()] { self->ReclaimStep(); });
    return;
  }
  reclaiming_ = false;
  Ended();
}

uint32_t FileStore::MiddleOf() const {
  // A sample will do: of one shard, whose keys nobody can choose.
  constexpr size_t kSample = 1000;
  std::vector<uint32_t> measures;
  const uint64_t clock = clock_ >> 10;
  for (const IndexEntry& entry : index_->Collect(clock % DiskIndex::kShards)) {
    measures.push_back(turns_.Measure(entry.policy, clock));
    if (measures.size() == kSample) break;
  }
  if (measures.empty()) return 0;
  const auto middle = measures.begin() + static_cast<std::ptrdiff_t>(measures.size() / 2);
  std::nth_element(measures.begin(), middle, measures.end());
  return *middle;
}

// Those of the segment that are worth another turn, the best first, up to half a segment. False
// when the segment cannot be read.
bool FileStore::GatherCandidates(const Segment& segment, std::vector<Candidate>& candidates) {
  const Result<OpenFiles::Handle> file = OpenSegment(segment.number);
  if (!file.ok()) return false;
  const uint64_t clock = clock_ >> 10;
  const uint32_t now = NowSeconds();
  const uint32_t middle = MiddleOf();
  SegmentReader reader(file.value()->file, context_, segment.number, kSegmentHeaderBytes,
                       segment.end);
  while (true) {
    const SegmentReader::Found found = reader.Next();
    if (found == SegmentReader::Found::kDamage && reader.Skip()) continue;
    if (found != SegmentReader::Found::kRecord) break;
    Pace(reader.head().PaddedLength());
    if (reader.head().kind != RecordKind::kPut) continue;
    const std::optional<IndexEntry> entry = index_->Find(HashOf(reader.head().key).low);
    if (!entry || entry->position != reader.position() || entry->expires <= now) continue;
    const uint32_t worth = turns_.Worth(entry->policy, clock, middle);
    if (worth > 0) candidates.push_back({*entry, worth});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.worth > b.worth; });
  uint64_t bytes = 0;
  const auto end = std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& each) {
    bytes += each.entry.length;
    return bytes > options_.segment_bytes / 2;
  });
  candidates.erase(end, candidates.end());
  // In the order of the log again: so they are read, and so they stay.
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.entry.position < b.entry.position;
  });
  return true;
}

// One of which 7/8 is dead or has expired: it goes for little, and nobody has to be evicted who is
// of use.
Segments::Handle FileStore::MostlyDead(const Segment& oldest) const {
  constexpr uint64_t kShare = 8;
  for (const Segments::Handle& segment : segments_.All()) {
    if (segment->number == oldest.number || segment->number == writer_->active()) continue;
    if (!segment->kept && segment->useful() * kShare <= segment->end) return segment;
  }
  return nullptr;
}

void FileStore::CopyForward(const Segments::Handle& segment, std::vector<Candidate> kept) {
  const auto turn = std::make_shared<Turn>();
  turn->store = shared_from_this();
  turn->segment = segment;
  const Result<OpenFiles::Handle> file = OpenSegment(segment->number);
  for (const Candidate& each : kept) {
    if (!file.ok()) break;
    Pace(each.entry.length);
    std::vector<uint8_t> bytes(each.entry.length);
    RecordHead head;
    // What is damaged goes with its segment.
    if (!file.value()->file.ReadFull(each.entry.position.offset, bytes).ok() ||
        ParseHead(bytes, context_, each.entry.position, &head) != Parsed::kWhole ||
        !DataIsWhole(head, bytes)) {
      continue;
    }
    LogItem item;
    item.identity = each.entry.identity;
    item.from = each.entry.position;
    item.sequence = head.sequence;
    item.expires = each.entry.expires;
    item.blob_units = each.entry.blob_units;
    item.policy = turns_.Again(each.entry.policy);
    item.bytes = std::move(bytes);
    EnqueueCopy(std::move(item), turn);
  }
  turn->Done(false);
}

// Of a segment that is not the oldest, all that counts: current puts, clears, and deletes of keys
// that have nothing, for what they removed may stand in an older segment still. In the place of a
// put that has expired goes a delete, for the same reason.
void FileStore::CopyAll(const Segments::Handle& segment) {
  const auto turn = std::make_shared<Turn>();
  turn->store = shared_from_this();
  turn->segment = segment;
  turn->early = true;
  const Result<OpenFiles::Handle> file = OpenSegment(segment->number);
  if (!file.ok()) return turn->Done(true);
  SegmentReader reader(file.value()->file, context_, segment->number, kSegmentHeaderBytes,
                       segment->end);
  std::vector<LogItem> items;
  std::vector<IndexEntry> expired;
  const uint32_t now = NowSeconds();
  // Deletes of a batch whose end has not come yet.
  std::vector<LogItem> members;
  uint64_t bytes = 0;
  SegmentReader::Found found = reader.Next();
  for (; found == SegmentReader::Found::kRecord; found = reader.Next()) {
    const RecordHead& head = reader.head();
    Pace(head.PaddedLength());
    if (head.kind == RecordKind::kBatch) {
      std::move(members.begin(), members.end(), std::back_inserter(items));
      members.clear();
      continue;
    }
    const bool member = head.member() && (head.flags & kFlagCopied) == 0;
    if (!member) members.clear();
    LogItem item;
    item.from = reader.position();
    item.sequence = head.sequence;
    bool wanted = head.kind == RecordKind::kClear;
    if (head.kind == RecordKind::kPut) {
      item.identity = HashOf(head.key).low;
      const std::optional<IndexEntry> entry = index_->Find(item.identity);
      wanted = entry && entry->position == item.from;
      if (wanted && entry->expires <= now) {
        expired.push_back(*entry);
        continue;
      }
      if (wanted) {
        item.expires = entry->expires;
        item.blob_units = entry->blob_units;
        item.policy = entry->policy;
      }
    } else if (head.kind == RecordKind::kDelete) {
      item.identity = Load64(head.hash.data());
      wanted = !index_->Find(item.identity).has_value();
    }
    if (!wanted) continue;
    const bool is_put = head.kind == RecordKind::kPut;
    const Result<Slice> record = reader.Record();
    if (!record.ok() || record.value().empty() || !DataIsWhole(reader.head(), record.value())) {
      return turn->Done(true);
    }
    item.bytes.assign(record.value().begin(), record.value().end());
    bytes += item.bytes.size();
    // More than that is not worth it.
    if (bytes > options_.segment_bytes / 2) return turn->Done(true);
    (member && !is_put ? members : items).push_back(std::move(item));
  }
  if (found != SegmentReader::Found::kEnd) return turn->Done(true);
  for (LogItem& item : items) EnqueueCopy(std::move(item), turn);
  std::vector<uint8_t> buffer;
  for (const IndexEntry& entry : expired) {
    RecordHead head;
    const Status read =
        ReadHead(file.value()->file, context_, entry.position, entry.length, buffer, &head);
    if (!read.ok()) return turn->Done(true);
    const Bytes16 hash = BytesOf(HashOf(head.key));
    EvictEntry(entry, &head, false);
    EnqueueForget(entry.identity, hash, turn);
  }
  turn->Done(false);
}

void FileStore::EnqueueForget(uint64_t identity, const Bytes16& hash,
                              const std::shared_ptr<Turn>& turn) {
  auto request = std::make_unique<LogRequest>();
  LogItem& item = request->items.emplace_back();
  item.kind = LogItem::Kind::kForget;
  item.identity = identity;
  item.bytes = MakeDelete(hash);
  if (turn != nullptr) {
    turn->left += 1;
    request->done = [turn](LogOutcome& outcome) {
      turn->Done(outcome.kind == LogOutcome::Kind::kFailed);
    };
  }
  writer_->Enqueue(std::move(request));
}

void FileStore::EnqueueCopy(LogItem item, const std::shared_ptr<Turn>& turn) {
  item.kind = LogItem::Kind::kCopy;
  // It is no member any more of the batch that it came with.
  item.bytes[7] = static_cast<uint8_t>(item.bytes[7] & ~kFlagMember);
  auto request = std::make_unique<LogRequest>();
  request->items.push_back(std::move(item));
  if (turn != nullptr) {
    turn->left += 1;
    request->done = [turn](LogOutcome& outcome) {
      turn->Done(outcome.kind == LogOutcome::Kind::kFailed);
    };
  }
  writer_->Enqueue(std::move(request));
}

void FileStore::EndTurn(const Segments::Handle& segment, bool early, bool failed) {
  RunOn(Executor::kMaintenance, [self = shared_from_this(), segment, early, failed] {
    if (early) {
      // It is not tried again: as the oldest it will go, whatever is in it.
      segment->kept = failed || segment->live > 0 || !self->DropSegment(segment);
      return self->ReclaimStep();
    }
    // A disk that does not let go of its files is asked again when somebody writes.
    if (self->EvictSegment(segment)) return self->ReclaimStep();
    self->reclaiming_ = false;
    self->Ended();
  });
}

bool FileStore::EvictSegment(const Segments::Handle& segment) {
  if (segment->live > 0) {
    const Result<OpenFiles::Handle> file = OpenSegment(segment->number);
    if (file.ok()) {
      SegmentReader reader(file.value()->file, context_, segment->number, kSegmentHeaderBytes,
                           segment->end);
      while (true) {
        const SegmentReader::Found found = reader.Next();
        if (found == SegmentReader::Found::kDamage && reader.Skip()) continue;
        if (found != SegmentReader::Found::kRecord) break;
        if (reader.head().kind != RecordKind::kPut) continue;
        EvictEntry({.identity = HashOf(reader.head().key).low, .position = reader.position()},
                   &reader.head(), false);
      }
    }
  }
  // Of records that cannot be read any more.
  for (size_t shard = 0; segment->live > 0 && shard < DiskIndex::kShards; shard++) {
    for (const IndexEntry& entry : index_->Collect(shard)) {
      if (entry.position.segment == segment->number) EvictEntry(entry, nullptr, false);
    }
  }
  return DropSegment(segment);
}

void FileStore::EvictEntry(const IndexEntry& entry, const RecordHead* head, bool log) {
  IndexEntry removed;
  if (!index_->RemoveAt(entry.identity, entry.position, &removed)) return;
  (removed.expires <= NowSeconds() ? expirations_ : evictions_) += 1;
  segments_.TakeLive(removed.position.segment, removed.length);
  if (removed.blob()) {
    const bool gone =
        head != nullptr && head->blob() &&
        blobs_.Remove({.hash = BytesOf(HashOf(head->key)), .sequence = head->blob_sequence},
                      removed.blob_units);
    if (!gone) orphaned_ = true;
  }
  if (options_.listener != nullptr && head != nullptr) {
    options_.listener->Evicted(head->key, removed.expires <= NowSeconds());
  }
  if (log && head != nullptr) EnqueueForget(removed.identity, BytesOf(HashOf(head->key)), nullptr);
}

bool FileStore::DropSegment(const Segments::Handle& segment) {
  // Somebody else has, or is about to.
  if (!segments_.Remove(segment->number)) return true;
  const Status unlinked = files_.Unlink(FileKey::OfSegment(segment->number), directory_->log(),
                                        SegmentName(segment->number), segment->charge);
  if (!unlinked.ok()) {
    segments_.PutBack(segment);
    return false;
  }
  reclaimed_ += 1;
  // Before the next one goes, this one must be gone for good.
  if (!power()) return true;
  return directory_->log().Sync().ok();
}

}  // namespace drey::file
