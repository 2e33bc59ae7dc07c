#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/status.h"
#include "file_store/blobs.h"
#include "file_store/directory.h"
#include "file_store/disk_index.h"
#include "file_store/disk_ledger.h"
#include "file_store/format/metadata.h"
#include "file_store/lock.h"
#include "file_store/log_writer.h"
#include "file_store/open_files.h"
#include "file_store/reclaim_pace.h"
#include "file_store/record_space.h"
#include "file_store/recovery.h"
#include "file_store/segments.h"
#include "file_store/tag_log.h"
#include "file_store/turns.h"
#include "file_store/workers.h"

namespace drey::file {

// Who wants to know what a store drops by its own doing. Called on the thread that does it, without
// any lock.
class FileStoreListener {
 public:
  virtual ~FileStoreListener() = default;

  virtual void Evicted(Slice key, bool expired) = 0;
  virtual void Corrupt(Slice key) = 0;
};

struct FileStoreOptions {
  std::string dir{};
  // All that the directory takes, in bytes: at least 8 segments.
  uint64_t max_bytes = 0;
  // Memory of the index; 0 is 1/64 of max_bytes, 16 MiB to 1 GiB.
  uint64_t max_index_bytes = 0;
  // Larger values are refused; 0 is a quarter of max_bytes.
  uint64_t max_item_bytes = 0;
  // 0 is 1/64 of max_bytes, 1 MiB to 64 MiB.
  uint64_t segment_bytes = 0;
  // Values up to it are records in the log.
  uint64_t pack_limit = 64 * 1024;
  uint8_t chunk_power = 16;
  // Bytes of the file system that stay free, and the share of it, whichever is more.
  uint64_t min_free_bytes = 0;
  double min_free_share = 0;
  TurnKind policy = TurnKind::kS3Fifo;
  uint32_t partitions = 16;
  Durability durability = Durability::kProcess;
  uint32_t open_files = 256;
  // An image of the index is written whenever the log has grown by so many bytes, so that an open
  // after a crash has less to read; 0 is an eighth of max_bytes, at least 16 MiB.
  uint64_t image_every = 0;
  // Bytes a second that reclaim in the background may always read and write; more, when more is
  // written. 0 is without limit.
  uint64_t reclaim_rate = 0;
  // Told to whoever finds the directory locked.
  std::string title = "drey";
  Env* env = nullptr;
  MonotonicClock* clock = &SteadyClock();
  Workers* workers = nullptr;
  // May be null; outlives the store.
  FileStoreListener* listener = nullptr;
};

// What of the options can be changed while a store is open, as it is now or is to be. Zeros mean
// nothing but themselves here.
struct FileTuning {
  uint64_t max_bytes = 0;
  uint64_t max_index_bytes = 0;
  uint64_t max_item_bytes = 0;
  uint64_t min_free_bytes = 0;
  double min_free_share = 0;
  TurnKind policy = TurnKind::kS3Fifo;
  Durability durability = Durability::kProcess;
  uint32_t open_files = 0;
  uint64_t reclaim_rate = 0;
};

// What is stored of a value: the core compresses nothing and decompresses nothing.
struct StoredChunk {
  uint8_t codec = 0;
  uint32_t raw = 0;
  Slice stored;
};

// An entry that was found. Slices point into the memory that the caller gave.
struct Opened {
  RecordHead head;
  // Of a packed value: its stored chunks, one after the other, checked.
  Slice data;
  // Of any other.
  std::unique_ptr<BlobReader> blob;
  Position position;
  // To be served only when its origin has confirmed it.
  bool doubtful = false;
  // After kTooSmall and kWait: how much memory it wants, and whether there is a blob besides.
  uint64_t needed = 0;
  bool needs_blob = false;
};

enum class Find : uint8_t {
  kMiss,
  kFound,
  // It cannot be told without waiting for a disk.
  kWait,
  kTooSmall
};

struct WriteOutcome {
  enum class Kind : uint8_t { kDone, kFenced, kSuperseded, kTooLarge, kFailed };
  Kind kind = Kind::kDone;
  // Of kFailed; kNoSpace says that there was no room.
  Status status;
  // Of a delete: whether there was one.
  bool existed = false;
  // Of kDone: it is not written yet, for no more was promised.
  bool promised = false;
};
using WriteDone = std::function<void(WriteOutcome)>;

class FileDraft;

// The file store: entries in a directory, bounded in the bytes that it occupies, every byte checked
// before it is given. What holds says docs/reference/file.md (D1 to D12), and what is on the disk
// docs/disk-format.md.
//
// The parts, and who may call whom while holding what: the facade calls the log writer, which calls
// back (LogHost) without any lock; index, ledger, open files and segments each have a lock of their
// own that is the last, held during nothing else. No system call is made under any of them.
//
// Callbacks are called once each, on the thread that did the work. Memory that is given for reading
// or writing belongs to the store until then.
class FileStore final : public LogHost, public std::enable_shared_from_this<FileStore> {
 public:
  // Waits for the disk. kInvalidArgument for a wrong option, or a place that is none for a store;
  // kLocked, with the owner; kFormat for a newer format; kCorrupt for a damaged file DREY.
  static Result<std::shared_ptr<FileStore>> Open(const FileStoreOptions& options) noexcept;
  ~FileStore() override;
  FileStore(const FileStore&) = delete;
  FileStore& operator=(const FileStore&) = delete;

