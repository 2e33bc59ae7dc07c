#include "support/temp_folder.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "io/env_posix.h"
#include "io/folder.h"

namespace drey::test {

TempFolder::TempFolder() {
  const char* const set = std::getenv("TMPDIR");
  path_ = std::string(set == nullptr || *set == '\0' ? "/tmp" : set) + "/drey-test-XXXXXX";
  if (::mkdtemp(path_.data()) != nullptr) return;
  std::perror(path_.c_str());
  std::abort();
}

TempFolder::~TempFolder() {
  if (!RemoveAll(PosixEnv(), path_)) std::perror(path_.c_str());
}

bool RemoveAll(Env& env, const std::string& path) {
  NodeInfo info;
  if (!env.StatAt(Env::kHere, path.c_str(), &info).ok()) return false;
  if (info.kind != NodeKind::kFolder) return env.Unlink(Env::kHere, path.c_str()).ok();
  std::vector<std::string> names;
  {
    Result<Folder> folder = OpenFolderAt(env, path, Folder::Missing::kRefuse);
    if (!folder.ok()) return false;
    const Status listed = folder.value().List([&](const Listed& entry) {
      names.emplace_back(entry.name);
      return true;
    });
    if (!listed.ok()) return false;
  }
  for (const std::string& name : names) {
    if (!RemoveAll(env, path + "/" + name)) return false;
  }
  return env.RemoveFolder(Env::kHere, path.c_str()).ok();
}

int OpenDescriptors() {
  std::error_code error;
  std::filesystem::directory_iterator entries("/proc/self/fd", error);
  if (error) return -1;
  int count = 0;
  for (const auto& entry : entries) count += entry.path().empty() ? 0 : 1;
  return count;
}

}  // namespace drey::test
