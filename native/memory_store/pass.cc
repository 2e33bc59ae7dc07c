#include "memory_store/pass.h"

#include <algorithm>

namespace drey {
namespace {

bool IsOf(const Pass& pass, Slice key) noexcept { return std::ranges::equal(pass.key(), key); }

}  // namespace

// What a fill or a draft, its key and its place in the table take of the heap, about.
uint64_t PassTable::CostOf(const Pass& pass) noexcept { return 512 + HeapCost(pass.key().size()); }

void PassTable::Enter(const std::shared_ptr<Pass>& pass) {
  pass->entered_ = true;
  pass->order_ = ++order_;
  ledger_.Charge(CostOf(*pass));
  passes_.emplace(pass->hash().low, pass);
}

void PassTable::Leave(Pass& pass) noexcept {
  if (!pass.entered_) return;
  pass.entered_ = false;
  // Nobody could fence it any more.
  pass.fenced_ = true;
  ledger_.Give(CostOf(pass));
  auto [at, end] = passes_.equal_range(pass.hash().low);
  for (; at != end; ++at) {
    if (at->second.get() != &pass) continue;
    passes_.erase(at);
    return;
  }
}

std::shared_ptr<Pass> PassTable::FillOf(const Hash128& hash, Slice key) const noexcept {
  auto [at, end] = passes_.equal_range(hash.low);
  for (; at != end; ++at) {
    const Pass& pass = *at->second;
    const bool joinable = pass.kind() == Pass::Kind::kFill && pass.joinable_ && !pass.fenced_;
    if (joinable && IsOf(pass, key)) return at->second;
  }
  return nullptr;
}

void PassTable::Fence(const Hash128& hash, Slice key, bool writes, uint64_t before) noexcept {
  if (passes_.empty()) return;
  auto [at, end] = passes_.equal_range(hash.low);
  for (; at != end; ++at) {
    Pass& pass = *at->second;
    if ((writes || pass.is_fill()) && pass.order_ < before && IsOf(pass, key)) pass.fenced_ = true;
  }
}

void PassTable::Commit(Pass& pass) noexcept {
  Fence(pass.hash(), pass.key(), false, pass.is_fill() ? pass.order_ : UINT64_MAX);
  Leave(pass);
}

void PassTable::FenceEverything() noexcept {
  for (const auto& [hash, pass] : passes_) pass->fenced_ = true;
}

std::vector<std::shared_ptr<Pass>> PassTable::Of(Owner owner) const {
  std::vector<std::shared_ptr<Pass>> found;
  for (const auto& [hash, pass] : passes_) {
    if (pass->owner() == owner) found.push_back(pass);
  }
  return found;
}

}  // namespace drey
