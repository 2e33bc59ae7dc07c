#include <string>
#include <utility>

#include "file_store/file_store.h"
#include "file_store/record_io.h"

namespace drey::file {
namespace {

WriteOutcome FailedBy(const Status& status) {
  return {.kind = WriteOutcome::Kind::kFailed, .status = CopyOf(status)};
}

}  // namespace

FileDraft::FileDraft(std::shared_ptr<FileStore> store, Slice key)
    : store_(std::move(store)),
      key_(key.begin(), key.end()),
      hash_(store_->HashOf(key)),
      fence_(store_->writer_->BeginDraft(hash_.low)) {}

FileDraft::~FileDraft() { Abort(); }

bool FileDraft::Begin(bool last) {
  const std::lock_guard lock(mutex_);
  if (over_ || busy_) return false;
  over_ = last;
  busy_ = true;
  return true;
}

void FileDraft::End() {
  bool abort = false;
  {
    const std::lock_guard lock(mutex_);
    busy_ = false;
    abort = std::exchange(abort_wanted_, false);
  }
  if (abort) Abort();
}

void FileDraft::Abort() {
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    abort_wanted_ = busy_;
    // Whoever is at it does it, when he has done.
    if (busy_) return;
    over_ = true;
  }
  GiveUp();
}

void FileDraft::GiveUp() {
  store_->writer_->EndDraft(fence_);
  data_ = {};
  if (blob_ == nullptr) return;
  // Its file has to go: not on a caller's thread, which may be an event loop.
  store_->Began();
  store_->RunOn(Executor::kWrite,
                [store = store_, blob = std::shared_ptr<BlobWriter>(std::move(blob_))]() mutable {
                  blob.reset();
                  store->Ended();
                });
}

// Opens the blob that a value becomes once it is too large for the log.
WriteOutcome FileDraft::Spill() {
  constexpr int kAttempts = 3;
  Result<std::unique_ptr<BlobWriter>> begun = Status::InvalidArgument("not begun");
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    begun = store_->blobs_.Begin(
        {.hash = FileStore::BytesOf(hash_), .sequence = store_->writer_->TakeSequence()});
    // A name that is there already belongs to somebody before us: no name is used twice.
    if (begun.status().code() != Status::Code::kExists) break;
  }
  if (!begun.ok()) return FailedBy(begun.status());
  blob_ = begun.Take();
  Slice left = data_;
  for (const ChunkEntry& chunk : chunks_) {
    if (Status done = blob_->Append(chunk, left.first(chunk.stored)); !done.ok()) {
      return FailedBy(done);
    }
    left = left.subspan(chunk.stored);
  }
  chunks_ = {};
  data_ = {};
  return {};
}

WriteOutcome FileDraft::Take(std::span<const StoredChunk> chunks) {
  std::vector<ChunkEntry> entries;
  std::vector<Slice> slices;
  entries.reserve(chunks.size());
  slices.reserve(chunks.size());
  uint64_t raw = 0;
  for (const StoredChunk& chunk : chunks) {
    entries.push_back({.checksum = Checksum(chunk.stored),
                       .stored = static_cast<uint32_t>(chunk.stored.size()),
                       .raw = chunk.raw,
                       .codec = chunk.codec});
    slices.push_back(chunk.stored);
    raw += chunk.raw;
  }
  if (blob_ == nullptr && size_ + raw <= store_->options_.pack_limit) {
    chunks_.insert(chunks_.end(), entries.begin(), entries.end());
    for (const Slice& slice : slices) data_.insert(data_.end(), slice.begin(), slice.end());
    size_ += raw;
    return {};
  }
  if (blob_ == nullptr) {
    if (WriteOutcome spilt = Spill(); spilt.kind != WriteOutcome::Kind::kDone) return spilt;
  }
  size_ += raw;
  const Status appended = blob_->Append(entries, slices);
  charge_ = blob_->charge();
  return appended.ok() ? WriteOutcome{} : FailedBy(appended);
}

// Whether they may come next; the draft is over otherwise, and `done` was told.
bool FileDraft::Admit(std::span<const StoredChunk> chunks, const WriteDone& done) {
  if (store_->Refused(done)) return false;
  const uint64_t full = uint64_t{1} << store_->options_.chunk_power;
  bool right = true;
  bool ended = false;
  uint64_t raw = 0;
  for (const StoredChunk& chunk : chunks) {
    right = right && !ended && chunk.raw > 0 && chunk.raw <= full &&
            chunk.codec <= ChunkEntry::kMostCodec && !chunk.stored.empty() &&
            chunk.stored.size() <= chunk.raw &&
            (chunk.codec != 0 || chunk.stored.size() == chunk.raw);
    ended = chunk.raw < full;
    raw += chunk.raw;
  }
  const bool begun = right && Begin(false);
  const bool large = begun && size_ + raw > store_->max_item_bytes_;
  if (begun && !large && !short_chunk_) {
    short_chunk_ = ended;
    return true;
  }
  if (large) store_->refusals_ += 1;
  if (begun) {
    Abort();
    End();
  }
  done({.kind = large ? WriteOutcome::Kind::kTooLarge : WriteOutcome::Kind::kFailed,
        .status = large ? Status()
                        : Status::InvalidArgument("fileStore: the draft is over or busy, or this "
                                                  "is no chunk of a value")});
  store_->Ended();
  return false;
}

