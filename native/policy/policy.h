#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "memory/region.h"

// Which entry goes when room is needed. A policy orders entries; it owns none of them, never
// decides that room is needed and never reads a value. Whoever has the entries calls it:
//
//     while (!fits(size)) Free(policy->Evict(false));
//     policy->Add(handle);
//
// Every policy exists twice, here and in lib/policy, from one description; it stands at the head of
// the TypeScript file of the same name, with the paper, the parameters and the bound. Both decide
// alike on the same calls, which the tests compare. They weigh bytes: a share of the cache is a
// share of its capacity in bytes.
namespace drey {

// What a policy keeps in an entry: 8 bytes. Handles have 28 bits, so that a mark fits in beside
// them.
class PolicyNode {
 public:
  // No handle.
  static constexpr uint32_t kNone = (uint32_t{1} << 28) - 1;

  uint32_t older() const noexcept { return older_ & kNone; }
  uint32_t newer() const noexcept { return newer_; }
  // Which queue the entry is in, or how often it was used, as the policy sees fit: 0 to 15.
  uint32_t mark() const noexcept { return older_ >> 28; }

  void set_older(uint32_t handle) noexcept { older_ = (older_ & ~kNone) | handle; }
  void set_newer(uint32_t handle) noexcept { newer_ = handle; }
  void set_mark(uint32_t mark) noexcept { older_ = (older_ & kNone) | mark << 28; }

 private:
  uint32_t older_;
  uint32_t newer_;
};

// The entries, as far as a policy has to know them. Nodes lie at even distances, so that a hit,
// which touches several of them, calls nothing to find them; the rest is asked for on slower ways
// only.
class PolicyNodes {
 public:
  PolicyNode& operator[](uint32_t handle) const noexcept {
    return *reinterpret_cast<PolicyNode*>(first_ + handle * stride_);
  }
  // 32 bits of a keyed hash of the key.
  virtual uint32_t Hash(uint32_t handle) const noexcept = 0;
  // What the entry weighs, in bytes: the same until Resize says otherwise.
  virtual uint64_t Size(uint32_t handle) const noexcept = 0;
  // Whether the entry can go now: one that is being read or written out cannot.
  virtual bool Evictable(uint32_t handle) const noexcept = 0;

 protected:
  PolicyNodes() noexcept = default;
  ~PolicyNodes() = default;
  // Says where the node of handle 0 is and how many bytes lie between the starts of two: before the
  // first Add.
  void Place(PolicyNode* first, size_t stride) noexcept {
    first_ = reinterpret_cast<std::byte*>(first);
    stride_ = stride;
  }

 private:
  std::byte* first_ = nullptr;
  size_t stride_ = 0;
};

// An entry is added once and removed once; in between it is in exactly one queue of the policy.
// Costs are O(1), for Evict amortised over the calls before it. An entry whose key is overwritten
// is touched, and resized.
//
// What a policy remembers beside the nodes lies in regions, so it is in the ledger before it is
// committed. Where there is no room for more of it, the policy goes on with what it has, and
// Prepare tells its owner to make some.
//
// Not for several threads: the owner's lock guards it.
class Policy {
 public:
  virtual ~Policy() = default;
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // Room was made for the entry already.
  virtual void Add(uint32_t handle) noexcept = 0;
  // The entry was used.
  virtual void Touch(uint32_t handle) noexcept = 0;
  // The entry leaves by other means than Evict, and is forgotten.
  virtual void Remove(uint32_t handle) noexcept = 0;
  // The entry weighs what PolicyNodes says, and no longer `before`.
  virtual void Resize(uint32_t handle, uint64_t before) noexcept = 0;
  // The entry that should go, which the policy has let go of already; PolicyNode::kNone when there
  // is none. Entries that are pinned are passed over, kMostPasses of them at most, so that a call
  // has an end: where more are in the way, there is none, and the next call goes on behind them.
  //
  // `pinned_too` takes pinned entries as well: to hand all entries, coldest first, to another
  // policy.
  virtual uint32_t Evict(bool pinned_too) noexcept = 0;
  // The capacity that shares are taken of. Evicts nothing.
  virtual void SetCapacity(uint64_t bytes) noexcept = 0;
  // Takes the memory that the calls so far would have liked to have. kDone when there was nothing
  // to take; anything else costs hits and nothing more, so the owner may free a page and ask again,
  // or leave it.
  virtual Region::Growth Prepare() noexcept { return Region::Growth::kDone; }

  // Hints, which decide nothing. Each sends for memory that a call to come will want, so that
  // several misses of the processor's caches are waited for at once and not one after the other.

  // Touch will be told of the entry, whose node was sent for before.
  virtual void ExpectTouch(uint32_t) const noexcept {}
  // Add will be told of an entry with that hash.
  virtual void ExpectAdd(uint32_t) const noexcept {}
  // Who will probably be evicted next; PolicyNode::kNone when nobody is there.
  virtual uint32_t LikelyVictim() const noexcept = 0;

  // Entries that were added and neither removed nor evicted.
  virtual uint32_t count() const noexcept = 0;
  // What the policy holds beside the nodes, in bytes.
  virtual uint64_t MemoryBytes() const noexcept { return 0; }

  // Pinned entries that one Evict passes over at most.
  static constexpr uint32_t kMostPasses = 256;

 protected:
  Policy() noexcept = default;
};

enum class PolicyKind : uint8_t { kLru, kLfu, kFifo, kSieve, kS3Fifo, kWTinyLfu };

struct PolicyName {
  PolicyKind kind;
  std::string_view name;
};
inline constexpr std::array<PolicyName, 6> kPolicyNames = {{
    {PolicyKind::kLru, "lru"},
    {PolicyKind::kLfu, "lfu"},
    {PolicyKind::kFifo, "fifo"},
    {PolicyKind::kSieve, "sieve"},
    {PolicyKind::kS3Fifo, "s3-fifo"},
    {PolicyKind::kWTinyLfu, "w-tinylfu"},
}};
std::optional<PolicyKind> PolicyKindOf(std::string_view name) noexcept;
std::string_view NameOf(PolicyKind kind) noexcept;

// Where a policy's memory comes from, and how much there may ever be to do.
struct PolicySetting {
  SystemMemory& system;
  Ledger& ledger;
  // Bytes that the entries may take together.
  uint64_t capacity;
  // Handles are below this, which is at most PolicyNode::kNone.
  uint32_t most_entries;
};

// Null when the system refuses even the addresses.
std::unique_ptr<Policy> MakePolicy(PolicyKind kind, const PolicyNodes& nodes,
                                   const PolicySetting& setting) noexcept;

}  // namespace drey
