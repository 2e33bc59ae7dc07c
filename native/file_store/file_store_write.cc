#include <algorithm>
#include <string>
#include <utility>

#include "file_store/file_store.h"
#include "file_store/format/words.h"
#include "file_store/record_io.h"

namespace drey::file {
namespace {

void Add(std::vector<uint8_t>& to, Slice bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// Whether chunks are what the format wants of a value of that size: all full but the last.
bool ShapeIsRight(uint64_t size, uint8_t chunk_power, std::span<const StoredChunk> chunks) {
  if (chunks.size() != ChunksOf(size, chunk_power)) return false;
  for (size_t at = 0; at < chunks.size(); at++) {
    const StoredChunk& chunk = chunks[at];
    if (chunk.raw != RawLength(size, chunk_power, at) || chunk.codec > ChunkEntry::kMostCodec ||
        chunk.stored.empty() || chunk.stored.size() > chunk.raw ||
        (chunk.codec == 0 && chunk.stored.size() != chunk.raw)) {
      return false;
    }
  }
  return true;
}

// Of a record that we made.
Slice KeyOfPut(Slice record) {
  const bool blob = (record[7] & kFlagBlob) != 0;
  const size_t length = record[12] | size_t{record[13]} << 8;
  return record.subspan(kRecordHeadBytes + (blob ? 8 : 0), length);
}

ChunkEntry EntryOf(const StoredChunk& chunk) {
  return {.checksum = Checksum(chunk.stored),
          .stored = static_cast<uint32_t>(chunk.stored.size()),
          .raw = chunk.raw,
          .codec = chunk.codec};
}

}  // namespace

WriteOutcome::Kind FileStore::MakeItem(const Member& member, LogItem* item, Status* status) {
  const Hash128 hash = HashOf(member.key);
  item->identity = hash.low;
  const auto refuse = [&](const char* why) {
    *status = Status::InvalidArgument(std::string("fileStore: ") + why);
    return WriteOutcome::Kind::kFailed;
  };
  if (member.key.size() > kMostKey) return refuse("a key has at most 32 KiB");
  if (member.remove) {
    item->kind = LogItem::Kind::kDelete;
    item->bytes = MakeDelete(BytesOf(hash));
    return WriteOutcome::Kind::kDone;
  }
  Metadata metadata;
  if (!Parse(member.metadata, &metadata)) return refuse("metadata is not as the format says");
  if (member.size > max_item_bytes_ || member.size > kMostPacked) {
    refusals_ += 1;
    return WriteOutcome::Kind::kTooLarge;
  }
  if (!ShapeIsRight(member.size, options_.chunk_power, member.chunks)) {
    return refuse("chunks do not make up the value");
  }
  std::vector<ChunkEntry> chunks;
  chunks.reserve(member.chunks.size());
  for (const StoredChunk& chunk : member.chunks) chunks.push_back(EntryOf(chunk));
  given_ += member.key.size() + member.size;
  item->kind = LogItem::Kind::kPut;
  item->bytes = MakePut({.key = member.key,
                         .metadata = member.metadata,
                         .size = member.size,
                         .chunk_power = options_.chunk_power,
                         .chunks = chunks},
                        space_.Take(member.size));
  for (const StoredChunk& chunk : member.chunks) Add(item->bytes, chunk.stored);
  item->bytes.resize(Padded(item->bytes.size()));
  item->expires = ExpiresOf(metadata);
  item->policy = turns_.Begin(clock_ >> 10);
  return WriteOutcome::Kind::kDone;
}

void FileStore::CountRefusal(const Status& status) {
  if (status.code() != Status::Code::kNoSpace) return;
  refusals_ += 1;
  room_refusals_ += 1;
}

// Counts as under way until it is done.
void FileStore::Append(std::unique_ptr<LogRequest> request, WriteDone done, LogWriter::When when) {
  uint64_t request_bytes = 0;
  for (const LogItem& item : request->items) request_bytes += item.bytes.size();
  request->done = [this, request_bytes, done = std::move(done)](LogOutcome& result) {
    WriteOutcome outcome{
        .status = std::move(result.status), .existed = result.existed, .promised = result.promised};
    switch (result.kind) {
      case LogOutcome::Kind::kDone:
        break;
      case LogOutcome::Kind::kFenced:
        outcome.kind = WriteOutcome::Kind::kFenced;
        break;
      case LogOutcome::Kind::kSuperseded:
        outcome.kind = WriteOutcome::Kind::kSuperseded;
        break;
      case LogOutcome::Kind::kFailed:
        outcome.kind = WriteOutcome::Kind::kFailed;
        CountRefusal(outcome.status);
        break;
    }
    done(std::move(outcome));
    pace_.Wrote(request_bytes);
    pace_.Hurry(RoomIsScarce());
    if (IsFull()) WantReclaim();
    if (writer_->bytes_written() - imaged_at_ > image_every_) WantImage();
    Ended();
  };
  writer_->Enqueue(std::move(request), when);
}

void FileStore::Set(Slice key, Slice metadata, uint64_t size, std::span<const StoredChunk> chunks,
                    WriteDone done, LogWriter::When when) {
  if (Refused(done)) return;
  const Member member{.key = key, .metadata = metadata, .size = size, .chunks = chunks};
  auto request = std::make_unique<LogRequest>();
  Status status;
  const WriteOutcome::Kind made = MakeItem(member, &request->items.emplace_back(), &status);
  if (made == WriteOutcome::Kind::kDone) return Append(std::move(request), std::move(done), when);
  done({.kind = made, .status = std::move(status)});
  Ended();
}

void FileStore::Batch(std::span<const Member> members, WriteDone done) {
  if (Refused(done)) return;
  auto request = std::make_unique<LogRequest>();
  for (const Member& member : members) {
    Status status;
    LogItem& item = request->items.emplace_back();
    const WriteOutcome::Kind made = MakeItem(member, &item, &status);
    if (made == WriteOutcome::Kind::kDone) continue;
    done({.kind = made, .status = std::move(status)});
    return Ended();
  }
  Append(std::move(request), std::move(done));
}

void FileStore::Delete(Slice key, Drafts drafts, WriteDone done) {
  if (Refused(done)) return;
  auto request = std::make_unique<LogRequest>();
  request->drafts = drafts;
  Status status;
  const WriteOutcome::Kind made =
      MakeItem({.key = key, .metadata = {}, .chunks = {}, .remove = true},
               &request->items.emplace_back(), &status);
  if (made == WriteOutcome::Kind::kDone) return Append(std::move(request), std::move(done));
  done({.kind = made, .status = std::move(status)});
  Ended();
}

void FileStore::Clear(WriteDone done) {
  if (Refused(done)) return;
  auto request = std::make_unique<LogRequest>();
  request->items.push_back({.kind = LogItem::Kind::kClear, .bytes = MakeBare(RecordKind::kClear)});
  Append(std::move(request), std::move(done));
}

void FileStore::Flush(WriteDone done) {
  if (Refused(done)) return;
  Append(std::make_unique<LogRequest>(), std::move(done));
}

void FileStore::Revise(Slice key, uint64_t sequence, Slice given, WriteDone done) {
  if (Refused(done)) return;
  Metadata parsed;
  if (!Parse(given, &parsed)) {
    done({.kind = WriteOutcome::Kind::kFailed,
          .status = Status::InvalidArgument("fileStore: metadata is not as the format says")});
    return Ended();
  }
  RunOn(Executor::kWrite,
        [self = shared_from_this(), hash = HashOf(key), sequence, expires = ExpiresOf(parsed),
         metadata = std::vector<uint8_t>(given.begin(), given.end()), done = std::move(done)] {
          Opened opened;
          std::vector<uint8_t> record;
          const std::optional<IndexEntry> entry =
              self->ReadSequence(hash.low, sequence, record, &opened);
          if (!entry) {
            done({.kind = WriteOutcome::Kind::kSuperseded, .status = {}});
            return self->Ended();
          }
          const RecordHead& head = opened.head;
          std::vector<ChunkEntry> chunks;
          for (uint64_t at = 0; at < head.ChunkCount(); at++) chunks.push_back(head.ChunkAt(at));
          auto request = std::make_unique<LogRequest>();
          LogItem& item = request->items.emplace_back();
          item.kind = LogItem::Kind::kRevise;
          item.identity = hash.low;
          item.sequence = sequence;
          item.expires = expires;
          item.blob_units = entry->blob_units;
          item.policy = entry->policy;
          // Of a blob the file stays.
          item.bytes = MakePut({.key = head.key,
                                .metadata = metadata,
                                .size = head.size,
                                .chunk_power = head.chunk_power,
                                .chunks = chunks,
                                .blob = head.blob(),
                                .blob_sequence = head.blob_sequence,
                                .stored = head.stored});
          Add(item.bytes, opened.data);
          item.bytes.resize(Padded(item.bytes.size()));
          self->Append(std::move(request), done);
        });
}

std::shared_ptr<FileDraft> FileStore::BeginDraft(Slice key) {
  return std::make_shared<FileDraft>(shared_from_this(), key);
}

bool FileStore::Apply(const LogItem& item, uint64_t sequence, Position position, uint32_t length) {
  IndexEntry before;
  switch (item.kind) {
    case LogItem::Kind::kPut:
    case LogItem::Kind::kRevise:
    case LogItem::Kind::kCopy:
      break;
    case LogItem::Kind::kDelete:
      if (!index_->RemoveBelow(item.identity, sequence, &before)) return false;
      Forget(before, false);
      return true;
    case LogItem::Kind::kClear:
      ApplyClear(sequence);
      return true;
    case LogItem::Kind::kForget:
    case LogItem::Kind::kEnd:
      return false;
  }
  const IndexEntry entry{.identity = item.identity,
                         .sequence = sequence,
                         .position = position,
                         .length = length,
                         .expires = item.expires,
                         .blob_units = item.blob_units,
                         .policy = item.policy};
  // Copies of deletes have their place, and nothing to say.
  if (item.bytes[6] != static_cast<uint8_t>(RecordKind::kPut)) return false;
  const bool same_value = item.kind != LogItem::Kind::kPut;
  // One that was evicted since its new place was chosen must not come back: its blob is gone.
  switch (same_value ? index_->MoveEntry(entry, item.sequence, &before)
                     : index_->PutEntry(entry, &before)) {
    case DiskIndex::Put::kReplaced:
      Forget(before, same_value);
      [[fallthrough]];
    case DiskIndex::Put::kInserted:
      segments_.AddLive(position.segment, length);
      return true;
    case DiskIndex::Put::kOlder:
      return false;
    case DiskIndex::Put::kNoRoom:
      // The index's bound is the store's: this one is evicted as it comes.
      evictions_ += 1;
      if (options_.listener != nullptr) options_.listener->Evicted(KeyOfPut(item.bytes), false);
      Forget(entry, false);
      EnqueueForget(
          item.identity,
          [&] {
            Bytes16 hash{};
            Store64(hash.data(), item.identity);
            return hash;
          }(),
          nullptr);
      return false;
  }
  return false;
}

void FileStore::ApplyClear(uint64_t sequence) {
  index_->Clear(sequence);
  for (const Segments::Handle& segment : segments_.All()) segment->live = 0;
  if (!blobs_.RemoveBelow(sequence)) orphaned_ = true;
  WantReclaim();
}

void FileStore::Forget(const IndexEntry& entry, bool keep_blob) {
  segments_.TakeLive(entry.position.segment, entry.length);
  if (!entry.blob() || keep_blob) return;
  // Only the record knows what its blob is called.
  const Result<OpenFiles::Handle> file = OpenSegment(entry.position.segment);
  std::vector<uint8_t> buffer;
  RecordHead head;
  const bool known =
      file.ok() &&
      ReadHead(file.value()->file, context_, entry.position, entry.length, buffer, &head).ok() &&
      head.blob();
  if (!known || !blobs_.Remove({.hash = BytesOf(HashOf(head.key)), .sequence = head.blob_sequence},
                               entry.blob_units)) {
    orphaned_ = true;
  }
}

// The key stays unreadable in this process, whatever the disk says (D6).
void FileStore::Hide(const LogItem& item) {
  if (item.kind == LogItem::Kind::kClear) return index_->Clear(writer_->TakeSequence());
  IndexEntry removed;
  if (index_->RemoveBelow(item.identity, writer_->TakeSequence(), &removed)) {
    // Its blob stays: after a restart the entry is there again.
    segments_.TakeLive(removed.position.segment, removed.length);
    if (removed.blob()) orphaned_ = true;
  }
}

void FileStore::Release(LogRequest& request) {
  for (LogItem& item : request.items) space_.Give(std::move(item.bytes));
}

bool FileStore::IsCurrent(uint64_t identity, Position position) {
  const std::optional<IndexEntry> entry = index_->Find(identity);
  return entry && entry->position == position;
}

bool FileStore::MayGrow(uint64_t bytes) {
  const uint64_t min_free_bytes = min_free_bytes_;
  const double min_free_share = min_free_share_;
  if (min_free_bytes == 0 && min_free_share <= 0) return true;
  const Result<VolumeInfo> volume = directory_->root().StatVolume();
  // Where it cannot be told, it is not kept.
  if (!volume.ok()) return true;
  const auto share = static_cast<uint64_t>(static_cast<double>(volume.value().total) *
                                           std::clamp(min_free_share, 0.0, 1.0));
  const uint64_t keep = std::max(min_free_bytes, share);
  return volume.value().available >= keep && volume.value().available - keep >= bytes;
}

}  // namespace drey::file