void FileDraft::Took(WriteOutcome outcome, const WriteDone& done) {
  if (outcome.kind != WriteOutcome::Kind::kDone) {
    store_->CountRefusal(outcome.status);
    Abort();
  }
  End();
  done(std::move(outcome));
  store_->Ended();
}

void FileDraft::Write(const StoredChunk& chunk, WriteDone done) {
  if (!Admit(std::span(&chunk, 1), done)) return;
  // Into memory there is nothing to wait for.
  if (blob_ == nullptr && size_ + chunk.raw <= store_->options_.pack_limit) {
    return Took(Take(std::span(&chunk, 1)), done);
  }
  store_->RunOn(Executor::kWrite,
                [self = shared_from_this(), codec = chunk.codec, raw = chunk.raw,
                 stored = std::vector<uint8_t>(chunk.stored.begin(), chunk.stored.end()),
                 done = std::move(done)] {
                  const StoredChunk copied{.codec = codec, .raw = raw, .stored = stored};
                  self->Took(self->Take(std::span(&copied, 1)), done);
                });
}

void FileDraft::WriteHeld(std::vector<StoredChunk> chunks, WriteDone done) {
  if (!Admit(chunks, done)) return;
  uint64_t raw = 0;
  for (const StoredChunk& chunk : chunks) raw += chunk.raw;
  if (blob_ == nullptr && size_ + raw <= store_->options_.pack_limit) {
    return Took(Take(chunks), done);
  }
  store_->RunOn(Executor::kWrite, [self = shared_from_this(), held = std::move(chunks),
                                   done = std::move(done)] { self->Took(self->Take(held), done); });
}

void FileDraft::Commit(Slice given, WriteDone done) {
  if (store_->Refused(done)) return;
  Metadata metadata;
  const bool right = Parse(given, &metadata) && key_.size() <= kMostKey;
  if (!right || !Begin(true)) {
    Abort();
    done({.kind = WriteOutcome::Kind::kFailed,
          .status = Status::InvalidArgument("fileStore: the draft is over or busy, or key or "
                                            "metadata are not as the format says")});
    return store_->Ended();
  }
  if (blob_ == nullptr) return CommitPacked(given, ExpiresOf(metadata), std::move(done));
  store_->RunOn(Executor::kWrite, [self = shared_from_this(), expires = ExpiresOf(metadata),
                                   copied = std::vector<uint8_t>(given.begin(), given.end()),
                                   done = std::move(done)]() mutable {
    self->CommitBlob(copied, expires, std::move(done));
  });
}

LogItem FileDraft::PackedItem(Slice metadata, uint32_t expires) {
  LogItem item;
  item.kind = LogItem::Kind::kPut;
  item.identity = hash_.low;
  item.bytes = MakePut({.key = key_,
                        .metadata = metadata,
                        .size = size_,
                        .chunk_power = store_->options_.chunk_power,
                        .chunks = chunks_},
                       store_->space_.Take(data_.size()));
  item.bytes.insert(item.bytes.end(), data_.begin(), data_.end());
  item.bytes.resize(Padded(item.bytes.size()));
  item.expires = expires;
  item.policy = store_->turns_.Begin(store_->clock_ >> 10);
  store_->given_ += key_.size() + size_;
  data_ = {};
  return item;
}

LogItem FileDraft::BlobItem(Slice metadata, uint32_t expires) {
  LogItem item;
  item.kind = LogItem::Kind::kPut;
  item.identity = hash_.low;
  item.bytes = MakePut({.key = key_,
                        .metadata = metadata,
                        .size = size_,
                        .chunk_power = store_->options_.chunk_power,
                        .chunks = {},
                        .blob = true,
                        .blob_sequence = blob_->name().sequence,
                        .stored = blob_->stored()});
  item.expires = expires;
  item.blob_units = blob_->units();
  item.policy = store_->turns_.Begin(store_->clock_ >> 10);
  store_->given_ += key_.size() + size_;
  return item;
}

void FileDraft::CommitPacked(Slice metadata, uint32_t expires, WriteDone done) {
  auto request = std::make_unique<LogRequest>();
  request->items.push_back(PackedItem(metadata, expires));
  request->fence = fence_;
  store_->Append(std::move(request), std::move(done));
}

void FileDraft::CommitBlob(Slice metadata, uint32_t expires, WriteDone done) {
  // It must be whole before its record says so.
  const Status finished = blob_->Finish(store_->power());
  if (!finished.ok()) {
    GiveUp();
    done(FailedBy(finished));
    return store_->Ended();
  }
  auto request = std::make_unique<LogRequest>();
  request->items.push_back(BlobItem(metadata, expires));
  request->fence = fence_;
  store_->Append(std::move(request),
                 [self = shared_from_this(), done = std::move(done)](WriteOutcome outcome) {
                   if (outcome.kind == WriteOutcome::Kind::kDone) self->blob_->Keep();
                   // Unless it is the log's, the file goes.
                   self->blob_.reset();
                   done(std::move(outcome));
                 });
}

}  // namespace drey::file
