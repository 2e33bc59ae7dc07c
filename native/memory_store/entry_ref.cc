#include "memory_store/entry_ref.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "memory_store/store.h"

namespace drey {

EntryRef::~EntryRef() { Release(); }

EntryRef::EntryRef(EntryRef&& other) noexcept { *this = std::move(other); }

EntryRef& EntryRef::operator=(EntryRef&& other) noexcept {
  if (this == &other) return *this;
  Release();
  found_ = std::exchange(other.found_, false);
  must_copy_ = other.must_copy_;
  head_ = other.head_;
  copy_ = std::move(other.copy_);
  store_ = std::move(other.store_);
  shard_ = std::exchange(other.shard_, nullptr);
  body_ = std::exchange(other.body_, nullptr);
  return *this;
}

uint64_t EntryRef::Read(uint64_t position, std::span<uint8_t> to) const noexcept {
  uint64_t done = 0;
  while (done < to.size()) {
    const Slice view = View(position + done);
    if (view.empty()) break;
    const size_t count = std::min(view.size(), to.size() - done);
    std::memcpy(to.data() + done, view.data(), count);
    done += count;
  }
  return done;
}

Slice EntryRef::View(uint64_t position) const noexcept {
  if (!found_ || position >= head_.size) return {};
  if (body_ != nullptr) return shard_->ViewOf(*body_, position, head_.size);
  return {copy_.get() + head_.text_size() + position, head_.size - position};
}

void EntryRef::Release() noexcept {
  found_ = false;
  copy_.reset();
  if (body_ != nullptr) {
    const std::lock_guard lock(shard_->mutex);
    shard_->DropReader(std::exchange(body_, nullptr));
  }
  // After the lock: it may be the store's last share.
  store_.reset();
}

}  // namespace drey
