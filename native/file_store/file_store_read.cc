#include <algorithm>
#include <string>
#include <utility>

#include "file_store/file_store.h"
#include "file_store/format/words.h"
#include "file_store/record_io.h"

namespace drey::file {
namespace {

// An entry may move while it is looked for; more often than that in one call, it is not worth it.
constexpr int kMostMoves = 4;

bool Equal(Slice a, Slice b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace

Find FileStore::FindNow(Slice key, bool peek, std::span<uint8_t> into, Opened* opened) {
  return TryFind(key, peek, into, opened, false);
}

Find FileStore::FindWaiting(Slice key, bool peek, std::span<uint8_t> into, Opened* opened) {
  return TryFind(key, peek, into, opened, true);
}

void FileStore::FindLater(Slice key, bool peek, std::span<uint8_t> into, FindDone done) {
  const auto shared = std::make_shared<FindDone>(std::move(done));
  // What is refused costs a hit, and nothing else (I3).
  if (Refused([shared](WriteOutcome) { (*shared)(Find::kMiss, {}); })) return;
  const auto copied = std::make_shared<std::vector<uint8_t>>(key.begin(), key.end());
  const bool taken =
      workers_.Run(Executor::kRead, [self = shared_from_this(), copied, peek, into, shared] {
        Opened opened;
        const Find found = self->TryFind(*copied, peek, into, &opened, true);
        (*shared)(found, std::move(opened));
        self->Ended();
      });
  if (taken) return;
  (*shared)(Find::kMiss, {});
  Ended();
}

Find FileStore::TryFind(Slice key, bool peek, std::span<uint8_t> into, Opened* opened,
                        bool may_wait) {
  if (closed_ || key.size() > kMostKey) return Find::kMiss;
  const Hash128 hash = HashOf(key);
  const uint64_t clock = peek ? 0 : clock_.fetch_add(1, std::memory_order_relaxed) >> 10;
  for (int moves = 0; moves < kMostMoves; moves++) {
    // A delete is seen at once, a set once it is written (D3).
    if (writer_->Hidden(hash.low)) return Find::kMiss;
    const std::optional<IndexEntry> entry = index_->FindAndUse(hash.low, [&](uint32_t state) {
      return peek || moves > 0 ? state : turns_.Use(state, clock);
    });
    if (!entry) return Find::kMiss;
    bool damaged = false;
    const Find found = ReadRecord(*entry, into, opened, may_wait, &damaged);
    // Another key of the same identity took its place, as if it had been evicted.
    if (found == Find::kFound) return Equal(opened->head.key, key) ? found : Find::kMiss;
    if (found != Find::kMiss) return found;
    // Moved or replaced while it was looked for.
    if (!IsCurrent(hash.low, entry->position)) continue;
    if (damaged) {
      corrupt_ += 1;
      if (options_.listener != nullptr) options_.listener->Corrupt(key);
      const bool known =
          opened->head.kind == RecordKind::kPut && opened->head.blob() && !opened->head.key.empty();
      DropEntry(*entry, BytesOf(hash), known ? &opened->head : nullptr);
    }
    return Find::kMiss;
  }
  return Find::kMiss;
}

Result<OpenFiles::Handle> FileStore::OpenSegment(uint64_t number) {
  return files_.Open(FileKey::OfSegment(number), directory_->log(), SegmentName(number));
}

// kMiss with `damaged`: what is there is not what was written.
Find FileStore::ReadRecord(const IndexEntry& entry, std::span<uint8_t> into, Opened* opened,
                           bool may_wait, bool* damaged) {
  *opened = {};
  opened->needed = entry.length;
  opened->needs_blob = entry.blob();
  opened->position = entry.position;
  if (into.size() < entry.length) return Find::kTooSmall;
  const auto bytes = into.first(entry.length);
  OpenFiles::Handle file = files_.Peek(FileKey::OfSegment(entry.position.segment));
  // A blob has to be opened, too, before it can be said to be there.
  if (!may_wait && (file == nullptr || entry.blob())) return Find::kWait;
  if (file == nullptr) {
    Result<OpenFiles::Handle> found = OpenSegment(entry.position.segment);
    if (!found.ok()) {
      // Gone with its segment, unless the disk is to blame.
      read_errors_ += found.status().code() == Status::Code::kNotFound ? 0 : 1;
      return Find::kMiss;
    }
    file = found.Take();
  }
  if (may_wait) {
    const Result<uint64_t> read = file->file.ReadUpTo(entry.position.offset, bytes);
    if (!read.ok()) {
      read_errors_ += 1;
      return Find::kMiss;
    }
    *damaged = read.value() < bytes.size();
    if (*damaged) return Find::kMiss;
  } else if (file->file.ReadCached(entry.position.offset, bytes) != File::Cached::kDone) {
    return Find::kWait;
  }
  RecordHead& head = opened->head;
  if (ParseHead(bytes, context_, entry.position, &head) != Parsed::kWhole ||
      head.kind != RecordKind::kPut || head.PaddedLength() != entry.length) {
    head = RecordHead{};
    *damaged = true;
    return Find::kMiss;
  }
  opened->doubtful = head.sequence < recovered_.doubt;
  if (!head.blob()) {
    *damaged = !DataIsWhole(head, bytes);
    opened->data = Slice(bytes).subspan(head.DataOffset(), head.stored);
    return *damaged ? Find::kMiss : Find::kFound;
  }
  Result<std::unique_ptr<BlobReader>> blob =
      blobs_.Open({.hash = BytesOf(HashOf(head.key)), .sequence = head.blob_sequence},
                  {.size = head.size, .stored = head.stored, .chunk_power = head.chunk_power});
  if (!blob.ok()) {
    const Status::Code why = blob.status().code();
    *damaged = why == Status::Code::kCorrupt || why == Status::Code::kNotFound;
    read_errors_ += *damaged ? 0 : 1;
    return Find::kMiss;
  }
  opened->blob = blob.Take();
  return Find::kFound;
}

std::optional<IndexEntry> FileStore::ReadSequence(uint64_t identity, uint64_t sequence,
                                                  std::vector<uint8_t>& into, Opened* opened) {
  for (int moves = 0; moves < kMostMoves; moves++) {
    const std::optional<IndexEntry> entry = index_->Find(identity);
    if (!entry || entry->sequence != sequence) return std::nullopt;
    into.resize(entry->length);
    bool damaged = false;
    if (ReadRecord(*entry, into, opened, true, &damaged) == Find::kFound) return entry;
  }
  return std::nullopt;
}

Find FileStore::ReadAt(const IndexEntry& entry, std::span<uint8_t> into, Opened* opened) {
  if (writer_->Hidden(entry.identity) || !IsCurrent(entry.identity, entry.position)) {
    return Find::kMiss;
  }
  bool damaged = false;
  return ReadRecord(entry, into, opened, true, &damaged);
}

bool FileStore::ReadHeadAt(const IndexEntry& entry, std::vector<uint8_t>& buffer,
                           RecordHead* head) {
  if (writer_->Hidden(entry.identity)) return false;
  // It may have moved since it was listed.
  const std::optional<IndexEntry> now = index_->Find(entry.identity);
  if (!now) return false;
  const Result<OpenFiles::Handle> file = OpenSegment(now->position.segment);
  // Most heads are short; what is read besides is the value's.
  constexpr uint32_t kUsual = 4096;
  if (!file.ok()) return false;
  const File& from = file.value()->file;
  Status read =
      ReadHead(from, context_, now->position, std::min(now->length, kUsual), buffer, head);
  if (!read.ok() && now->length > kUsual) {
    read = ReadHead(from, context_, now->position, now->length, buffer, head);
  }
  if (!read.ok() && read.code() != Status::Code::kCorrupt) read_errors_ += 1;
  return read.ok() && head->kind == RecordKind::kPut;
}

void FileStore::DropDamaged(Slice key, Position position) {
  const Hash128 hash = HashOf(key);
  const std::optional<IndexEntry> entry = index_->Find(hash.low);
  if (!entry || entry->position != position) return;
  corrupt_ += 1;
  if (options_.listener != nullptr) options_.listener->Corrupt(key);
  DropEntry(*entry, BytesOf(hash), nullptr);
}

// What it had replaced must not come back when its segment goes early: so the log hears of it.
void FileStore::DropEntry(const IndexEntry& entry, const Bytes16& hash, const RecordHead* head) {
  IndexEntry removed;
  if (!index_->RemoveAt(entry.identity, entry.position, &removed)) return;
  if (head != nullptr) {
    segments_.TakeLive(removed.position.segment, removed.length);
    const BlobName name{.hash = hash, .sequence = head->blob_sequence};
    if (!blobs_.Remove(name, removed.blob_units)) orphaned_ = true;
  } else {
    Forget(removed, false);
  }
  EnqueueForget(entry.identity, hash, nullptr);
}

}  // namespace drey::file
