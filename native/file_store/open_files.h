#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/status.h"
#include "file_store/disk_ledger.h"
#include "file_store/format/names.h"
#include "io/file.h"
#include "io/folder.h"

namespace drey::file {

// Says which file of a store: segments have their number alone.
struct FileKey {
  uint64_t low = 0;
  uint64_t high = 0;
  uint64_t sequence = 0;

  static FileKey OfSegment(uint64_t number) noexcept { return {number, 0, UINT64_MAX}; }
  static FileKey OfBlob(const BlobName& name) noexcept;
  bool operator==(const FileKey&) const noexcept = default;
};

// What a file takes of the ledger once it has no name any more: it goes back when nobody has the
// file open. Held by everybody who has, or is about to.
class Lease {
 public:
  explicit Lease(DiskLedger& ledger) noexcept : ledger_(ledger) {}
  ~Lease() { ledger_.Give(charge_); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

 private:
  friend class OpenFiles;

  DiskLedger& ledger_;
  // Written under the mutex of OpenFiles.
  uint64_t charge_ = 0;
};

struct OpenFile {
  // In this order: the file is closed before its bytes are given back.
  std::shared_ptr<Lease> lease;
  File file;
};

// The files that are open for reading: those used last stay open, up to a bound.
//
// Invariants:
//  - Whoever has a file open keeps its bytes, even when its name is gone (S3), and keeps them in
//  the ledger: a lease is in the table from before the system is asked to open until after it has
//  closed.
//  - At most `most` files are open that nobody uses.
// Safe from any thread; files are opened and closed without the lock.
class OpenFiles {
 public:
  OpenFiles(DiskLedger& ledger, size_t most) noexcept : ledger_(ledger), most_(most) {}
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;

  using Handle = std::shared_ptr<const OpenFile>;

  // The file if it is open already, without any system call; else null.
  Handle Peek(const FileKey& key) noexcept;
  Result<Handle> Open(const FileKey& key, const Folder& folder, const std::string& name);
  // Takes the name away; `charge` goes back to the ledger once nobody has the file open. When it
  // fails, the file is there still and so is its charge; when there was none, its charge is
  // somebody else's to give back.
  Status Unlink(const FileKey& key, const Folder& folder, const std::string& name, uint64_t charge);
  // How many may be open that nobody uses; those that are too many are closed.
  void SetMost(size_t most) noexcept;
  // Closes what nobody uses.
  void Trim() noexcept;
  size_t idle() noexcept;

 private:
  struct Hash {
    size_t operator()(const FileKey& key) const noexcept {
      return static_cast<size_t>((key.low ^ key.high * 0x9E3779B97F4A7C15) + key.sequence);
    }
  };
  struct Slot {
    std::weak_ptr<Lease> lease;
    Handle kept;
    std::list<FileKey>::iterator place;
  };

  std::shared_ptr<Lease> LeaseOf(Slot& slot);
  // Drops the slot if nothing is left of it.
  void Forget(const FileKey& key);
  // Lets go of what is kept beyond `most`: to be closed without the lock.
  void TrimLocked(size_t most, std::vector<Handle>& dropped);

  DiskLedger& ledger_;
  std::mutex mutex_;
  // Guarded by mutex_, all below.
  size_t most_;
  std::unordered_map<FileKey, Slot, Hash> slots_;
  // Of slots with `kept`, the one used last first.
  std::list<FileKey> recent_;
};

}  // namespace drey::file
