#include "memory_store/store.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

namespace drey {
namespace {

constexpr uint64_t kLeastBytes = 1024 * 1024;
// More than any processor has addresses for.
constexpr uint64_t kMostBytes = uint64_t{1} << 50;
constexpr uint64_t kBytesPerShard = 64 * 1024 * 1024;
constexpr uint32_t kMostShards = 16;
constexpr uint32_t kMostShardsAsked = 64;

uint32_t ShardsFor(const MemoryStoreOptions& options) noexcept {
  if (options.shards != 0) return options.shards;
  const uint64_t wanted = std::clamp<uint64_t>(options.max_bytes / kBytesPerShard, 1, kMostShards);
  return static_cast<uint32_t>(std::bit_floor(wanted));
}

}  // namespace

MemoryStore::MemoryStore(const MemoryStoreOptions& options)
    : commons_(options.system == nullptr ? PosixMemory() : *options.system, options.hash_key,
               options.clock, options.max_bytes),
      tags_(commons_.ledger, options.max_bytes),
      policy_(options.policy) {}

Result<std::shared_ptr<MemoryStore>> MemoryStore::Create(const MemoryStoreOptions& options) {
  if (options.max_bytes < kLeastBytes) {
    return Status::InvalidArgument("maxBytes: got " + std::to_string(options.max_bytes) +
                                   "; want at least " + std::to_string(kLeastBytes));
  }
  if (options.max_bytes > kMostBytes) {
    return Status::InvalidArgument("maxBytes: got " + std::to_string(options.max_bytes) +
                                   "; want at most " + std::to_string(kMostBytes));
  }
  if (options.max_item_bytes > options.max_bytes) {
    return Status::InvalidArgument("maxItemBytes: got " + std::to_string(options.max_item_bytes) +
                                   "; want at most maxBytes, " + std::to_string(options.max_bytes));
  }
  const uint32_t count = ShardsFor(options);
  if (!std::has_single_bit(count) || count > kMostShardsAsked) {
    return Status::InvalidArgument("shards: got " + std::to_string(options.shards) +
                                   "; want a power of two, at most " +
                                   std::to_string(kMostShardsAsked));
  }
  const uint64_t ceiling =
      options.ceiling == 0
          ? (options.system == nullptr ? PosixMemory() : *options.system).Physical()
          : options.ceiling;
  // Where addresses are few, those to grow into are done without.
  Status reserved;
  for (const uint64_t reach : {std::max(options.max_bytes, ceiling), options.max_bytes}) {
    std::shared_ptr<MemoryStore> store(new MemoryStore(options));
    reserved = store->Reserve(options, count, reach);
    if (reserved.ok()) return store;
  }
  return reserved;
}

Status MemoryStore::Reserve(const MemoryStoreOptions& options, uint32_t count, uint64_t ceiling) {
  commons_.max_item_bytes =
      options.max_item_bytes == 0 ? options.max_bytes / 8 : options.max_item_bytes;
  Status made =
      Arena::Create(commons_.system, commons_.ledger, options.max_bytes, ceiling, commons_.arena);
  if (!made.ok()) return made;
  shard_bits_ = static_cast<uint32_t>(std::countr_zero(count));
  // Twice a shard's part, because parts are never equal.
  const auto most = static_cast<uint32_t>(std::min<uint64_t>(
      std::max<uint64_t>(commons_.arena->ceiling() / SizeClasses::kSmallest / count * 2, 1024),
      PolicyNode::kNone));
  for (uint32_t at = 0; at < count; at++) {
    shards_.push_back(std::make_unique<Shard>(commons_));
    if (!shards_.back()->Open(most, options.policy, options.max_bytes / count)) {
      return Status::InvalidArgument(
          "maxBytes: the system has no addresses for the tables of " +
          std::to_string(options.max_bytes) +
          " bytes; want less, or a higher limit of virtual memory (ulimit -v)");
    }
  }
  return {};
}

MemoryStore::~MemoryStore() = default;

MemoryStore::Copied MemoryStore::GetCopy(Slice key, std::span<uint8_t> value,
                                         std::span<uint8_t> text, Head& head, bool peek) {
  const Hash128 hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  shard.Expect(hash);
  Body* body = nullptr;
  {
    const std::lock_guard lock(shard.mutex);
    const uint32_t handle = shard.FindToCopy(hash, key);
    if (handle == kNoHandle) return Copied::kMiss;
    const Entry entry = shard.At(handle);
    if (!peek) shard.Touch(handle);
    head = entry.head();
    if (head.size > value.size() || (!text.empty() && head.text_size() > text.size())) {
      return Copied::kTooLarge;
    }
    if (!text.empty() && head.text_size() > 0) {
      std::memcpy(text.data(), entry.text().data(), head.text_size());
    }
    body = entry.body();
    if (body == nullptr) {
      if (head.size > 0) std::memcpy(value.data(), entry.value(), head.size);
      return Copied::kDone;
    }
    shard.AddReader(body);
  }
  for (uint64_t at = 0; at < head.size;) {
    const Slice view = shard.ViewOf(*body, at, head.size);
    std::memcpy(value.data() + at, view.data(), view.size());
    at += view.size();
  }
  const std::lock_guard lock(shard.mutex);
  shard.DropReader(body);
  return Copied::kDone;
}

EntryRef MemoryStore::Find(Slice key, bool peek) {
  const Hash128 hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  shard.Expect(hash);
  EntryRef ref;
  const std::lock_guard lock(shard.mutex);
  const uint32_t handle = shard.Find(hash, key);
  if (handle == kNoHandle) return ref;
  const Entry entry = shard.At(handle);
  if (!peek) shard.Touch(handle);
  ref.found_ = true;
  ref.head_ = entry.head();
  Body* const body = entry.body();
  const uint64_t text = ref.head_.text_size();
  const uint64_t bytes = text + (body == nullptr ? ref.head_.size : 0);
  if (bytes > 0) {
    ref.copy_ = std::make_unique_for_overwrite<uint8_t[]>(bytes);
    if (text > 0) std::memcpy(ref.copy_.get(), entry.text().data(), text);
    if (bytes > text) std::memcpy(ref.copy_.get() + text, entry.value(), bytes - text);
  }
  if (body != nullptr) {
    shard.AddReader(body);
    ref.must_copy_ = commons_.pinned.load(std::memory_order_relaxed) > commons_.ledger.bound() / 4;
    ref.store_ = shared_from_this();
    ref.shard_ = &shard;
    ref.body_ = body;
  }
  return ref;
}

bool MemoryStore::FreePageOfSome(const Shard* except) {
  const auto count = static_cast<uint32_t>(shards_.size());
  const uint32_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  for (uint32_t at = 0; at < count; at++) {
    Shard& shard = *shards_[(first + at) % count];
    if (&shard == except) continue;
    const std::lock_guard lock(shard.mutex);
    if (shard.FreePage()) return true;
  }
  return false;
}

MemoryStore::Stored MemoryStore::Set(Slice key, Slice value, const Metadata& metadata,
                                     Flight* flight) {
  if (value.size() > max_item_bytes() || key.size() > kMostKeyBytes ||
      metadata.text_size() > kMostTextBytes) {
    CountRefusal();
    return Stored::kTooLarge;
  }
  const Hash128 hash = HashOf(key);
  if (Shard::SlotBytes(key, value.size(), metadata) > largest_slot()) {
    return SetLarge(key, value, metadata, flight);
  }
  Shard& shard = ShardOf(hash);
  shard.Expect(hash);
  bool fenced = false;
  const bool had = WithRoom(shard, [&] {
    fenced = flight != nullptr && PassTable::Fenced(*flight);
    if (fenced) return true;
    if (shard.Put(hash, key, value, metadata) != Shard::Outcome::kDone) return false;
    if (flight == nullptr) {
      shard.passes.FenceFills(hash, key);
    } else {
      shard.passes.Commit(*flight);
    }
    return true;
  });
  if (fenced) return Stored::kFenced;
  if (!had) {
    CountRefusal();
    return Stored::kNoRoom;
  }
  if (flight != nullptr) flight->OnCommitted();
  return Stored::kDone;
}

bool MemoryStore::Delete(Slice key) {
  const Hash128 hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  shard.Expect(hash);
  const std::lock_guard lock(shard.mutex);
  shard.passes.FenceAll(hash, key);
  return shard.Remove(hash, key);
}

bool MemoryStore::Discard(Slice key) {
  const Hash128 hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  shard.Expect(hash);
  const std::lock_guard lock(shard.mutex);
  return shard.Remove(hash, key);
}

// What takes long is done shard by shard first. Then all are locked at once, so that nobody finds
// one entry gone and another, older one still there.
void MemoryStore::Clear() {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->PrepareClear();
  }
  for (const auto& shard : shards_) shard->mutex.lock();
  for (const auto& shard : shards_) {
    shard->passes.FenceEverything();
    shard->Clear();
  }
  for (const auto& shard : shards_) shard->mutex.unlock();
}

