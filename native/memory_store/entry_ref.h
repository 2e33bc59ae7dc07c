#pragma once

#include <cstdint>
#include <memory>

#include "core/slice.h"
#include "memory_store/metadata.h"

namespace drey {

class MemoryStore;
class Shard;
struct Body;

// An entry opened for reading: unchanged until it is let go, whatever happens to its key.
//
// Invariants: a value that fits a slot has been copied, and holds nothing of the store's memory; a
// larger one is pinned. One thread at a time.
class EntryRef {
 public:
  EntryRef() noexcept = default;
  ~EntryRef();
  EntryRef(EntryRef&& other) noexcept;
  EntryRef& operator=(EntryRef&& other) noexcept;

  bool found() const noexcept { return found_; }
  const Head& head() const noexcept { return head_; }
  Slice etag() const noexcept { return {copy_.get(), head_.etag_size}; }
  Slice user() const noexcept { return {copy_.get() + head_.etag_size, head_.user_size}; }
  // Whether reading holds memory of the store.
  bool pinned() const noexcept { return body_ != nullptr; }
  // More than a quarter of the store is pinned: copy what is wanted, and let go at once.
  bool must_copy() const noexcept { return must_copy_; }

  // Copies from `position` on; returns how many bytes, fewer than asked for only at the end.
  uint64_t Read(uint64_t position, std::span<uint8_t> to) const noexcept;
  // The bytes from `position` on, of those that lie together; empty at the end. Valid until the
  // entry is let go. Inside the store's arena if pinned(); else in a copy on the heap.
  Slice View(uint64_t position) const noexcept;
  void Release() noexcept;

 private:
  friend class MemoryStore;

  bool found_ = false;
  bool must_copy_ = false;
  Head head_;
  // Etag, user, and the value if it is not pinned.
  std::unique_ptr<uint8_t[]> copy_;
  std::shared_ptr<MemoryStore> store_;
  Shard* shard_ = nullptr;
  Body* body_ = nullptr;
};

}  // namespace drey
