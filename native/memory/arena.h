#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/status.h"
#include "memory/ledger.h"
#include "memory/region.h"
#include "memory/system.h"

namespace drey {

constexpr uint32_t kNoPage = UINT32_MAX;

// What is known of a page. While a page is taken, only its taker's lock guards it; while it is
// free, the arena's.
struct PageInfo {
  // Links of the list that the page is in: the arena's free pages, or a class's pages with free
  // slots.
  uint32_t previous;
  uint32_t next;
  // First of the slots that were used and freed; those from `fresh` on were never used.
  uint16_t free_slot;
  uint16_t fresh;
  uint16_t used;
  uint8_t size_class;
  // Whether the page is in its class's list of pages with free slots.
  bool listed;
  // Whether something in it could not be moved when that was tried last, and nothing of it was
  // freed since.
  bool stuck;
};

// The memory of a store: a range of addresses, reserved once and committed page by page.
//
// Invariants:
//  - A page is taken, free (committed, in the list of free pages), given back (its memory is the
//  system's) or
//    not yet used. `taken + free` pages are in the ledger, no others.
//  - Usable memory may be ahead of the ledger by less than one huge page; what is not in the ledger
//  is
//    not touched, but the system may count a huge page when its first page is.
//  - Taking and returning are safe from any thread. The arena's mutex is the last in the order of
//    locks: nothing is called while it is held but the system's memory.
class Arena {
 public:
  // Reserves addresses for `ceiling` bytes. Sizes of pages follow `max`.
  static Status Create(SystemMemory& system, Ledger& ledger, uint64_t max, uint64_t ceiling,
                       std::unique_ptr<Arena>& out);
  // As few pages as there are classes would leave every class half a page of nothing, as many as a
  // million would cost more in descriptions than they save.
  static uint64_t PageBytesFor(uint64_t max) noexcept;

  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // A page, or kNoPage: the bound is reached, or the system refused. In the latter case the
  // ledger's bound has been lowered to what there is, and refused() counts it.
  uint32_t Take() noexcept;
  void Return(uint32_t page) noexcept;
  // Gives the memory of up to `count` free pages back to the system; returns of how many.
  uint64_t GiveBack(uint64_t count) noexcept;
  // Gives back the pages that were free ever since the last call.
  uint64_t GiveBackUnused() noexcept;

  // The system said no to memory: what there is becomes the bound.
  void LowerBound() noexcept;

  uint64_t page_bytes() const noexcept { return page_bytes_; }
  uint64_t ceiling() const noexcept { return page_count_ * page_bytes_; }
  uint64_t free_pages() const noexcept { return free_count_.load(std::memory_order_relaxed); }
  uint64_t taken_pages() const noexcept;
  uint64_t refused() const noexcept;
  const uint8_t* base() const noexcept { return start_; }
  uint8_t* At(uint32_t page) const noexcept { return start_ + uint64_t{page} * page_bytes_; }
  PageInfo& Info(uint32_t page) const noexcept {
    return reinterpret_cast<PageInfo*>(infos_.data())[page];
  }

 private:
  Arena(SystemMemory& system, Ledger& ledger, uint64_t page_bytes, uint64_t unit) noexcept;
  // Makes the memory of a page usable that never was, or that was given back.
  bool Commit(uint32_t page, bool again) noexcept;
  void LowerBoundLocked() noexcept;
  uint64_t GiveBackLocked(uint64_t count) noexcept;
  uint32_t Pop(uint32_t& list) noexcept;
  void Push(uint32_t& list, uint32_t page) noexcept;

  SystemMemory& system_;
  Ledger& ledger_;
  const uint64_t page_bytes_;
  // What is committed at once: a page or, in a large store, a huge page.
  const uint64_t unit_;
  uint8_t* start_ = nullptr;
  uint64_t page_count_ = 0;

  mutable std::mutex mutex_;
  // Guarded by mutex_, all below; of infos_ only its growth, and the infos of pages that are not
  // taken.
  Region infos_;
  uint32_t free_ = kNoPage;
  uint32_t given_back_ = kNoPage;
  uint32_t never_used_ = 0;
  // Bytes from the start that are, or once were, committed.
  uint64_t usable_ = 0;
  // Written under mutex_, read by anybody.
  std::atomic<uint64_t> free_count_{0};
  uint64_t taken_count_ = 0;
  // The fewest pages that were free since GiveBackUnused.
  uint64_t least_free_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace drey