MemoryStore::Stored MemoryStore::Revise(Slice key, Version version, const Metadata& metadata,
                                        Flight* flight) {
  if (metadata.text_size() > kMostTextBytes) {
    CountRefusal();
    return Stored::kTooLarge;
  }
  const Hash128 hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  Stored outcome = Stored::kNoRoom;
  WithRoom(shard, [&] {
    if (flight != nullptr && PassTable::Fenced(*flight)) {
      outcome = Stored::kFenced;
      return true;
    }
    switch (shard.Revise(hash, key, version, metadata)) {
      case Shard::Outcome::kNoRoom:
        return false;
      case Shard::Outcome::kGone:
        outcome = Stored::kGone;
        break;
      case Shard::Outcome::kDone:
        if (flight != nullptr) shard.passes.Commit(*flight);
        outcome = Stored::kDone;
        break;
    }
    return true;
  });
  if (flight != nullptr && outcome == Stored::kDone) flight->OnCommitted();
  return outcome;
}

std::vector<MemoryStore::Listed> MemoryStore::List(Cursor& cursor, size_t count) {
  std::vector<Listed> listed;
  for (; cursor.shard < shards_.size() && listed.size() < count;) {
    Shard& shard = *shards_[cursor.shard];
    const std::lock_guard lock(shard.mutex);
    while (listed.size() < count) {
      const uint32_t handle = shard.NextLive(cursor.handle);
      if (handle == kNoHandle) {
        cursor = {cursor.shard + 1, 0};
        break;
      }
      const Entry entry = shard.At(handle);
      const Slice key = entry.key();
      const Slice text = entry.text();
      listed.push_back({{key.begin(), key.end()}, {text.begin(), text.end()}, entry.head()});
      cursor.handle = handle + 1;
    }
  }
  return listed;
}

