// Drafts and flights: what of the store is in flight.

#include <utility>

#include "memory_store/store.h"

namespace drey {
namespace {

// The pass of a write that is not done in one step.
class Write final : public Pass {
 public:
  using Pass::Pass;

  void OnOwnerGone() noexcept override {
    if (const std::shared_ptr<Draft> of = draft.lock()) of->Abort();
  }

  // Set before the pass is entered.
  std::weak_ptr<Draft> draft;
};

}  // namespace

std::shared_ptr<Draft> MemoryStore::BeginWith(const std::shared_ptr<Pass>& pass, uint64_t declared,
                                              bool one_call) {
  const uint64_t size = declared == Draft::kUnknown ? 0 : declared;
  const uint64_t pinned = commons_.pinned.load(std::memory_order_relaxed);
  // What could not fit were all evicted that may be is refused before anything is.
  if (size > max_item_bytes() || pass->key().size() > kMostKeyBytes ||
      pinned + size > commons_.ledger.bound()) {
    CountRefusal();
    return nullptr;
  }
  return std::make_shared<Draft>(shared_from_this(), ShardOf(pass->hash()), pass, declared,
                                 one_call);
}

std::shared_ptr<Draft> MemoryStore::Begin(Slice key, uint64_t declared, Owner owner) {
  return BeginWrite(key, declared, owner, false);
}

std::shared_ptr<Draft> MemoryStore::BeginWrite(Slice key, uint64_t declared, Owner owner,
                                               bool one_call) {
  const Hash128 hash = HashOf(key);
  const auto pass = std::make_shared<Write>(Pass::Kind::kWrite, owner, hash, key);
  std::shared_ptr<Draft> draft = BeginWith(pass, declared, one_call);
  if (draft == nullptr) return nullptr;
  pass->draft = draft;
  Shard& shard = ShardOf(hash);
  {
    const std::lock_guard lock(shard.mutex);
    shard.passes.Enter(pass);
  }
  Settle();
  return draft;
}

std::shared_ptr<Draft> MemoryStore::BeginFor(const std::shared_ptr<Flight>& flight,
                                             uint64_t declared) {
  return BeginWith(flight, declared, false);
}

MemoryStore::Stored MemoryStore::SetLarge(Slice key, Slice value, const Metadata& metadata,
                                          Flight* flight) {
  const std::shared_ptr<Draft> draft =
      flight == nullptr ? BeginWrite(key, value.size(), kNobody, true)
                        : BeginWith(flight->shared_from_this(), value.size(), true);
  if (draft == nullptr) return Stored::kNoRoom;
  Draft::Outcome outcome = draft->Append(value);
  if (outcome == Draft::Outcome::kDone) outcome = draft->Commit(metadata);
  switch (outcome) {
    case Draft::Outcome::kDone:
      return Stored::kDone;
    case Draft::Outcome::kFenced:
      // A write that is not a fill's came before the delete that overlaps with it.
      return flight == nullptr ? Stored::kDone : Stored::kFenced;
    case Draft::Outcome::kTooLarge:
      return Stored::kTooLarge;
    case Draft::Outcome::kNoRoom:
    case Draft::Outcome::kEnded:
      break;
  }
  return Stored::kNoRoom;
}

MemoryStore::Claimed MemoryStore::Claim(Slice key, Owner owner, Version seen, bool alone) {
  const Hash128 hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  std::unique_lock lock(shard.mutex);
  const uint64_t began = tags_.sequence();
  if (!alone) {
    const uint32_t handle = shard.Find(hash, key);
    if (handle != kNoHandle && shard.At(handle).version() != seen) {
      return {Claimed::Kind::kLook, nullptr};
    }
    if (const std::shared_ptr<Pass> pass = shard.passes.FillOf(hash, key)) {
      auto flight = std::static_pointer_cast<Flight>(pass);
      if (flight->began() == began) {
        flight->Join();
        return {Claimed::Kind::kJoin, std::move(flight)};
      }
      // What it brings may have been invalidated since, so the caller asks anew. The old one may
      // be kept until then, if its own tags allow it: were it not, a key whose origin takes longer
      // than the time between two invalidations, of whatever tags, would never be kept.
      PassTable::PassBy(*flight);
    }
  }
  const Pass::Kind kind = alone ? Pass::Kind::kLoneFill : Pass::Kind::kFill;
  auto flight = std::make_shared<Flight>(shared_from_this(), shard, kind, owner, hash, key, began);
  shard.passes.Enter(flight);
  lock.unlock();
  Settle();
  return {Claimed::Kind::kLead, std::move(flight)};
}

void MemoryStore::AbortOwner(Owner owner) {
  for (const auto& shard : shards_) {
    std::vector<std::shared_ptr<Pass>> passes;
    {
      const std::lock_guard lock(shard->mutex);
      passes = shard->passes.Of(owner);
    }
    for (const std::shared_ptr<Pass>& pass : passes) pass->OnOwnerGone();
  }
}

}  // namespace drey
