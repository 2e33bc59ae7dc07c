#include "io/folder.h"

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "io/error.h"

namespace drey {
namespace {

constexpr size_t kLongestName = 255;

std::string Quoted(std::string_view text) {
  std::string quoted(1, '\'');
  quoted.append(text);
  quoted.push_back('\'');
  return quoted;
}

// Without what would have the system follow a link at its end: "a/link/" and "a/link/.".
std::string Trimmed(std::string path) {
  while (path.size() > 1) {
    if (path.ends_with('/')) {
      path.pop_back();
    } else if (path.ends_with("/.")) {
      // Of "/." the folder itself is left.
      path.resize(path.size() == 2 ? 1 : path.size() - 2);
    } else {
      break;
    }
  }
  return path;
}

// Interrupted while a slow file system was waited for.
template <class Call>
Outcome Uninterrupted(Call call) noexcept {
  while (true) {
    const Outcome outcome = call();
    if (outcome.error() != EINTR) return outcome;
  }
}

Outcome OpenOrMake(Env& env, int folder, const char* name, Folder::Missing missing) {
  const auto open = [&] { return env.OpenFolder(folder, name); };
  const Outcome opened = Uninterrupted(open);
  if (opened.error() != ENOENT || missing == Folder::Missing::kRefuse) return opened;
  const Outcome made = env.MakeFolder(folder, name);
  // Somebody else may have made it meanwhile, which serves as well.
  if (!made.ok() && made.error() != EEXIST) return made;
  return Uninterrupted(open);
}

}  // namespace

bool IsPlainName(std::string_view name) noexcept {
  if (name.empty() || name.size() > kLongestName || name == "." || name == "..") return false;
  return name.find('/') == name.npos && name.find('\0') == name.npos;
}

Folder::Folder(Env& env, int descriptor, std::string path) noexcept
    : env_(&env), descriptor_(descriptor), path_(std::move(path)) {}

// Nothing is written through it: a close that fails says nothing that anybody could use.
Folder::~Folder() { static_cast<void>(Close().ok()); }

Folder::Folder(Folder&& other) noexcept
    : env_(other.env_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)) {}

Folder& Folder::operator=(Folder&& other) noexcept {
  if (this == &other) return *this;
  static_cast<void>(Close().ok());
  env_ = other.env_;
  descriptor_ = std::exchange(other.descriptor_, -1);
  path_ = std::move(other.path_);
  return *this;
}

Status Folder::Close() noexcept {
  if (!is_open()) return {};
  const Outcome closed = env_->Close(std::exchange(descriptor_, -1));
  return closed.ok() ? Status() : SystemError(closed.error(), "close " + path_);
}

Result<Folder> Folder::OpenFolder(const std::string& name, Missing missing) const noexcept {
  if (Status checked = CheckName(name); !checked.ok()) return checked;
  const Outcome opened = OpenOrMake(*env_, descriptor_, name.c_str(), missing);
  if (!opened.ok()) return Failure(opened.error(), "open folder", name);
  return Folder(*env_, static_cast<int>(opened.value()), PathOf(name));
}

Result<File> Folder::OpenFile(const std::string& name, Env::Access access) const noexcept {
  if (Status checked = CheckName(name); !checked.ok()) return checked;
  const Outcome opened =
      Uninterrupted([&] { return env_->OpenFile(descriptor_, name.c_str(), access); });
  if (!opened.ok()) {
    return Failure(opened.error(), access == Env::Access::kCreate ? "create" : "open", name);
  }
  return File(*env_, static_cast<int>(opened.value()), PathOf(name));
}

Status Folder::Unlink(const std::string& name) const noexcept {
  if (Status checked = CheckName(name); !checked.ok()) return checked;
  const Outcome gone = env_->Unlink(descriptor_, name.c_str());
  return gone.ok() ? Status() : Failure(gone.error(), "unlink", name);
}

Status Folder::RemoveFolder(const std::string& name) const noexcept {
  if (Status checked = CheckName(name); !checked.ok()) return checked;
  const Outcome gone = env_->RemoveFolder(descriptor_, name.c_str());
  return gone.ok() ? Status() : Failure(gone.error(), "remove folder", name);
}

