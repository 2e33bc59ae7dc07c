#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "file_store/file_store.h"

namespace drey::file {

// How an open store gets other options. What its directory, its log or a draft under way was begun
// with stays: segments, chunks, the pack limit and partitions.

FileTuning FileStore::tuning() const noexcept {
  return {.max_bytes = ledger_.goal(),
          .max_index_bytes = index_->max_bytes(),
          .max_item_bytes = max_item_bytes_,
          .min_free_bytes = min_free_bytes_,
          .min_free_share = min_free_share_,
          .policy = turns_.kind(),
          .durability = durability_,
          .open_files = open_files_,
          .reclaim_rate = reclaim_rate_};
}

Status FileStore::CheckTuning(const FileTuning& wanted) const {
  const auto wrong = [](const char* option, uint64_t given, const std::string& allowed) {
    return Status::InvalidArgument(std::string(option) + ": got " + std::to_string(given) +
                                   "; want " + allowed);
  };
  if (wanted.max_bytes / 8 < options_.segment_bytes) {
    return wrong("maxBytes", wanted.max_bytes,
                 "at least 8 segments of " + std::to_string(options_.segment_bytes) + " bytes");
  }
  constexpr uint64_t kLeastIndex = uint64_t{4} * 1024 * 1024;
  if (wanted.max_index_bytes < kLeastIndex || wanted.max_index_bytes > index_->ceiling()) {
    return wrong("maxIndexBytes", wanted.max_index_bytes,
                 "from " + std::to_string(kLeastIndex) + " to " +
                     std::to_string(index_->ceiling()) +
                     ", for which addresses were taken when the directory was opened");
  }
  return {};
}

Status FileStore::Tune(const FileTuning& wanted) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return Status::Failed(Status::Code::kClosed, "the file store is closed");
    under_way_ += 1;
  }
  Status tuned = TuneOpen(wanted);
  Ended();
  return tuned;
}

Status FileStore::TuneOpen(const FileTuning& wanted) {
  const std::lock_guard tuning(tuning_);
  if (Status checked = CheckTuning(wanted); !checked.ok()) return checked;
  // All that may fail comes first.
  if (Status durable = SetDurability(wanted.durability); !durable.ok()) return durable;
  max_item_bytes_ = std::min(wanted.max_item_bytes, kMostValue);
  min_free_bytes_ = wanted.min_free_bytes;
  min_free_share_ = wanted.min_free_share;
  open_files_ = wanted.open_files;
  files_.SetMost(wanted.open_files);
  if (reclaim_rate_ != wanted.reclaim_rate) pace_.SetLeast(wanted.reclaim_rate);
  reclaim_rate_ = wanted.reclaim_rate;
  TakeTurns(wanted.policy);
  index_->SetMax(wanted.max_index_bytes);
  if (ledger_.goal() != wanted.max_bytes) {
    constexpr uint64_t kLeastImage = uint64_t{16} * 1024 * 1024;
    image_every_ = std::max(wanted.max_bytes / 8, kLeastImage);
    ledger_.SetGoal(wanted.max_bytes, wanted.max_bytes / 64);
  }
  if (IsFull()) WantReclaim();
  return {};
}

Status FileStore::SetDurability(Durability durability) {
  if (durability == durability_) return {};
  const bool power = durability == Durability::kPower;
  // So that the writer, who does it again, has little left to wait for.
  if (power) {
    if (Status synced = SyncSegments(0); !synced.ok()) return synced;
    if (Status tagged = tags_->Sync(); !tagged.ok()) return tagged;
  }
  auto request = std::make_unique<LogRequest>();
  request->roll = true;
  request->durability = durability;
  LogOutcome outcome;
  if (Status rolled = Await(std::move(request), &outcome); !rolled.ok()) return rolled;
  tags_->SetSynced(power);
  retuned_ = true;
  durability_ = durability;
  return {};
}

// States that are read meanwhile are hints of the one policy to the other: who comes too early or
// too late for it loses a turn at most.
void FileStore::TakeTurns(TurnKind kind) {
  if (kind == turns_.kind()) return;
  const uint64_t clock = clock_ >> 10;
  const uint32_t middle = MiddleOf();
  const Turns before(turns_.kind());
  turns_.Become(kind);
  for (size_t shard = 0; shard < DiskIndex::kShards; shard++) {
    index_->Reconsider(shard,
                       [&](uint32_t state) { return turns_.Taken(state, before, clock, middle); });
  }
}

}  // namespace drey::file
