#include "file_store/log_writer.h"

#include <string>
#include <unordered_set>
#include <utility>

#include "file_store/format/names.h"

namespace drey::file {

struct LogWriter::Run {
  struct Placed {
    LogRequest* request;
    const LogItem* item;
    uint64_t sequence;
    Position position;
    uint32_t length;
  };

  // Of the requests in it, as places in the group.
  size_t first = 0;
  size_t last = 0;
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t copied = 0;
  std::vector<Slice> slices;
  std::vector<Placed> placed;
  // Ends of batches.
  std::deque<std::vector<uint8_t>> made;
  // Keys that something newer is said of in this run, which the index does not know yet; kept only
  // where something in the run asks for them.
  std::unordered_set<uint64_t> changed;
  bool asked = false;
  bool clears = false;
};

namespace {

uint64_t LengthOf(const LogRequest& request) noexcept {
  uint64_t length = 0;
  for (const LogItem& item : request.items) length += item.bytes.size();
  return request.items.size() > 1 ? length + Padded(kRecordHeadBytes + 8) : length;
}

// Whether what becomes of some request depends on what others in its run say of its key.
bool AnyAsks(const std::vector<std::unique_ptr<LogRequest>>& group, size_t from) noexcept {
  for (size_t at = from; at < group.size(); at++) {
    for (const LogItem& item : group[at]->items) {
      using Kind = LogItem::Kind;
      if (item.kind == Kind::kCopy || item.kind == Kind::kRevise || item.kind == Kind::kForget) {
        return true;
      }
    }
  }
  return false;
}

uint64_t EntriesOf(const std::vector<std::unique_ptr<LogRequest>>& group, size_t from) noexcept {
  uint64_t entries = 0;
  for (size_t at = from; at < group.size(); at++) entries += group[at]->items.size();
  return entries;
}

bool IsPut(const LogItem& item) noexcept {
  return item.bytes[6] == static_cast<uint8_t>(RecordKind::kPut);
}

Status NoSpace(const DiskLedger& ledger, uint64_t bytes) {
  return Status::Failed(Status::Code::kNoSpace,
                        std::to_string(bytes) + " bytes do not fit: the store has taken " +
                            std::to_string(ledger.used()) + " of " + std::to_string(ledger.max()) +
                            " and nothing can be evicted; raise maxBytes");
}

}  // namespace

LogWriter::LogWriter(const Folder& folder, const Context& context, const LogSettings& settings,
                     DiskLedger& ledger, DiskIndex& index, Segments& segments,
                     LogHost& host) noexcept
    : folder_(folder),
      context_(context),
      settings_(settings),
      ledger_(ledger),
      index_(index),
      segments_(segments),
      host_(host) {}

void LogWriter::Begin(uint64_t next_segment, uint64_t next_sequence, uint64_t doubt) noexcept {
  doubt_ = doubt;
  next_segment_ = next_segment;
  next_sequence_ = next_sequence;
}

void LogWriter::Enqueue(std::unique_ptr<LogRequest> request, When when) {
  bool schedule = false;
  bool closed = false;
  {
    const std::lock_guard lock(mutex_);
    bool fenced = request->fence != nullptr && request->fence->fenced();
    if (request->fence != nullptr) EndDraftLocked(request->fence);
    for (const std::shared_ptr<Fence>& fence : request->more_fences) {
      EndDraftLocked(fence);
      fenced = fenced || fence->fenced();
    }
    closed = ended_;
    if (!closed && !fenced) {
      ended_ = !request->items.empty() && request->items.back().kind == LogItem::Kind::kEnd;
      FenceLocked(*request);
      HideLocked(*request);
      queued_bytes_ += LengthOf(*request);
      queue_.push_back(std::move(request));
      // A barrier, a delete and what is shared by threads wait for nobody's turn to end.
      if (when == When::kNow || queued_bytes_ >= kEnough) {
        schedule = !std::exchange(draining_, true);
      }
    }
  }
  if (closed) {
    Finish(*request, {.kind = LogOutcome::Kind::kFailed,
                      .status = Status::Failed(Status::Code::kClosed, "the file store is closed"),
                      .end = {}});
  } else if (request != nullptr) {
    Finish(*request, {.kind = LogOutcome::Kind::kFenced, .status = {}, .end = {}});
  } else if (schedule) {
    host_.ScheduleDrain();
  }
}

void LogWriter::Kick() {
  bool schedule = false;
  {
    const std::lock_guard lock(mutex_);
    schedule = !queue_.empty() && !std::exchange(draining_, true);
  }
  if (schedule) host_.ScheduleDrain();
}

void LogWriter::Drain() {
  for (Group group = TakeGroup(); !group.empty(); group = TakeGroup()) WriteGroup(group);
}

LogWriter::Group LogWriter::TakeGroup() {
  const std::lock_guard lock(mutex_);
  Group group;
  uint64_t bytes = 0;
  while (!queue_.empty() && bytes < kMostGroup) {
    bytes += LengthOf(*queue_.front());
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_ -= bytes;
  // From here on somebody else may begin.
  if (group.empty()) draining_ = false;
  return group;
}

void LogWriter::WriteGroup(Group& group) {
  bool retried = false;
  size_t at = 0;
  while (at < group.size()) {
    Status begun;
    const bool wanted = !group[at]->items.empty();
    if (group[at]->roll && active_ != nullptr && end_ > start_) Seal(false);
    if (active_ == nullptr && (wanted || group[at]->roll)) begun = BeginSegment();
    if (!begun.ok()) {
      Refuse(*group[at++], begun);
      continue;
    }
    const uint64_t entries = EntriesOf(group, at);
    if (!index_.HasRoomFor(entries)) host_.MakeRoom(0, entries);
    Run run;
    run.first = at;
    run.asked = AnyAsks(group, at);
    run.slices.reserve(entries + 1);
    run.placed.reserve(entries);
    run.last = Compose(group, at, run);
    if (run.last == at) {
      // It did not fit behind the others.
      if (end_ > start_) {
        Seal(false);
      } else {
        LogRequest& large = *group[at++];
        Refuse(large,
               Status::InvalidArgument("a record or batch of " + std::to_string(LengthOf(large)) +
                                       " bytes is longer than a segment; raise "
                                       "segmentBytes"));
      }
      continue;
    }
    if (settings_.durability == Durability::kNone) Promise(run);
    Status written = WriteRun(run);
    if (!written.ok()) {
      failures_ += 1;
      Seal(true);
      if (written.code() == Status::Code::kNoSpace && !std::exchange(retried, true) &&
          host_.MakeRoom(settings_.segment_bytes, 0)) {
        continue;
      }
    }
    Settle(group, run, std::move(written));
    at = run.last;
  }
}

size_t LogWriter::Compose(Group& group, size_t at, Run& run) {
  run.start = run.end = end_;
  for (; at < group.size(); at++) {
    LogRequest& request = *group[at];
    if (request.roll && at != run.first) break;
    if (active_ == nullptr) {
      // A barrier needs none.
      if (!request.items.empty()) break;
      continue;
    }
    if (run.end + LengthOf(request) > settings_.segment_bytes) break;
    request.superseded = !Place(request, run);
  }
  return at;
}

bool LogWriter::Superseded(const LogItem& item, const Run& run) {
  const bool copy = item.kind == LogItem::Kind::kCopy && IsPut(item);
  if (item.kind == LogItem::Kind::kForget) {
    return run.changed.contains(item.identity) || index_.Find(item.identity).has_value();
  }
  if (item.kind == LogItem::Kind::kRevise) {
    if (run.clears || run.changed.contains(item.identity)) return true;
    const std::optional<IndexEntry> entry = index_.Find(item.identity);
    return !entry || entry->sequence != item.sequence;
  }
  if (!copy) return false;
  return run.clears || run.changed.contains(item.identity) ||
         !host_.IsCurrent(item.identity, item.from);
}

// False when a copy is not to be made any more; Settle says so to who asked.
bool LogWriter::Place(LogRequest& request, Run& run) {
  for (const LogItem& item : request.items) {
    if (Superseded(item, run)) return false;
  }
  const bool batch = request.items.size() > 1;
  uint32_t checksums = 0;
  const auto seal = [&](std::vector<uint8_t>& bytes, uint64_t sequence, uint8_t flags) {
    const Position position{active_->number, run.end};
    const uint64_t behind = synced_ == UINT64_MAX ? UINT64_MAX : (run.end - synced_) / kAlignment;
    const uint32_t unsynced =
        behind < kUnsyncedUnknown ? static_cast<uint32_t>(behind) : kUnsyncedUnknown;
    const uint32_t checksum = SealHead(
        bytes, context_,
        {.position = position, .sequence = sequence, .flags = flags, .unsynced = unsynced});
    run.slices.push_back(bytes);
    run.end += bytes.size();
    const uint8_t raw[4] = {static_cast<uint8_t>(checksum), static_cast<uint8_t>(checksum >> 8),
                            static_cast<uint8_t>(checksum >> 16),
                            static_cast<uint8_t>(checksum >> 24)};
    checksums = Checksum(raw, checksums);
    return position;
  };
  for (LogItem& item : request.items) {
    const bool copy = item.kind == LogItem::Kind::kCopy;
    const uint64_t sequence = copy ? item.sequence : TakeSequence();
    const uint8_t flags = copy ? kFlagCopied : batch ? kFlagMember : 0;
    const Position position = seal(item.bytes, sequence, flags);
    run.placed.push_back(
        {&request, &item, sequence, position, static_cast<uint32_t>(item.bytes.size())});
    if (copy) run.copied += item.bytes.size();
    run.clears = run.clears || item.kind == LogItem::Kind::kClear;
    if (run.asked && !copy && item.kind != LogItem::Kind::kForget) {
      run.changed.insert(item.identity);
    }
  }
  if (batch) {
    std::vector<uint8_t>& made =
        run.made.emplace_back(MakeBatchEnd(static_cast<uint32_t>(request.items.size()), checksums));
    seal(made, TakeSequence(), 0);
  }
  return true;
}

// They have their places: that is all that was promised (D4).
void LogWriter::Promise(const Run& run) {
  for (size_t at = 0; at < run.placed.size(); at++) {
    const Run::Placed& each = run.placed[at];
    if (at + 1 < run.placed.size() && run.placed[at + 1].request == each.request) continue;
    // Who has a blob, or removes what was copied, or closes, has to hear what became of it.
    const LogItem::Kind kind = each.item->kind;
    if (each.item->blob_units != 0 || kind == LogItem::Kind::kCopy || kind == LogItem::Kind::kEnd) {
      continue;
    }
    Finish(*each.request, {.kind = LogOutcome::Kind::kDone,
                           .status = {},
                           .sequence = each.sequence,
                           .end = {active_->number, run.end},
                           .existed = index_.Find(each.item->identity).has_value()});
  }
}

Status LogWriter::WriteRun(const Run& run) {
  if (run.slices.empty()) return {};
  Status written = file_.WriteFull(run.start, run.slices);
  if (!written.ok()) return written;
  if (settings_.durability == Durability::kPower) {
    Status synced = file_.SyncData();
    if (!synced.ok()) return synced;
    synced_ = run.end;
  }
  end_ = run.end;
  active_->end.store(end_, std::memory_order_release);
  bytes_written_ += run.end - run.start;
  bytes_copied_ += run.copied;
  return {};
}

void LogWriter::Settle(Group& group, const Run& run, Status status) {
  const Position end{active_ == nullptr ? 0 : active_->number, end_};
  std::vector<LogOutcome> outcomes(run.last - run.first);
  size_t placed = 0;
  for (size_t at = run.first; at < run.last; at++) {
    LogRequest& request = *group[at];
    LogOutcome& outcome = outcomes[at - run.first];
    outcome.end = end;
    if (request.superseded) continue;
    const bool failed = !status.ok() && !request.items.empty();
    for (; placed < run.placed.size() && run.placed[placed].request == &request; placed++) {
      const Run::Placed& each = run.placed[placed];
      if (failed) continue;
      outcome.existed =
          host_.Apply(*each.item, each.sequence, each.position, each.length) || outcome.existed;
      outcome.sequence = each.sequence;
    }
    if (!failed) Unhide(request);
  }
  // All of them are there before the first is told: whoever is woken by it finds the others told,
  // too, mostly, and is woken once.
  for (size_t at = run.first; at < run.last; at++) {
    LogRequest& request = *group[at];
    LogOutcome& outcome = outcomes[at - run.first];
    if (request.superseded) outcome.kind = LogOutcome::Kind::kSuperseded;
    if (!request.superseded && !status.ok() && !request.items.empty()) {
      Refuse(request, status);
    } else {
      Finish(request, std::move(outcome));
    }
    host_.Release(request);
  }
}

void LogWriter::Finish(LogRequest& request, LogOutcome outcome) {
  if (request.done) std::exchange(request.done, nullptr)(outcome);
}

void LogWriter::Refuse(LogRequest& request, const Status& status) {
  for (const LogItem& item : request.items) {
    if (item.kind == LogItem::Kind::kDelete || item.kind == LogItem::Kind::kClear) {
      host_.Hide(item);
    }
  }
  Unhide(request);
  Finish(request, {.kind = LogOutcome::Kind::kFailed,
                   .status = Status::Failed(status.code(), status.message(), status.error()),
                   .end = {}});
}

Status LogWriter::BeginSegment() {
  Status begun = TryBeginSegment();
  if (begun.code() != Status::Code::kNoSpace) return begun;
  if (!host_.MakeRoom(settings_.segment_bytes + kFileSlack, 0)) return begun;
  return TryBeginSegment();
}

Status LogWriter::TryBeginSegment() {
  const uint64_t charge = InUnits(settings_.segment_bytes) + kFileSlack;
  // A segment has fewer records than that.
  constexpr uint64_t kAhead = uint64_t{1} << 32;
  if (next_segment_ >= UINT32_MAX || next_sequence() > kMostSequence - kAhead) {
    return Status::Failed(Status::Code::kFormat,
                          "the log has used up its numbers: begin a new directory");
  }
  if (!ledger_.Take(charge, DiskLedger::Use::kLog)) return NoSpace(ledger_, charge);
  if (!host_.MayGrow(charge)) {
    ledger_.Give(charge);
    return Status::Failed(Status::Code::kNoSpace,
                          "the file system has less free than minFree keeps; free some of it");
  }
  const uint64_t number = next_segment_++;
  Result<File> made = folder_.OpenFile(SegmentName(number), Env::Access::kCreate);
  if (!made.ok()) {
    ledger_.Give(charge);
    return made.TakeStatus();
  }
  File file = made.Take();
  // First, for whoever makes room takes any segment that nobody appends to, and this one may be the
  // oldest as soon as it is known.
  active_number_.store(number, std::memory_order_release);
  // From here on there is something to be removed, now or by reclaim.
  const Segments::Handle segment = segments_.Add(number);
  segment->charge = charge;
  segment->end = kSegmentHeaderBytes;
  uint64_t end = kSegmentHeaderBytes;
  const auto prepare = [&]() -> Status {
    Result<bool> allocated = file.Allocate(0, settings_.segment_bytes, Env::Allocation::kExtend);
    if (!allocated.ok()) return allocated.TakeStatus();
    const Result<NodeInfo> info = file.Stat();
    if (info.ok() && info.value().allocated > charge) {
      ledger_.Charge(info.value().allocated - charge);
      segment->charge = info.value().allocated;
    }
    uint8_t header[kSegmentHeaderBytes];
    Encode(SegmentHeader{.number = number,
                         .oldest = segments_.Oldest()->number,
                         .next_sequence = next_sequence(),
                         .boot_id = settings_.boot_id,
                         .durability = settings_.durability,
                         .begun_at = static_cast<uint64_t>(folder_.env().EpochMilliseconds())},
           context_, header);
    std::vector<uint8_t> doubt;
    if (doubt_ > 0) {
      doubt = MakeBare(RecordKind::kDoubt);
      SealHead(
          doubt, context_,
          {.position = {number, kSegmentHeaderBytes}, .sequence = doubt_, .flags = kFlagCopied});
    }
    const Slice slices[] = {header, doubt};
    Status written = file.WriteFull(0, std::span(slices).first(doubt.empty() ? 1 : 2));
    end = kSegmentHeaderBytes + doubt.size();
    // The first one says that the log goes on behind a clean image: were all of it lost with the
    // power, so were its deletes, and nobody would doubt the image.
    const bool sync = settings_.durability == Durability::kPower || !known_;
    if (!written.ok() || !sync) return written;
    Status synced = file.SyncData();
    return synced.ok() ? folder_.Sync() : std::move(synced);
  };
  Status prepared = prepare();
  if (!prepared.ok()) {
    failures_ += 1;
    segment->sealed = true;
    static_cast<void>(file.Close().ok());
    // What cannot be removed stays known, and goes when it is the oldest.
    if (folder_.Unlink(SegmentName(number)).ok() && segments_.Remove(number)) {
      ledger_.Give(segment->charge);
    }
    active_number_.store(0, std::memory_order_release);
    return prepared;
  }
  known_ = true;
  file_ = std::move(file);
  active_ = segment;
  active_->end = end;
  start_ = end_ = end;
  synced_ = settings_.durability == Durability::kPower ? end_ : UINT64_MAX;
  return {};
}

void LogWriter::Seal(bool failed) {
  if (active_ == nullptr) return;
  // Behind the end is what was allocated ahead or, after a failure, part of what was refused.
  if (failed || end_ + kUnit <= settings_.segment_bytes) {
    const bool cut = file_.Truncate(end_).ok();
    const Result<NodeInfo> info = file_.Stat();
    const uint64_t charge = active_->charge;
    if (cut && info.ok() && info.value().allocated < charge) {
      ledger_.Give(charge - info.value().allocated);
      active_->charge = info.value().allocated;
    }
  }
  static_cast<void>(file_.Close().ok());
  active_->sealed = true;
  active_ = nullptr;
  active_number_.store(0, std::memory_order_release);
}

Status LogWriter::CloseActive() {
  if (active_ == nullptr) return {};
  Status synced;
  if (settings_.durability == Durability::kPower) synced = file_.SyncData();
  Seal(false);
  return synced;
}

std::shared_ptr<Fence> LogWriter::BeginDraft(uint64_t identity) {
  auto fence = std::make_shared<Fence>();
  fence->identity_ = identity;
  const std::lock_guard lock(mutex_);
  drafts_.emplace(identity, fence);
  return fence;
}

void LogWriter::EndDraft(const std::shared_ptr<Fence>& fence) {
  const std::lock_guard lock(mutex_);
  EndDraftLocked(fence);
}

void LogWriter::EndDraftLocked(const std::shared_ptr<Fence>& fence) {
  const auto [from, to] = drafts_.equal_range(fence->identity_);
  for (auto at = from; at != to; ++at) {
    if (at->second != fence) continue;
    drafts_.erase(at);
    return;
  }
}

void LogWriter::FenceLocked(const LogRequest& request) {
  if (drafts_.empty() || request.drafts == Drafts::kSpared) return;
  for (const LogItem& item : request.items) {
    if (item.kind == LogItem::Kind::kClear) {
      for (const auto& [identity, fence] : drafts_) fence->fenced_ = true;
    } else if (item.kind == LogItem::Kind::kDelete) {
      const auto [from, to] = drafts_.equal_range(item.identity);
      for (auto at = from; at != to; ++at) at->second->fenced_ = true;
    }
  }
}

bool LogWriter::IsHidden(uint64_t identity) {
  const std::lock_guard lock(mutex_);
  return hidden_clears_ > 0 || hidden_.contains(identity);
}

void LogWriter::HideLocked(const LogRequest& request) {
  for (const LogItem& item : request.items) {
    if (item.kind == LogItem::Kind::kClear) {
      hidden_clears_ += 1;
    } else if (item.kind == LogItem::Kind::kDelete) {
      hidden_[item.identity] += 1;
    } else {
      continue;
    }
    hiding_ += 1;
  }
}

void LogWriter::Unhide(const LogRequest& request) {
  for (const LogItem& item : request.items) {
    const bool clear = item.kind == LogItem::Kind::kClear;
    if (!clear && item.kind != LogItem::Kind::kDelete) continue;
    const std::lock_guard lock(mutex_);
    if (clear) {
      hidden_clears_ -= 1;
    } else if (const auto found = hidden_.find(item.identity); --found->second == 0) {
      hidden_.erase(found);
    }
    hiding_ -= 1;
  }
}

}  // namespace drey::file