MemoryStore::Stats MemoryStore::stats() const {
  Stats stats;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    const Shard::Counts counts = shard->counts();
    stats.entries += counts.entries;
    stats.evictions += counts.evictions;
    stats.expirations += counts.expirations;
    stats.moved_slots += counts.moved_slots;
    stats.free_bytes += counts.idle_bytes;
    stats.index_bytes += counts.index_bytes;
    stats.record_bytes += counts.record_bytes;
    stats.policy_bytes += counts.policy_bytes;
    stats.pages += counts.pages;
  }
  const Arena& arena = *commons_.arena;
  stats.free_bytes += arena.free_pages() * arena.page_bytes();
  // In this order, whatever Bound does meanwhile: the bound that held when the bytes were not yet
  // evicted, or a lower one and the bytes after that.
  stats.max_bytes = std::max(commons_.ledger.max(), leaving_.load());
  stats.bytes = commons_.ledger.used();
  stats.pinned_bytes = commons_.pinned.load(std::memory_order_relaxed);
  stats.max_item_bytes = max_item_bytes();
  stats.evictions_untold = commons_.evictions.untold();
  stats.refusals = refusals_.load(std::memory_order_relaxed);
  stats.memory_refusals = arena.refused();
  return stats;
}

Status MemoryStore::Configure(uint64_t max_bytes, uint64_t max_item_bytes, PolicyKind policy) {
  const std::lock_guard configuring(configuring_);
  if (max_bytes < kLeastBytes || max_bytes > commons_.arena->ceiling()) {
    return Status::InvalidArgument("maxBytes: got " + std::to_string(max_bytes) +
                                   "; want at least " + std::to_string(kLeastBytes) +
                                   " and at most " + std::to_string(commons_.arena->ceiling()) +
                                   ", which this store reserved");
  }
  if (max_item_bytes > max_bytes) {
    return Status::InvalidArgument("maxItemBytes: got " + std::to_string(max_item_bytes) +
                                   "; want at most maxBytes, " + std::to_string(max_bytes));
  }
  const uint64_t withheld = WithheldOf(max_bytes);
  const uint64_t capacity = (max_bytes - withheld) / shards_.size();
  std::vector<std::unique_ptr<Policy>> policies;
  for (const auto& shard : shards_) {
    if (policy == policy_) break;
    policies.push_back(shard->NewPolicy(policy, capacity));
    if (policies.back() == nullptr) {
      return Status::InvalidArgument(
          "policy: the system has no addresses for the tables of another; the one before stays");
    }
  }
  for (size_t at = 0; at < shards_.size(); at++) {
    const std::lock_guard lock(shards_[at]->mutex);
    if (!policies.empty()) shards_[at]->Adopt(std::move(policies[at]));
    shards_[at]->SetCapacity(capacity);
  }
  policy_ = policy;
  commons_.max_item_bytes = max_item_bytes == 0 ? max_bytes / 8 : max_item_bytes;
  Bound(max_bytes, withheld);
  return {};
}