Status Folder::Rename(const std::string& from, const std::string& to) const noexcept {
  if (Status checked = CheckName(from); !checked.ok()) return checked;
  if (Status checked = CheckName(to); !checked.ok()) return checked;
  const Outcome renamed = env_->Rename(descriptor_, from.c_str(), to.c_str());
  return renamed.ok() ? Status() : Failure(renamed.error(), "rename", from);
}

Status Folder::Link(const std::string& from, const std::string& to) const noexcept {
  if (Status checked = CheckName(from); !checked.ok()) return checked;
  if (Status checked = CheckName(to); !checked.ok()) return checked;
  const Outcome linked = env_->Link(descriptor_, from.c_str(), to.c_str());
  return linked.ok() ? Status() : Failure(linked.error(), "link", from + " to " + to);
}

Result<NodeInfo> Folder::StatAt(const std::string& name) const noexcept {
  if (Status checked = CheckName(name); !checked.ok()) return checked;
  NodeInfo info;
  const Outcome found = env_->StatAt(descriptor_, name.c_str(), &info);
  if (!found.ok()) return Failure(found.error(), "stat", name);
  return info;
}

Result<NodeInfo> Folder::Stat() const noexcept {
  NodeInfo info;
  const Outcome found = env_->Stat(descriptor_, &info);
  if (!found.ok()) return SystemError(found.error(), "stat " + path_);
  return info;
}

Result<VolumeInfo> Folder::StatVolume() const noexcept {
  VolumeInfo info;
  const Outcome found = Uninterrupted([&] { return env_->StatVolume(descriptor_, &info); });
  if (!found.ok()) return SystemError(found.error(), "look at the file system of " + path_);
  return info;
}

Status Folder::List(const std::function<bool(const Listed&)>& visit) const noexcept {
  const Outcome listed = env_->List(descriptor_, [&](const Listed& entry) {
    if (entry.kind != NodeKind::kOther) return visit(entry);
    NodeInfo info;
    const Outcome found = env_->StatAt(descriptor_, std::string(entry.name).c_str(), &info);
    // Gone meanwhile: then it is not in the list either.
    if (found.error() == ENOENT) return true;
    return visit({entry.name, found.ok() ? info.kind : NodeKind::kOther});
  });
  return listed.ok() ? Status() : SystemError(listed.error(), "list " + path_);
}

Status Folder::Sync() const noexcept {
  const Outcome synced = Uninterrupted([&] { return env_->SyncFolder(descriptor_); });
  return synced.ok() ? Status() : SystemError(synced.error(), "sync folder " + path_);
}

Status Folder::CheckName(const std::string& name) const {
  if (IsPlainName(name)) return {};
  return Status::InvalidArgument(Quoted(name) + " is no name of a file in " + path_ +
                                 "; it must be one part of a path, of 1 to 255 bytes");
}

Status Folder::Failure(int error, const char* tried, const std::string& name) const {
  return SystemError(error, std::string(tried) + " " + PathOf(name));
}

std::string Folder::PathOf(const std::string& name) const {
  return path_.ends_with('/') ? path_ + name : path_ + "/" + name;
}

Result<Folder> OpenFolderAt(Env& env, const std::string& path, Folder::Missing missing) noexcept {
  if (path.empty() || path.find('\0') != path.npos) {
    return Status::InvalidArgument(Quoted(path) + " is no path of a folder");
  }
  const std::string trimmed = Trimmed(path);
  if (missing == Folder::Missing::kMake) {
    // Those above it first, and none where all is there.
    NodeInfo info;
    const Outcome found = env.StatAt(Env::kHere, trimmed.c_str(), &info);
    const bool absent = found.error() == ENOENT;
    if (!found.ok() && !absent) return SystemError(found.error(), "open folder " + trimmed);
    for (size_t end = 1; absent && (end = trimmed.find('/', end)) != trimmed.npos; end++) {
      const std::string above = trimmed.substr(0, end);
      const Outcome made = env.MakeFolder(Env::kHere, above.c_str());
      if (!made.ok() && made.error() != EEXIST) {
        return SystemError(made.error(), "make folder " + above);
      }
    }
  }
  const Outcome opened = OpenOrMake(env, Env::kHere, trimmed.c_str(), missing);
  if (!opened.ok()) return SystemError(opened.error(), "open folder " + trimmed);
  return Folder(env, static_cast<int>(opened.value()), trimmed);
}

}  // namespace drey
