#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/status.h"
#include "io/env.h"
#include "io/folder.h"
#include "io/thread.h"

namespace drey::file {

// The ownership of a directory (docs/disk-format.md, section 9): a socket in DIR/LOCK that its
// owner listens on. Who is refused by it knows that the owner is dead, however it died.
//
// Invariants:
//  - A name without suffix can be connected to, or its owner is dead; no name is used twice.
//  - Every claimant publishes its name before it looks for others: of two, one at least sees the
//  other.
//  - The answering thread ends before the object does.
class DirectoryLock {
 public:
  // kLocked, with words that name the owner, when there is one. Waits up to some seconds.
  static Result<std::unique_ptr<DirectoryLock>> Take(const Folder& root, const std::string& title);
  // Gives it up.
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  DirectoryLock() noexcept = default;
  enum class Claim : uint8_t { kAlone, kWithdraw, kOwned, kFailed };
  Status Publish(const std::string& title);
  Claim LookAround(Status* why);
  Claim Ask(const std::string& other, Status* why);
  // Removes names that somebody made and died before he published them.
  void Sweep();
  void Answer() noexcept;

  Folder folder_;
  std::string path_;
  std::string name_;
  std::string said_;
  int socket_ = -1;
  Thread thread_;
  bool answering_ = false;
  std::atomic<bool> owner_{false};
  std::atomic<bool> stop_{false};
};

}  // namespace drey::file