  // Refuses new work, waits for what is under way, ends the log, has the system write out all that
  // is there, writes an image, gives up the lock. Waits for the disk; not from one of the store's
  // own threads, unless they are the caller's. What is still under way after `patience` is left
  // behind, and the directory stays locked for as long; blobs that are not written out by then are
  // left to the system, and after a start of the machine all is in doubt.
  Status Close(std::chrono::milliseconds patience = std::chrono::seconds(10)) noexcept;

  // -- Reading

  // `into` is to hold the record: head and packed value. Of what is in the page cache, at once;
  // never waits.
  Find FindNow(Slice key, bool peek, std::span<uint8_t> into, Opened* opened);
  // The same; waits for the disk. Says never kWait.
  Find FindWaiting(Slice key, bool peek, std::span<uint8_t> into, Opened* opened);
  // The same on a thread of the store. `key` is copied.
  using FindDone = std::function<void(Find, Opened)>;
  void FindLater(Slice key, bool peek, std::span<uint8_t> into, FindDone done);
  // Whether the index has it: at once, and whatever the disk would say.
  bool Knows(Slice key) const noexcept { return index_->Find(HashOf(key).low).has_value(); }
  // A chunk of a blob was found damaged by whoever read it: drops the entry (D1).
  void DropDamaged(Slice key, Position position);

  // -- Writing. Keys, metadata and chunks are copied before a call returns.

  // A whole value; larger than a segment it is refused (kTooLarge): use a draft. With kAtKick it
  // may wait for Kick, so that what one turn of an event loop sets goes out together.
  void Set(Slice key, Slice metadata, uint64_t size, std::span<const StoredChunk> chunks,
           WriteDone done, LogWriter::When when = LogWriter::When::kNow);
  void Kick() { writer_->Kick(); }
  struct Member {
    Slice key;
    Slice metadata;
    uint64_t size = 0;
    std::span<const StoredChunk> chunks;
    // Instead of a value.
    bool remove = false;
  };
  // All of it or nothing, across a crash too.
  void Batch(std::span<const Member> members, WriteDone done);
  std::shared_ptr<FileDraft> BeginDraft(Slice key);
  void Delete(Slice key, Drafts drafts, WriteDone done);
  void Clear(WriteDone done);
  // A draft with the metadata to commit it with, or a key to be deleted.
  struct Change {
    std::shared_ptr<FileDraft> draft;
    Slice metadata;
    Slice key;
  };
  // All of them or nothing, across a crash too; afterwards the drafts are over.
  void CommitAll(std::span<const Change> changes, WriteDone done);
  // Done when all is written that was acknowledged before.
  void Flush(WriteDone done);
  // New metadata for the entry of `sequence`, if the key still has that (kSuperseded).
  void Revise(Slice key, uint64_t sequence, Slice metadata, WriteDone done);

  // What was invalidated by tag: entries are the caller's to judge. To be kept on a thread of the
  // store.
  TagLog& tags() noexcept { return *tags_; }

  // -- Scanning

