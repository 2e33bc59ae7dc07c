#include "file_fixture.h"

namespace drey::test {

uint64_t BlocksOf(Env& env, const std::string& path) {
  Result<Folder> opened = OpenFolderAt(env, path, Folder::Missing::kRefuse);
  if (!opened.ok()) return 0;
  const Folder folder = opened.Take();
  const Result<NodeInfo> own = folder.Stat();
  uint64_t blocks = own.ok() ? own.value().allocated : 0;
  std::vector<std::string> names;
  static_cast<void>(folder
                        .List([&](const Listed& entry) {
                          names.emplace_back(entry.name);
                          return true;
                        })
                        .ok());
  for (const std::string& name : names) {
    const Result<NodeInfo> info = folder.StatAt(name);
    if (!info.ok()) continue;
    blocks += info.value().kind == NodeKind::kFolder ? BlocksOf(env, path + "/" + name)
                                                     : info.value().allocated;
  }
  return blocks;
}

}  // namespace drey::test
