#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/hash.h"
#include "core/slice.h"
#include "memory/ledger.h"

namespace drey {

// Who does something, so that all of it can be ended when they die: an environment, numbered by the
// binding.
using Owner = uint64_t;
// Of what is begun and ended in one call.
constexpr Owner kNobody = UINT64_MAX;

// The right to commit under a key (I5): taken when a fill or a write begins, shown when it wants to
// commit. A delete or a clear fences all that were taken before; a write that commits fences the
// fills, and a fill that commits the fills that began before it. Nothing is counted per key: the
// table holds what is in flight, exactly.
class Pass : public std::enable_shared_from_this<Pass> {
 public:
  enum class Kind : uint8_t {
    kFill,
    // A fill whose answer may not be shared: nobody joins it.
    kLoneFill,
    kWrite,
  };

  Pass(Kind kind, Owner owner, Hash128 hash, Slice key)
      : kind_(kind), owner_(owner), hash_(hash), key_(key.begin(), key.end()) {}
  virtual ~Pass() = default;
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  Kind kind() const noexcept { return kind_; }
  bool is_fill() const noexcept { return kind_ != Kind::kWrite; }
  Owner owner() const noexcept { return owner_; }
  const Hash128& hash() const noexcept { return hash_; }
  Slice key() const noexcept { return {key_.data(), key_.size()}; }

  // Called without any lock.
  virtual void OnOwnerGone() noexcept = 0;
  virtual void OnGrown() noexcept {}
  virtual void OnCommitted() noexcept {}
  virtual void OnAborted() noexcept {}

 private:
  friend class PassTable;

  const Kind kind_;
  const Owner owner_;
  const Hash128 hash_;
  const std::vector<uint8_t> key_;
  // Guarded by the lock of the shard that the key belongs to. Once fenced, for good.
  bool fenced_ = false;
  bool joinable_ = true;
  bool entered_ = false;
  // The table's count when it was entered: which of two began first.
  uint64_t order_ = 0;
};

// The passes of one shard. The shard's lock guards it.
class PassTable {
 public:
  explicit PassTable(Ledger& ledger) noexcept : ledger_(ledger) {}

  void Enter(const std::shared_ptr<Pass>& pass);
  // A pass that has left can commit nothing more. Does nothing when it left before.
  void Leave(Pass& pass) noexcept;
  // The fill that somebody who asks for the key now may join: one that was neither fenced nor
  // passed by.
  std::shared_ptr<Pass> FillOf(const Hash128& hash, Slice key) const noexcept;
  // A write of nobody's pass was done.
  void FenceFills(const Hash128& hash, Slice key) noexcept { Fence(hash, key, false, UINT64_MAX); }
  void FenceAll(const Hash128& hash, Slice key) noexcept { Fence(hash, key, true, UINT64_MAX); }
  // `pass` was committed: it leaves, and what it is newer than can commit no more.
  void Commit(Pass& pass) noexcept;
  // Nobody joins the pass any more, and it commits nothing; it stays, so that its owner's death is
  // seen.
  static void FenceOff(Pass& pass) noexcept { pass.fenced_ = true; }
  // Nobody joins the pass any more. It may commit as long as none that began after it has.
  static void PassBy(Pass& pass) noexcept { pass.joinable_ = false; }
  void FenceEverything() noexcept;
  std::vector<std::shared_ptr<Pass>> Of(Owner owner) const;
  bool empty() const noexcept { return passes_.empty(); }

  static bool Fenced(const Pass& pass) noexcept { return pass.fenced_; }

 private:
  static uint64_t CostOf(const Pass& pass) noexcept;
  void Fence(const Hash128& hash, Slice key, bool writes, uint64_t before) noexcept;

  Ledger& ledger_;
  uint64_t order_ = 0;
  std::unordered_multimap<uint64_t, std::shared_ptr<Pass>> passes_;
};

}  // namespace drey