  // The places of entries of one shard of the index, in the order of identities; `shard` below
  // DiskIndex::kShards.
  std::vector<IndexEntry> Scan(size_t shard) const { return index_->Collect(shard); }
  // What is at such a place, if it is there still. Waits for the disk.
  Find ReadAt(const IndexEntry& entry, std::span<uint8_t> into, Opened* opened);
  // Its head alone, whose slices point into `buffer`. False when it is not there any more. Waits
  // for the disk.
  bool ReadHeadAt(const IndexEntry& entry, std::vector<uint8_t>& buffer, RecordHead* head);
  // Entries below it are in doubt; 0 for none.
  uint64_t doubt() const noexcept { return recovered_.doubt; }

  // -- Running it

  struct Stats {
    uint64_t entries = 0;
    uint64_t blobs = 0;
    uint64_t bytes = 0;
    uint64_t most_bytes = 0;
    uint64_t max_bytes = 0;
    uint64_t index_bytes = 0;
    uint64_t segments = 0;
    uint64_t evictions = 0;
    uint64_t expirations = 0;
    uint64_t corrupt = 0;
    uint64_t read_errors = 0;
    uint64_t write_errors = 0;
    uint64_t refusals = 0;
    // Of these, those for want of room.
    uint64_t room_refusals = 0;
    uint64_t reclaimed_segments = 0;
    // Of keys and values that were committed.
    uint64_t bytes_given = 0;
    // Of blobs.
    uint64_t blob_bytes_written = 0;
    // Of the log: all, and those that were copied forward.
    uint64_t bytes_written = 0;
    uint64_t bytes_copied = 0;
  };
  Stats stats() const;
  // As it is now, without waiting for anybody; max_bytes is what was asked for, which stats() says
  // only once it holds.
  FileTuning tuning() const noexcept;
  // All of it, or nothing and why. Waits for the disk: where the durability becomes `power`, all of
  // the log is synced first. A bound that is lower holds at once for what wants to grow, and
  // max_bytes of stats() comes down to it as reclaim goes on (DiskLedger).
  Status Tune(const FileTuning& tuning) noexcept;
  const Recovered& recovered() const noexcept { return recovered_; }
  uint64_t max_item_bytes() const noexcept { return max_item_bytes_; }
  // Those that stay as they were given.
  const FileStoreOptions& options() const noexcept { return options_; }
  // Writes an image of the index, so that the next open has less to read. Waits for the disk.
  Status Checkpoint() noexcept;
  // From here on it is so late, in milliseconds since 1970, whatever the machine says: for who has
  // a clock of his own.
  void TellTime(double epoch_milliseconds) noexcept { told_time_ = epoch_milliseconds; }
  // A read of a blob failed, by the disk's fault.
  void CountReadError() noexcept { read_errors_ += 1; }
  // Work of whoever uses the store, that may wait for a disk: Close waits for it. False when it is
  // not taken, because the store is closed or closing.
  [[nodiscard]] bool Run(Executor::LaneName lane, std::function<void()> work);

 private:
  friend class FileDraft;

  struct Key;
  FileStore(const FileStoreOptions& options, std::unique_ptr<Directory> directory,
            std::unique_ptr<DirectoryLock> lock) noexcept;
  static Result<std::shared_ptr<FileStore>> TryOpen(const FileStoreOptions& options);
  Status Recover() noexcept;
  static Status Check(FileStoreOptions& options);
  void RunOn(Executor::LaneName lane, std::function<void()> work);

  // Reading.
  Hash128 HashOf(Slice key) const noexcept { return Hash(key_, key); }
  static Bytes16 BytesOf(const Hash128& hash) noexcept;
  Find TryFind(Slice key, bool peek, std::span<uint8_t> into, Opened* opened, bool may_wait);
  Find ReadRecord(const IndexEntry& entry, std::span<uint8_t> into, Opened* opened, bool may_wait,
                  bool* damaged);
  // The record of that sequence, wherever it is by now; nothing when it is not current any more.
  std::optional<IndexEntry> ReadSequence(uint64_t identity, uint64_t sequence,
                                         std::vector<uint8_t>& into, Opened* opened);
  Result<OpenFiles::Handle> OpenSegment(uint64_t number);
  void DropEntry(const IndexEntry& entry, const Bytes16& hash, const RecordHead* head);

  // Writing.
  void Append(std::unique_ptr<LogRequest> request, WriteDone done,
              LogWriter::When when = LogWriter::When::kNow);
  WriteOutcome::Kind MakeItem(const Member& member, LogItem* item, Status* status);
  void Began() noexcept;
  void Ended() noexcept;
  bool Refused(const WriteDone& done);
  // Of a failure, if it is that there was no room.
  void CountRefusal(const Status& status);