void MemoryStore::Bound(uint64_t max_bytes, uint64_t withheld) {
  Ledger& ledger = commons_.ledger;
  leaving_.store(ledger.max());
  ledger.SetMax(max_bytes);
  ledger.Withhold(withheld);
  Settle();
  leaving_.store(0);
}

bool MemoryStore::Lower(uint64_t from, uint64_t to) {
  const std::lock_guard configuring(configuring_);
  Ledger& ledger = commons_.ledger;
  if (ledger.max() != from || to > from || to < kLeastBytes) return false;
  // What is withheld already, of a bound that Yield has not come down to, is not evicted for this.
  const uint64_t withheld = std::min(ledger.withheld(), WithheldOf(to));
  Bound(to, withheld);
  return true;
}

PolicyKind MemoryStore::policy() const {
  const std::lock_guard configuring(configuring_);
  return policy_;
}

uint64_t MemoryStore::WithheldOf(uint64_t max_bytes) const noexcept {
  if (parts_.empty()) return 0;
  const uint64_t part = *parts_.begin();
  const uint64_t kept = max_bytes / kWhole * part + max_bytes % kWhole * part / kWhole;
  return max_bytes - std::min(max_bytes, std::max(kept, kLeastBytes));
}

void MemoryStore::Press(uint32_t from, uint32_t to) {
  if (from == to) return;
  const std::lock_guard configuring(configuring_);
  if (const auto found = parts_.find(from); found != parts_.end()) parts_.erase(found);
  if (to < kWhole) parts_.insert(to);
  const uint64_t max_bytes = commons_.ledger.max();
  const uint64_t wanted = WithheldOf(max_bytes);
  // To have more costs nothing. To have less costs evictions, which Yield does bit by bit.
  if (wanted < commons_.ledger.withheld()) commons_.ledger.Withhold(wanted);
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->SetCapacity((max_bytes - wanted) / shards_.size());
  }
}

bool MemoryStore::Yield(uint64_t bytes) {
  const std::lock_guard configuring(configuring_);
  Ledger& ledger = commons_.ledger;
  const uint64_t max_bytes = ledger.max();
  const uint64_t wanted = WithheldOf(max_bytes);
  const uint64_t before = ledger.withheld();
  if (before >= wanted) return true;
  // What nobody uses is given up without any work.
  const uint64_t unused = max_bytes - std::min(max_bytes, ledger.used());
  const uint64_t given_up = std::max(before, std::min(unused, wanted));
  ledger.Withhold(given_up + std::min(bytes, wanted - given_up));
  Settle();
  return ledger.withheld() >= wanted;
}

// Free pages first; then every shard evicts in turn, and what it frees goes straight back to the
// system. What is pinned comes back as it is let go.
void MemoryStore::MakeRoomWithin() {
  while (commons_.ledger.Over()) {
    if (commons_.arena->GiveBack(1) == 0 && !FreePageOfSome(nullptr)) return;
  }
}

void MemoryStore::Shut() {
  Clear();
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->Tidy(UINT32_MAX);
  }
  commons_.arena->GiveBack(UINT64_MAX);
}

void MemoryStore::Maintain() {
  constexpr uint32_t kTidiedAtOnce = 4096;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->Tidy(kTidiedAtOnce);
  }
  commons_.arena->GiveBackUnused();
}

}  // namespace drey
