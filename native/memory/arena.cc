#include "memory/arena.h"

#include <algorithm>
#include <string>
#include <utility>

namespace drey {
namespace {

// From here on, a huge page that is begun is little beside the whole.
constexpr uint64_t kLargeStore = 256 * 1024 * 1024;

constexpr uint64_t kMostPages = (uint64_t{1} << 21) - 1;

}  // namespace

Arena::Arena(SystemMemory& system, Ledger& ledger, uint64_t page_bytes, uint64_t unit) noexcept
    : system_(system), ledger_(ledger), page_bytes_(page_bytes), unit_(unit) {}

Arena::~Arena() {
  if (start_ == nullptr) return;
  ledger_.Give((free_pages() + taken_count_) * page_bytes_);
  system_.Release(start_, page_count_ * page_bytes_);
}

uint64_t Arena::PageBytesFor(uint64_t max) noexcept {
  constexpr uint64_t kMiB = 1024 * 1024;
  if (max < 16 * kMiB) return 16 * 1024;
  if (max < 64 * kMiB) return 32 * 1024;
  uint64_t bytes = 64 * 1024;
  // A location has 21 bits for the page: half of them, so that the bound can be raised.
  while (max / bytes >= kMostPages / 2) bytes *= 2;
  return bytes;
}

Status Arena::Create(SystemMemory& system, Ledger& ledger, uint64_t max, uint64_t ceiling,
                     std::unique_ptr<Arena>& out) {
  const uint64_t page = PageBytesFor(max);
  const uint64_t unit = max < kLargeStore ? page : std::max(page, system.HugePage());
  std::unique_ptr<Arena> arena(new Arena(system, ledger, page, unit));
  const uint64_t wanted = std::max(max, ceiling);
  const uint64_t count = std::min(wanted / page + (wanted % page == 0 ? 0 : 1), kMostPages);
  arena->start_ = system.Reserve(count * page);
  if (arena->start_ != nullptr) {
    arena->page_count_ = count;
    if (arena->infos_.Reserve(system, ledger, count * sizeof(PageInfo))) {
      out = std::move(arena);
      return {};
    }
  }
  return Status::InvalidArgument(
      "maxBytes: the system has no address range of " + std::to_string(max) +
      " bytes; want less, or a higher limit of virtual memory (ulimit -v)");
}

uint32_t Arena::Pop(uint32_t& list) noexcept {
  const uint32_t page = list;
  if (page != kNoPage) list = Info(page).next;
  return page;
}

void Arena::Push(uint32_t& list, uint32_t page) noexcept {
  Info(page).next = list;
  list = page;
}

void Arena::LowerBound() noexcept {
  const std::lock_guard lock(mutex_);
  LowerBoundLocked();
}

void Arena::LowerBoundLocked() noexcept {
  refused_ += 1;
  ledger_.LowerToUsed();
}

bool Arena::Commit(uint32_t page, bool again) noexcept {
  if (again) return system_.Commit(At(page), page_bytes_);
  const uint64_t end = (uint64_t{page} + 1) * page_bytes_;
  if (end <= usable_) return true;
  const uint64_t target = std::min(usable_ + unit_, page_count_ * page_bytes_);
  if (!system_.Commit(start_ + usable_, target - usable_)) return false;
  usable_ = target;
  return true;
}

uint32_t Arena::Take() noexcept {
  // A full store asks at every insertion; only when there may be something is the lock worth
  // taking.
  if (free_pages() == 0 && !ledger_.MayTake(page_bytes_)) return kNoPage;
  const std::lock_guard lock(mutex_);
  // Checked first: while the store is over its bound, a free page is not room but a debt.
  if (ledger_.Over()) return kNoPage;
  if (free_ != kNoPage) {
    free_count_.fetch_sub(1, std::memory_order_relaxed);
    least_free_ = std::min(least_free_, free_pages());
    taken_count_ += 1;
    return Pop(free_);
  }
  const bool again = given_back_ != kNoPage;
  if (!again && never_used_ == page_count_) return kNoPage;
  if (!ledger_.Take(page_bytes_)) return kNoPage;
  const uint32_t page = again ? given_back_ : never_used_;
  const Region::Growth growth = infos_.Grow((uint64_t{page} + 1) * sizeof(PageInfo));
  if (growth == Region::Growth::kDone && Commit(page, again)) {
    if (again) {
      Pop(given_back_);
    } else {
      never_used_ += 1;
    }
    taken_count_ += 1;
    return page;
  }
  ledger_.Give(page_bytes_);
  if (growth != Region::Growth::kNoRoom) LowerBoundLocked();
  return kNoPage;
}

void Arena::Return(uint32_t page) noexcept {
  const std::lock_guard lock(mutex_);
  taken_count_ -= 1;
  if (ledger_.Over()) {
    system_.GiveBack(At(page), page_bytes_);
    ledger_.Give(page_bytes_);
    Push(given_back_, page);
    return;
  }
  free_count_.fetch_add(1, std::memory_order_relaxed);
  Push(free_, page);
}

uint64_t Arena::GiveBack(uint64_t count) noexcept {
  const std::lock_guard lock(mutex_);
  return GiveBackLocked(count);
}

uint64_t Arena::GiveBackUnused() noexcept {
  const std::lock_guard lock(mutex_);
  const uint64_t given = GiveBackLocked(least_free_);
  least_free_ = free_pages();
  return given;
}

uint64_t Arena::GiveBackLocked(uint64_t count) noexcept {
  uint64_t given = 0;
  for (; given < count && free_pages() > 0; given++) {
    const uint32_t page = Pop(free_);
    free_count_.fetch_sub(1, std::memory_order_relaxed);
    system_.GiveBack(At(page), page_bytes_);
    ledger_.Give(page_bytes_);
    Push(given_back_, page);
  }
  least_free_ = std::min(least_free_, free_pages());
  return given;
}

uint64_t Arena::taken_pages() const noexcept {
  const std::lock_guard lock(mutex_);
  return taken_count_;
}

uint64_t Arena::refused() const noexcept {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace drey
