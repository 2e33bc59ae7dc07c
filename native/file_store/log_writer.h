#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/status.h"
#include "file_store/disk_index.h"
#include "file_store/disk_ledger.h"
#include "file_store/format/context.h"
#include "file_store/format/record.h"
#include "file_store/format/segment_header.h"
#include "file_store/segments.h"
#include "io/folder.h"

namespace drey::file {

// Of a draft: whether something came that it may not be committed over (D11).
class Fence {
 public:
  bool fenced() const noexcept { return fenced_.load(std::memory_order_acquire); }

 private:
  friend class LogWriter;

  uint64_t identity_ = 0;
  std::atomic<bool> fenced_{false};
};

// A record that is to be appended.
struct LogItem {
  enum class Kind : uint8_t {
    kPut,
    kDelete,
    kClear,
    // Of a put or a delete: it keeps its sequence, and `from` says where it is.
    kCopy,
    // A put that takes the place of the one of `sequence`, wherever that is by now, and of no
    // other.
    kRevise,
    // A delete of what the index has forgotten already; not if it has something again.
    kForget,
    kEnd
  };

  Kind kind = Kind::kPut;
  // The head as record.h makes it, then the data, each padded.
  std::vector<uint8_t> bytes;
  // What the index is to have of a put.
  uint64_t identity = 0;
  uint32_t expires = 0;
  uint32_t blob_units = 0;
  uint32_t policy = 0;
  // Of a copy, and of what is revised.
  uint64_t sequence = 0;
  // Of a copy.
  Position from{};
};

struct LogOutcome {
  enum class Kind : uint8_t {
    kDone,
    // Of a draft that something else came before.
    kFenced,
    // Of a copy: there is something newer, or it is gone.
    kSuperseded,
    // `status` says why.
    kFailed
  };
  Kind kind = Kind::kDone;
  Status status;
  // Of the last record.
  uint64_t sequence = 0;
  // Where the log ends behind it.
  Position end;
  // Of a delete: whether there was an entry.
  bool existed = false;
};

// What becomes of drafts of a key that is deleted.
enum class Drafts : uint8_t {
  // They are older, and may not be committed.
  kFenced,
  // They are newer: only what was there is to go.
  kSpared
};

// What is to be done at once, one after the other without anything in between. More than one item
// is a batch: all of it is there after a crash, or none. Without items it is a barrier: it is done
// when all before it is.
struct LogRequest {
  std::vector<LogItem> items;
  std::shared_ptr<Fence> fence;
  // Of the other drafts in a batch: one that is fenced fences them all.
  std::vector<std::shared_ptr<Fence>> more_fences;
  // Of those that its deletes name.
  Drafts drafts = Drafts::kFenced;
  // Begin another segment first.
  bool roll = false;
  // Called once, without any lock: from the thread that writes or, of a draft that is fenced, from
  // the caller's.
  std::function<void(LogOutcome&)> done;
  // Set by the writer: a copy that is not to be made any more.
  bool superseded = false;
};

// What a log is for.
class LogHost {
 public:
  virtual ~LogHost() = default;

  // The record is in the log: what was said of it holds from here on. One at a time, in the order
  // of the log. Says whether there was an entry that it took the place of.
  virtual bool Apply(const LogItem& item, uint64_t sequence, Position position,
                     uint32_t length) = 0;
  // Its delete could not be written: the key is to be unreadable all the same.
  virtual void Hide(const LogItem& item) = 0;
  // Whether the record there is that of the index.
  virtual bool IsCurrent(uint64_t identity, Position position) = 0;
  // Frees bytes of the ledger by eviction, without writing to the log. False when nothing can go.
  virtual bool MakeRoom(uint64_t bytes, uint64_t entries) = 0;
  // Whether the file system has so much to give (minFree).
  virtual bool MayGrow(uint64_t bytes) = 0;
  // Nobody looks at its records any more.
  virtual void Release(LogRequest& request) = 0;
  // Begins Drain on a thread that may wait for the disk.
  virtual void ScheduleDrain() = 0;
};

struct LogSettings {
  uint64_t segment_bytes = 0;
  Durability durability = Durability::kProcess;
  Bytes16 boot_id{};
};

// The one who writes the log: gives records their places, in one order, and tells when they are
// there.
//
// Invariants:
//  - One thread at a time is in Drain, whichever it is: `draining_` says so, and what has no other
//  guard belongs to that thread.
//  - Records have sequences in the order of their places, but for copies, which keep theirs; a copy
//  is given its place only while the index still has what it copies, and nothing newer of the same
//  key is among the records that go out with it (F4).
//  - The host hears of a record after its bytes were written, and with durability `power` synced;
//  so nobody sees what a failed write took back.
//  - After a failed write or sync nothing is appended to that segment any more.
//  - A delete hides its key from Enqueue on (D3).
class LogWriter {
 public:
  // What goes out in one write, unless a single request is larger.
  static constexpr uint64_t kMostGroup = 4 * 1024 * 1024;
  // So much does not wait for a kick: it is written while more is gathered.
  static constexpr uint64_t kEnough = 256 * 1024;
  // What a file takes beside its bytes, at most: maps of its extents.
  static constexpr uint64_t kFileSlack = 4096;

