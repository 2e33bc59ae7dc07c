#include "file_store/directory.h"

#include <utility>

#include "file_store/format/limits.h"

namespace drey::file {
namespace {

Result<DirectoryHeader> ReadHeader(const Folder& root) {
  Result<File> opened = root.OpenFile(kDirectoryFile, Env::Access::kRead);
  if (!opened.ok()) return opened.TakeStatus();
  const File file = opened.Take();
  std::vector<uint8_t> bytes(DirectoryHeader::kFileBytes);
  const Result<uint64_t> read = file.ReadUpTo(0, bytes);
  if (!read.ok()) {
    return Status::Failed(read.status().code(), read.status().message(), read.status().error());
  }
  Result<DirectoryHeader> header = ParseDirectory(Slice(bytes).first(read.value()));
  if (header.ok()) return header;
  return Status::Failed(header.status().code(), root.path() + ": " + header.status().message());
}

Status RefuseOthers(const Folder& root) {
  std::string other;
  Status listed = root.List([&](const Listed& entry) {
    if (IsUnfinishedDirectoryFile(entry.name)) return true;
    other = entry.name;
    return false;
  });
  if (!listed.ok() || other.empty()) return listed;
  return Status::InvalidArgument(root.path() +
                                 " is not a directory of drey, and not empty: it has \"" + other +
                                 "\"; give dir an empty folder, or one that does not exist");
}

Status Fill(Env& env, std::span<uint8_t> bytes) {
  const Outcome filled = env.Entropy(bytes);
  if (filled.ok()) return {};
  return Status::Failed(Status::Code::kIo, "the system gives no random bytes", filled.error());
}

Status Make(const Folder& root, uint32_t partitions, uint64_t now) {
  DirectoryHeader header{.partitions = partitions, .made_at = now};
  uint8_t suffix[8] = {};
  for (const std::span<uint8_t> random :
       {std::span<uint8_t>(header.store_id), std::span<uint8_t>(header.secret),
        std::span<uint8_t>(suffix)}) {
    if (Status filled = Fill(root.env(), random); !filled.ok()) return filled;
  }
  std::vector<uint8_t> bytes(DirectoryHeader::kFileBytes);
  Encode(header, bytes);
  const std::string name = std::string(kDirectoryFile) + "." + Hex(Slice(suffix));
  Result<File> made = root.OpenFile(name, Env::Access::kCreate);
  if (!made.ok()) return made.TakeStatus();
  File file = made.Take();
  Status done = file.WriteFull(0, Slice(bytes));
  if (done.ok()) done = file.Sync();
  if (done.ok()) done = file.Close();
  if (done.ok()) done = root.Link(name, kDirectoryFile);
  // Somebody was as quick: there is a whole one, and it counts.
  if (done.code() == Status::Code::kExists) done = Status();
  Status unlinked = root.Unlink(name);
  if (done.ok()) done = std::move(unlinked);
  return done.ok() ? root.Sync() : std::move(done);
}

}  // namespace

Result<std::unique_ptr<Directory>> Directory::Open(Env& env, const std::string& path,
                                                   uint32_t partitions, uint64_t now) noexcept {
  Result<Folder> root = OpenFolderAt(env, path, Folder::Missing::kMake);
  if (!root.ok()) return root.TakeStatus();
  auto directory = std::make_unique<Directory>();
  directory->root_ = root.Take();
  Result<DirectoryHeader> header = ReadHeader(directory->root_);
  if (header.status().code() == Status::Code::kNotFound) {
    if (Status refused = RefuseOthers(directory->root_); !refused.ok()) {
      // Somebody may have made it since.
      header = ReadHeader(directory->root_);
      if (!header.ok()) return refused;
    } else {
      if (Status made = Make(directory->root_, partitions, now); !made.ok()) return made;
      header = ReadHeader(directory->root_);
    }
  }
  if (!header.ok()) return header.TakeStatus();
  directory->header_ = header.value();
  directory->partitions_.resize(directory->header_.partitions);
  return directory;
}

Status Directory::OpenLog() noexcept {
  Result<Folder> log = root_.OpenFolder(kLogFolder, Folder::Missing::kMake);
  if (!log.ok()) return log.TakeStatus();
  log_ = log.Take();
  return root_.Sync();
}

Result<const Folder*> Directory::Partition(uint32_t partition) noexcept {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Folder>& folder = partitions_[partition];
  if (folder != nullptr) return folder.get();
  Result<Folder> opened = root_.OpenFolder(PartitionName(partition), Folder::Missing::kMake);
  if (!opened.ok()) return opened.TakeStatus();
  // Its name has to be there before a blob in it counts.
  if (Status synced = root_.Sync(); !synced.ok()) return synced;
  folder = std::make_unique<Folder>(opened.Take());
  return folder.get();
}

std::vector<uint32_t> Directory::Partitions() noexcept {
  const std::lock_guard lock(mutex_);
  std::vector<uint32_t> there;
  for (uint32_t at = 0; at < partitions_.size(); at++) {
    if (partitions_[at] != nullptr) there.push_back(at);
  }
  return there;
}

Status Directory::FindPartitions() noexcept {
  std::vector<uint32_t> found;
  Status listed = root_.List([&](const Listed& entry) {
    const auto partition = ParsePartitionName(entry.name, header_.partitions);
    if (partition) found.push_back(*partition);
    return true;
  });
  for (size_t at = 0; listed.ok() && at < found.size(); at++) {
    Result<const Folder*> opened = Partition(found[at]);
    if (!opened.ok()) listed = opened.TakeStatus();
  }
  return listed;
}

}  // namespace drey::file