  Status OpenTags();

  // LogHost.
  bool Apply(const LogItem& item, uint64_t sequence, Position position, uint32_t length) override;
  void Hide(const LogItem& item) override;
  bool IsCurrent(uint64_t identity, Position position) override;
  bool MakeRoom(uint64_t bytes, uint64_t entries) override;
  bool MayGrow(uint64_t bytes) override;
  Status SyncLog() override { return SyncSegments(0); }
  void Release(LogRequest& request) override;
  void ScheduleDrain() override;
  void ApplyClear(uint64_t sequence);
  // The entry is not the index's any more: nor are its bytes.
  void Forget(const IndexEntry& entry, bool keep_blob);

  // Reclaim.
  struct Candidate;
  struct Turn;
  void WantReclaim();
  // There is more than there is to be, on the disk or in the index.
  bool IsFull() const noexcept { return ledger_.AboveHighMark() > 0 || index_->Over(); }
  void ReclaimStep();
  bool GatherCandidates(const Segment& segment, std::vector<Candidate>& candidates);
  void CopyForward(const Segments::Handle& segment, std::vector<Candidate> kept);
  Segments::Handle MostlyDead(const Segment& oldest) const;
  void CopyAll(const Segments::Handle& segment);
  // `turn` may be null: nobody waits for it.
  void EnqueueCopy(LogItem item, const std::shared_ptr<Turn>& turn);
  void SendBack(const IndexEntry& entry, class SegmentReader& reader);
  void EnqueueForget(uint64_t identity, const Bytes16& hash, const std::shared_ptr<Turn>& turn);
  void EndTurn(const Segments::Handle& segment, bool early, bool failed);
  bool EvictSegment(const Segments::Handle& segment);
  bool DropSegment(const Segments::Handle& segment);
  void EvictEntry(const IndexEntry& entry, const RecordHead* head, bool log);
  // What says whether room enough was made.
  using Enough = std::function<bool()>;
  bool MakeBlobRoom(uint64_t bytes);
  bool EvictUntil(const Enough& enough);
  bool IndexHasRoom(uint64_t entries);
  // Evicts blobs of a segment, from the cursor on, until it is enough.
  bool EvictBlobs(const Segment& segment, const Enough& enough, bool spare);
  // Looks through the index for what has expired, unless it did so just now.
  void LookForExpired();
  // Evicts blobs that have expired until it is enough; false when that was not.
  bool EvictExpired(const Enough& enough);
  uint32_t MiddleOf() const;
  uint32_t NowSeconds() const noexcept;
  // What `kind` makes of the states that the policy before left.
  void TakeTurns(TurnKind kind);
  Status TuneOpen(const FileTuning& tuning);
  Status SetDurability(Durability durability);
  Status CheckTuning(const FileTuning& tuning) const;
  bool power() const noexcept { return durability_ == Durability::kPower; }
  // Writes would have to wait for room, or evict in haste, before long.
  bool RoomIsScarce() noexcept;
  // Before reclaim reads or writes so many bytes.
  void Pace(uint64_t bytes) noexcept;

  Status WriteImageAt(Position position, bool clean, bool synced);
  Status SyncSegments(uint64_t from);
  void WantImage();
  Status Await(std::unique_ptr<LogRequest> request, LogOutcome* outcome);

  FileStoreOptions options_;
  Env& env_;
  Workers& workers_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<DirectoryLock> lock_;
  const Context context_;
  const HashKey key_;
  Turns turns_;
  Bytes16 boot_id_{};
  DiskLedger ledger_;
  std::unique_ptr<DiskIndex> index_;
  Segments segments_;
  OpenFiles files_;
  Blobs blobs_;
  RecordSpace space_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<TagLog> tags_;
  Recovered recovered_;
  ReclaimPace pace_;

  // Whoever changes the options holds it; taken before any other.
  std::mutex tuning_;
  std::atomic<Durability> durability_;
  // It was another once: what was written then may not be synced.
  std::atomic<bool> retuned_{false};
  std::atomic<uint64_t> max_item_bytes_;
  std::atomic<uint64_t> min_free_bytes_;
  std::atomic<double> min_free_share_;
  std::atomic<uint64_t> image_every_;
  std::atomic<uint32_t> open_files_;
  std::atomic<uint64_t> reclaim_rate_;