  LogWriter(const Folder& folder, const Context& context, const LogSettings& settings,
            DiskLedger& ledger, DiskIndex& index, Segments& segments, LogHost& host) noexcept;
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Before anything else: where the log goes on. With a `doubt`, every segment begins with a record
  // of it, so that it never has to be copied forward before a segment goes.
  void Begin(uint64_t next_segment, uint64_t next_sequence, uint64_t doubt) noexcept;

  // Whether whoever enqueues says when enough has come: then Kick has to follow, soon.
  enum class When : uint8_t { kNow, kAtKick };
  // From any thread.
  void Enqueue(std::unique_ptr<LogRequest> request, When when = When::kNow);
  // Has written what waits for it.
  void Kick();
  // To be called by whom ScheduleDrain made to.
  void Drain();

  // Whether a delete of the key, or a clear, is under way.
  bool Hidden(uint64_t identity) noexcept {
    return hiding_.load(std::memory_order_acquire) != 0 && IsHidden(identity);
  }
  // A draft of `identity` begins.
  std::shared_ptr<Fence> BeginDraft(uint64_t identity);
  // It was given up.
  void EndDraft(const std::shared_ptr<Fence>& fence);

  uint64_t TakeSequence() noexcept { return next_sequence_.fetch_add(1); }
  uint64_t next_sequence() const noexcept { return next_sequence_.load(); }
  // The number of the segment that is appended to; 0 when none is.
  uint64_t active() const noexcept { return active_number_.load(std::memory_order_acquire); }
  // After the last Drain has ended, and nothing will be enqueued any more.
  Status CloseActive();
  uint64_t bytes_written() const noexcept { return bytes_written_.load(); }
  uint64_t bytes_copied() const noexcept { return bytes_copied_.load(); }
  uint64_t failures() const noexcept { return failures_.load(); }

 private:
  using Group = std::vector<std::unique_ptr<LogRequest>>;
  // What is written at once: requests of a group that fit in the segment.
  struct Run;

  Group TakeGroup();
  void WriteGroup(Group& group);
  // Puts requests from `at` on into the run, as far as there is room; returns where it stopped.
  size_t Compose(Group& group, size_t at, Run& run);
  bool Place(LogRequest& request, Run& run);
  bool Superseded(const LogItem& item, const Run& run);
  void Promise(const Run& run);
  Status WriteRun(const Run& run);
  void Settle(Group& group, const Run& run, Status status);
  void Finish(LogRequest& request, LogOutcome outcome);
  void Refuse(LogRequest& request, const Status& status);

  Status BeginSegment();
  Status TryBeginSegment();
  // Ends the active one at the end of what was written well.
  void Seal(bool failed);

  bool IsHidden(uint64_t identity);
  void HideLocked(const LogRequest& request);
  void Unhide(const LogRequest& request);
  void FenceLocked(const LogRequest& request);
  void EndDraftLocked(const std::shared_ptr<Fence>& fence);

  const Folder& folder_;
  const Context& context_;
  const LogSettings settings_;
  DiskLedger& ledger_;
  DiskIndex& index_;
  Segments& segments_;
  LogHost& host_;

  std::mutex mutex_;
  // Guarded by mutex_, down to next_sequence_.
  std::deque<std::unique_ptr<LogRequest>> queue_;
  // Of what is queued.
  uint64_t queued_bytes_ = 0;
  bool draining_ = false;
  // Its end is on its way, or written: nothing may follow.
  bool ended_ = false;
  std::unordered_multimap<uint64_t, std::shared_ptr<Fence>> drafts_;
  std::unordered_map<uint64_t, uint32_t> hidden_;
  uint32_t hidden_clears_ = 0;
  // Of hidden_ and hidden_clears_ together: what readers look at first.
  std::atomic<uint32_t> hiding_{0};

  std::atomic<uint64_t> next_sequence_{1};
  std::atomic<uint64_t> active_number_{0};
  std::atomic<uint64_t> bytes_written_{0};
  std::atomic<uint64_t> bytes_copied_{0};
  std::atomic<uint64_t> failures_{0};

  // The draining thread's.
  File file_;
  Segments::Handle active_;
  uint64_t next_segment_ = 1;
  // This owner has begun one, which a loss of power does not take.
  bool known_ = false;
  uint64_t doubt_ = 0;
  // Where records begin in the active segment, and end.
  uint64_t start_ = 0;
  uint64_t end_ = 0;
  // Before it, all of the log is synced; UINT64_MAX when that is not known.
  uint64_t synced_ = UINT64_MAX;
};

}  // namespace drey::file
