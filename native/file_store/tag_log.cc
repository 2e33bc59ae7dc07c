#include "file_store/tag_log.h"

#include <algorithm>
#include <utility>

#include "file_store/format/limits.h"
#include "file_store/format/names.h"
#include "file_store/format/tags.h"
#include "file_store/record_io.h"

namespace drey::file {
namespace {

// A file has room for as much again as all floors take.
uint64_t FileBytes(uint64_t max_bytes) noexcept {
  return InUnits(std::clamp<uint64_t>(max_bytes / 128, 64 * 1024, 1024 * 1024));
}

}  // namespace

void TagLog::SetSynced(bool synced) noexcept {
  const std::lock_guard writing(writing_);
  settings_.synced = synced;
}

TagLog::TagLog(const Folder& log, const Context& context, const Settings& settings,
               DiskLedger& ledger, Reserve reserve) noexcept
    : log_(log),
      context_(context),
      settings_(settings),
      most_(FileBytes(settings.max_bytes)),
      ledger_(ledger),
      reserve_(std::move(reserve)),
      floors_(most_ / 2 - kUnit, kTagFloorBytes) {}

// With the map of its extents.
uint64_t TagLog::FileAllowance() const noexcept { return most_ + 2 * kUnit; }

uint64_t TagLog::Allowance() const noexcept { return kMostFiles * FileAllowance(); }

Status TagLog::Open(bool clean) noexcept {
  const std::lock_guard writing(writing_);
  Status listed = log_.List([&](const Listed& entry) {
    if (const auto number = ParseTagsName(entry.name)) old_.push_back(*number);
    return true;
  });
  if (!listed.ok()) return listed;
  std::sort(old_.begin(), old_.end());
  if (!old_.empty()) {
    next_number_ = old_.back() + 1;
    ledger_.Charge(Allowance());
    reserved_ = true;
    most_files_ = std::max<uint64_t>(kMostFiles, old_.size() + 1);
  }
  uint64_t taken = 0;
  for (const uint64_t number : old_) {
    if (Status read = Read(number, clean, &taken); !read.ok()) return read;
  }
  // Of an owner with other bounds, or of several that died replacing, until they are gone.
  taken += FileAllowance();
  const uint64_t more = taken > Allowance() ? taken - Allowance() : 0;
  ledger_.Charge(more);
  {
    const std::lock_guard lock(mutex_);
    kept_ = floors_.sequence();
    if (lost_ || damaged_bytes_ > 0) floors_.RaiseAll();
    Changed();
    if (old_.empty()) return {};
  }
  // Nothing is appended behind an end that somebody else left. What cannot be written now is with
  // the next invalidation; until then nothing new counts as younger than what is not kept.
  if (KeepLocked().ok() && old_.empty() && gone_.empty()) {
    ledger_.Give(more);
    most_files_ = kMostFiles;
  }
  return {};
}

Status TagLog::Read(uint64_t number, bool clean, uint64_t* taken) noexcept {
  Result<File> opened = log_.OpenFile(TagsName(number), Env::Access::kRead);
  if (!opened.ok()) return opened.TakeStatus();
  const File file = opened.Take();
  const Result<NodeInfo> info = file.Stat();
  if (!info.ok()) return CopyOf(info.status());
  *taken += info.value().allocated;
  std::vector<uint8_t> bytes(std::min(info.value().size, kMostTagsFile));
  Result<uint64_t> read = file.ReadUpTo(0, bytes);
  if (!read.ok()) return read.TakeStatus();
  const Slice there = Slice(bytes).first(read.value());
  const std::lock_guard lock(mutex_);
  for (uint64_t at = 0;;) {
    const TagsFrame frame = ParseTags(there, context_, number, at);
    if (frame.kind == TagsFrame::Kind::kEnd && info.value().size <= kMostTagsFile) return {};
    if (frame.kind != TagsFrame::Kind::kWhole) {
      // What was being written when the owner died was told to nobody.
      const bool torn = frame.kind == TagsFrame::Kind::kTorn && !clean;
      if (!torn) damaged_bytes_ += std::max<uint64_t>(info.value().size - at, 1);
      return {};
    }
    floors_.Join(frame.floors, frame.head.sequence);
    const bool same = frame.head.boot_id == settings_.boot_id && settings_.boot_id != Bytes16{};
    lost_ = frame.head.open && !same;
    at += frame.bytes;
  }
}

void TagLog::Invalidate(std::span<const TagFloor> given, uint64_t least) {
  const std::lock_guard lock(mutex_);
  floors_.Invalidate(given, least);
  Changed();
}

void TagLog::Join(std::span<const TagFloor> given, uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  floors_.Join(given, sequence);
  Changed();
}

void TagLog::Changed() {
  sequence_.store(floors_.sequence(), std::memory_order_release);
  version_.store(floors_.version(), std::memory_order_release);
}

std::vector<TagFloor> TagLog::Since(uint64_t version) const {
  const std::lock_guard lock(mutex_);
  return floors_.Since(version);
}

Status TagLog::Keep() noexcept {
  const std::lock_guard writing(writing_);
  return KeepLocked();
}

Status TagLog::Sync() noexcept {
  const std::lock_guard writing(writing_);
  Status kept = KeepLocked();
  if (!kept.ok() || !file_.is_open() || !open_) return kept;
  return Append({}, kept_, false);
}

Status TagLog::KeepLocked() {
  uint64_t version = 0;
  uint64_t sequence = 0;
  std::vector<TagFloor> floors;
  const auto take = [&](uint64_t since) {
    const std::lock_guard lock(mutex_);
    version = floors_.version();
    sequence = floors_.sequence();
    floors = floors_.Since(since);
  };
  take(kept_version_);
  if (version == kept_version_) return {};
  Status kept;
  if (file_.is_open() && end_ + TagsFrameBytes(floors) <= most_) {
    kept = Append(floors, sequence, !settings_.synced);
  } else {
    take(0);
    kept = Rewrite(floors, sequence);
  }
  if (!kept.ok()) return kept;
  kept_version_ = version;
  kept_.store(sequence, std::memory_order_release);
  return {};
}

Status TagLog::Append(std::span<const TagFloor> floors, uint64_t sequence, bool open) {
  std::vector<uint8_t> frame;
  const TagsHead head{.sequence = sequence, .open = open, .boot_id = settings_.boot_id};
  EncodeTags(floors, head, context_, number_, end_, frame);
  Status written = file_.WriteFull(end_, frame);
  if (written.ok() && !(open && open_)) written = file_.SyncData();
  if (written.ok()) {
    end_ += frame.size();
    open_ = open;
    return {};
  }
  // Nobody knows how it ends now: nothing is appended behind it.
  file_ = File();
  old_.push_back(number_);
  return written;
}

Status TagLog::Rewrite(std::span<const TagFloor> all, uint64_t sequence) {
  if (!reserved_) {
    if (!reserve_(Allowance())) {
      return Status::Failed(Status::Code::kNoSpace, "no room for what was invalidated by tag");
    }
    reserved_ = true;
  }
  if (file_.is_open()) {
    file_ = File();
    old_.push_back(number_);
  }
  RemoveGone();
  if (old_.size() + gone_.size() >= most_files_) {
    return Status::Failed(Status::Code::kIo, "files of tags that were replaced cannot be removed");
  }
  const uint64_t number = next_number_++;
  const std::string name = TagsName(number);
  Result<File> made = log_.OpenFile(name, Env::Access::kCreate);
  if (!made.ok()) return made.TakeStatus();
  File file = made.Take();
  std::vector<uint8_t> frame;
  const TagsHead head{.sequence = sequence, .open = false, .boot_id = settings_.boot_id};
  EncodeTags(all, head, context_, number, 0, frame);
  Status written = file.WriteFull(0, frame);
  // Whatever was promised: what it replaces is removed.
  if (written.ok()) written = file.SyncData();
  if (written.ok()) written = log_.Sync();
  if (!written.ok()) {
    static_cast<void>(file.Close().ok());
    if (!log_.Unlink(name).ok()) gone_.push_back(number);
    return written;
  }
  file_ = std::move(file);
  number_ = number;
  end_ = frame.size();
  open_ = false;
  gone_.insert(gone_.end(), old_.begin(), old_.end());
  old_.clear();
  RemoveGone();
  return {};
}

void TagLog::RemoveGone() {
  // What cannot be removed says nothing that the new one does not say.
  std::erase_if(gone_, [&](uint64_t number) { return log_.Unlink(TagsName(number)).ok(); });
}

}  // namespace drey::file
