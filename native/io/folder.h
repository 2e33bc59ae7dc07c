#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/status.h"
#include "io/env.h"
#include "io/file.h"

namespace drey {

// Whether `name` is one plain part of a path: not empty, not "." or "..", without '/' and NUL, at
// most 255 bytes.
bool IsPlainName(std::string_view name) noexcept;

// An open folder, by whose descriptor everything in it is named. What happens to its path, or to
// links on it, after it was opened, changes nothing.
//
// Invariants:
//  - The descriptor is this object's alone and is closed exactly once, through the Env that opened
//  it.
//  - A name that is not plain is refused (kInvalidArgument) before any system call; no link is
//  followed.
//  - Safe from several threads at once, except for closing and moving.
class Folder {
 public:
  Folder() noexcept = default;
  Folder(Env& env, int descriptor, std::string path) noexcept;
  ~Folder();
  Folder(Folder&& other) noexcept;
  Folder& operator=(Folder&& other) noexcept;

  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }
  // Where it was opened, for messages.
  const std::string& path() const noexcept { return path_; }
  Env& env() const noexcept { return *env_; }

  Status Close() noexcept;

  // What it is to be opened with.
  enum class Missing : uint8_t { kRefuse, kMake };

  // The folder that is there; kWrongKind for a link or a file.
  Result<Folder> OpenFolder(const std::string& name, Missing missing) const noexcept;
  Result<File> OpenFile(const std::string& name, Env::Access access) const noexcept;
  Status Unlink(const std::string& name) const noexcept;
  Status RemoveFolder(const std::string& name) const noexcept;
  Status Rename(const std::string& from, const std::string& to) const noexcept;
  // A second name for a file; kExists when there is something of that name.
  Status Link(const std::string& from, const std::string& to) const noexcept;
  Result<NodeInfo> StatAt(const std::string& name) const noexcept;
  Result<NodeInfo> Stat() const noexcept;
  Result<VolumeInfo> StatVolume() const noexcept;
  // See Env::List; of entries whose kind the file system does not tell it is asked.
  Status List(const std::function<bool(const Listed&)>& visit) const noexcept;
  Status Sync() const noexcept;

 private:
  Status CheckName(const std::string& name) const;
  Status Failure(int error, const char* tried, const std::string& name) const;
  std::string PathOf(const std::string& name) const;

  Env* env_ = nullptr;
  int descriptor_ = -1;
  std::string path_;
};

// Opens the folder at the path that an operator gave; makes what is missing of it when told so.
// Links above the folder itself are followed, for they are the operator's too (/var on macOS is
// one); kWrongKind when the folder is a link or a file.
Result<Folder> OpenFolderAt(Env& env, const std::string& path, Folder::Missing missing) noexcept;

}  // namespace drey
