#include "file_store/open_files.h"

#include <utility>
#include <vector>

#include "core/load.h"

namespace drey::file {

FileKey FileKey::OfBlob(const BlobName& name) noexcept {
  return {Load64(name.hash.data()), Load64(name.hash.data() + 8), name.sequence};
}

std::shared_ptr<Lease> OpenFiles::LeaseOf(Slot& slot) {
  std::shared_ptr<Lease> lease = slot.lease.lock();
  if (lease != nullptr) return lease;
  lease = std::make_shared<Lease>(ledger_);
  slot.lease = lease;
  return lease;
}

void OpenFiles::Forget(const FileKey& key) {
  const auto found = slots_.find(key);
  if (found == slots_.end() || found->second.kept != nullptr) return;
  if (found->second.lease.expired()) slots_.erase(found);
}

OpenFiles::Handle OpenFiles::Peek(const FileKey& key) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(key);
  if (found == slots_.end() || found->second.kept == nullptr) return nullptr;
  recent_.splice(recent_.begin(), recent_, found->second.place);
  return found->second.kept;
}

Result<OpenFiles::Handle> OpenFiles::Open(const FileKey& key, const Folder& folder,
                                          const std::string& name) {
  // What falls out of the cache is closed when this goes, without the lock.
  std::vector<Handle> dropped;
  std::shared_ptr<Lease> lease;
  {
    const std::lock_guard lock(mutex_);
    Slot& slot = slots_[key];
    if (slot.kept != nullptr) {
      recent_.splice(recent_.begin(), recent_, slot.place);
      return slot.kept;
    }
    lease = LeaseOf(slot);
  }
  Result<File> opened = folder.OpenFile(name, Env::Access::kRead);
  if (!opened.ok()) {
    lease.reset();
    const std::lock_guard lock(mutex_);
    Forget(key);
    return opened.TakeStatus();
  }
  Handle handle = std::make_shared<const OpenFile>(OpenFile{std::move(lease), opened.Take()});
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(key);
  // The name is gone already, or somebody was as quick.
  if (found == slots_.end() || found->second.kept != nullptr || most_ == 0) return handle;
  Slot& slot = found->second;
  slot.kept = handle;
  recent_.push_front(key);
  slot.place = recent_.begin();
  TrimLocked(most_, dropped);
  return handle;
}

void OpenFiles::TrimLocked(size_t most, std::vector<Handle>& dropped) {
  while (recent_.size() > most) {
    const auto last = slots_.find(recent_.back());
    recent_.pop_back();
    dropped.push_back(std::move(last->second.kept));
    last->second.kept = nullptr;
    // The slot stays while anybody else has the file open, or is about to: it has the lease.
    if (last->second.lease.use_count() <= 1) slots_.erase(last);
  }
}

void OpenFiles::SetMost(size_t most) noexcept {
  std::vector<Handle> dropped;
  const std::lock_guard lock(mutex_);
  most_ = most;
  TrimLocked(most_, dropped);
}

Status OpenFiles::Unlink(const FileKey& key, const Folder& folder, const std::string& name,
                         uint64_t charge) {
  Status unlinked = folder.Unlink(name);
  // Somebody else did, and gave it back.
  if (unlinked.code() == Status::Code::kNotFound) return {};
  if (!unlinked.ok()) return unlinked;
  Handle dropped;
  std::shared_ptr<Lease> lease;
  {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(key);
    if (found != slots_.end()) {
      lease = found->second.lease.lock();
      if (found->second.kept != nullptr) {
        recent_.erase(found->second.place);
        dropped = std::move(found->second.kept);
        found->second.kept = nullptr;
      }
      slots_.erase(found);
    }
    if (lease != nullptr) lease->charge_ += charge;
  }
  if (lease == nullptr) ledger_.Give(charge);
  return {};
}

void OpenFiles::Trim() noexcept {
  std::vector<Handle> dropped;
  const std::lock_guard lock(mutex_);
  for (const FileKey& key : recent_) {
    const auto found = slots_.find(key);
    dropped.push_back(std::move(found->second.kept));
    found->second.kept = nullptr;
    if (dropped.back().use_count() == 1 && found->second.lease.use_count() <= 1)
      slots_.erase(found);
  }
  recent_.clear();
}

size_t OpenFiles::idle() noexcept {
  const std::lock_guard lock(mutex_);
  return recent_.size();
}

}  // namespace drey::file