  std::mutex mutex_;
  // Guarded by mutex_, down to looked_at_.
  std::condition_variable quiet_;
  uint64_t under_way_ = 0;
  bool closing_ = false;
  // Where EvictBlobs goes on.
  Position cursor_;
  // Blobs that had expired when it was looked at last: they go first.
  std::vector<IndexEntry> expired_;
  // What had been written when it was looked at last.
  uint64_t looked_at_ = 0;

  // Whoever writes an image holds it.
  std::mutex image_mutex_;
  // Guarded by image_mutex_.
  uint64_t image_ = 0;
  uint64_t image_charge_ = 0;
  uint64_t next_image_ = 1;
  uint64_t synced_before_ = 0;

  // Closed, or about to: nothing is found any more.
  std::atomic<bool> closed_{false};
  std::atomic<bool> reclaiming_{false};
  std::atomic<bool> imaging_{false};
  // What had been written to the log when the last image was begun.
  std::atomic<uint64_t> imaged_at_{0};
  // A blob may have been left without a record: the end is not a clean one.
  std::atomic<bool> orphaned_{false};
  std::atomic<uint64_t> clock_{0};
  // Not a number while it is the machine's.
  std::atomic<double> told_time_;
  mutable std::atomic<uint64_t> evictions_{0};
  std::atomic<uint64_t> expirations_{0};
  std::atomic<uint64_t> corrupt_{0};
  std::atomic<uint64_t> read_errors_{0};
  std::atomic<uint64_t> refusals_{0};
  std::atomic<uint64_t> room_refusals_{0};
  std::atomic<uint64_t> reclaimed_{0};
  std::atomic<uint64_t> given_{0};
};

// A value that comes in pieces, and that nobody finds until it is committed. One Write or Commit at
// a time: the next when the one before has said that it is done. Abort may come at any time.
//
// Invariants: `busy_` belongs to the one call under way, and all that has no other guard to it;
// once `over_`, nothing more is begun.
class FileDraft final : public std::enable_shared_from_this<FileDraft> {
 public:
  FileDraft(std::shared_ptr<FileStore> store, Slice key);
  ~FileDraft();
  FileDraft(const FileDraft&) = delete;
  FileDraft& operator=(const FileDraft&) = delete;

  // A chunk: of the chunk size, but for the last. kFailed and kTooLarge end the draft.
  void Write(const StoredChunk& chunk, WriteDone done);
  // The same of several, only the last of which may be short. Their bytes are the caller's still,
  // who leaves them as they are until `done`.
  void WriteHeld(std::vector<StoredChunk> chunks, WriteDone done);
  void Commit(Slice metadata, WriteDone done);
  // After Commit it does nothing.
  void Abort();

  const std::shared_ptr<FileStore>& store() const noexcept { return store_; }
  // What it had of the disk after the last Write.
  uint64_t charge() const noexcept { return charge_; }

 private:
  friend class FileStore;

  bool Begin(bool last);
  void End();
  void GiveUp();
  bool Admit(std::span<const StoredChunk> chunks, const WriteDone& done);
  WriteOutcome Take(std::span<const StoredChunk> chunks);
  void Took(WriteOutcome outcome, const WriteDone& done);
  WriteOutcome Spill();
  void CommitBlob(Slice metadata, uint32_t expires, WriteDone done);
  void CommitPacked(Slice metadata, uint32_t expires, WriteDone done);
  LogItem PackedItem(Slice metadata, uint32_t expires);
  LogItem BlobItem(Slice metadata, uint32_t expires);

  const std::shared_ptr<FileStore> store_;
  const std::vector<uint8_t> key_;
  const Hash128 hash_;
  const std::shared_ptr<Fence> fence_;

  std::mutex mutex_;
  // Guarded by mutex_, down to abort_wanted_.
  bool over_ = false;
  bool busy_ = false;
  bool abort_wanted_ = false;

  std::vector<ChunkEntry> chunks_;
  std::vector<uint8_t> data_;
  std::unique_ptr<BlobWriter> blob_;
  uint64_t size_ = 0;
  bool short_chunk_ = false;
  std::atomic<uint64_t> charge_{0};
};

}  // namespace drey::file
