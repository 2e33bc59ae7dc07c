#include "support/env_fault.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace drey::test {
namespace {

constexpr std::array<const char*, kCalls> kNames = {
    "OpenFolder", "MakeFolder", "List",       "SyncFolder", "Unlink",         "RemoveFolder",
    "Rename",     "Link",       "StatAt",     "OpenFile",   "Close",          "Read",
    "ReadCached", "Write",      "SyncData",   "Sync",       "Truncate",       "Allocate",
    "Punch",      "Stat",       "StatVolume", "Advise",     "StartWriteback", "Socket",
    "Bind",       "Listen",     "Accept",     "Connect",    "PeerProcess",    "Send",
    "Receive",    "Await",      "Boot",       "Entropy"};

Outcome Failed(int error) { return Outcome::Failed(error); }

}  // namespace

const char* NameOf(Call call) noexcept { return kNames[static_cast<size_t>(call)]; }

void FaultEnv::Inject(Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back({std::move(fault), 0});
}

void FaultEnv::ClearFaults() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
}

uint64_t FaultEnv::calls() const {
  const std::lock_guard lock(mutex_);
  uint64_t all = 0;
  for (const uint64_t count : counts_) all += count;
  return all;
}

uint64_t FaultEnv::calls(Call call) const {
  const std::lock_guard lock(mutex_);
  return counts_[static_cast<size_t>(call)];
}

void FaultEnv::Record() {
  const std::lock_guard lock(mutex_);
  recording_ = true;
  journal_.clear();
}

std::vector<FaultEnv::Called> FaultEnv::journal() const {
  const std::lock_guard lock(mutex_);
  return journal_;
}

size_t FaultEnv::open_descriptors() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void FaultEnv::Halt() {
  const std::lock_guard lock(mutex_);
  halted_ = true;
}

bool FaultEnv::halted() const {
  const std::lock_guard lock(mutex_);
  return halted_;
}

bool FaultEnv::LosePower(uint64_t seed, PowerLoss how) {
  const std::lock_guard lock(mutex_);
  if (!open_.empty()) return false;
  const bool done = model_.Lose(base_, seed, how);
  torn_ = model_.torn();
  losses_ += 1;
  halted_ = false;
  return done;
}

uint64_t FaultEnv::torn() const {
  const std::lock_guard lock(mutex_);
  return torn_;
}

FaultEnv::Verdict FaultEnv::Judge(Call call, const std::string& path) noexcept {
  Verdict verdict;
  std::vector<std::function<void()>> before;
  {
    const std::lock_guard lock(mutex_);
    counts_[static_cast<size_t>(call)] += 1;
    if (recording_) journal_.push_back({call, path});
    for (Pending& pending : faults_) {
      const Fault& fault = pending.fault;
      if (fault.call && *fault.call != call) continue;
      if (path.find(fault.path) == path.npos) continue;
      pending.seen += 1;
      if (pending.seen < fault.nth || pending.seen - fault.nth >= fault.times) continue;
      if (fault.before) before.push_back(fault.before);
      if (verdict.error == 0) verdict.error = fault.error;
      verdict.at_most = std::min(verdict.at_most, fault.at_most);
      halted_ = halted_ || fault.halt;
    }
  }
  for (const auto& hook : before) hook();
  // After the hooks, for one of them may be what halts.
  if (halted()) verdict.error = EIO;
  return verdict;
}

std::string FaultEnv::PathOf(int descriptor) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(descriptor);
  return found == open_.end() ? "" : found->second.path;
}

std::string FaultEnv::PathOf(int folder, const char* name) const {
  return folder == kHere ? name : PathOf(folder) + "/" + name;
}

DiskModel::Id FaultEnv::IdOf(int descriptor) const {
  const auto found = open_.find(descriptor);
  return found == open_.end() ? DiskModel::kNone : found->second.id;
}

Outcome FaultEnv::Opened(Outcome outcome, std::string path, DiskModel::Id id) {
  if (outcome.ok()) open_[static_cast<int>(outcome.value())] = {std::move(path), id};
  return outcome;
}

DiskModel::Id FaultEnv::Known(int folder, const char* name, const NodeInfo& info) {
  const DiskModel::Id above = IdOf(folder);
  if (above == DiskModel::kNone) return DiskModel::kNone;
  if (const DiskModel::Id known = model_.Find(above, name); known != DiskModel::kNone) return known;
  if (info.kind == NodeKind::kFile) return model_.ImportFile(base_, above, name);
  if (info.kind != NodeKind::kFolder) return DiskModel::kNone;
  const DiskModel::Id id =
      model_.AddFolder(model_.PathOf(above) + "/" + name, info.device, info.inode, false);
  model_.ImportFolder(above, name, id);
  return id;
}

Outcome FaultEnv::OpenFolder(int folder, const char* name) noexcept {
  const std::string path = PathOf(folder, name);
  const Verdict verdict = Judge(Call::kOpenFolder, path);
  if (verdict.error != 0) return Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  const Outcome opened = base_.OpenFolder(folder, name);
  if (!opened.ok()) return opened;
  NodeInfo info;
  const Outcome found = base_.Stat(static_cast<int>(opened.value()), &info);
  if (!found.ok()) {
    static_cast<void>(base_.Close(static_cast<int>(opened.value())));
    return found;
  }
  const DiskModel::Id id = folder == kHere ? model_.AddFolder(path, info.device, info.inode, true)
                                           : Known(folder, name, info);
  return Opened(opened, path, id);
}

Outcome FaultEnv::MakeFolder(int folder, const char* name) noexcept {
  const std::string path = PathOf(folder, name);
  const Verdict verdict = Judge(Call::kMakeFolder, path);
  if (verdict.error != 0) return Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  const Outcome made = base_.MakeFolder(folder, name);
  const DiskModel::Id above = IdOf(folder);
  if (!made.ok() || above == DiskModel::kNone) return made;
  NodeInfo info;
  const Outcome found = base_.StatAt(folder, name, &info);
  if (!found.ok()) return found;
  const DiskModel::Id id = model_.AddFolder(path, info.device, info.inode, false);
  model_.CreateFolder(above, name, id);
  return made;
}

Outcome FaultEnv::List(int folder, const std::function<bool(const Listed&)>& visit) noexcept {
  const Verdict verdict = Judge(Call::kList, PathOf(folder));
  return verdict.error != 0 ? Failed(verdict.error) : base_.List(folder, visit);
}

// A sync that is interrupted has not begun.
Outcome FaultEnv::SyncWith(Call call, int descriptor) noexcept {
  uint64_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = model_.now();
  }
  const Verdict verdict = Judge(call, PathOf(descriptor));
  const std::lock_guard lock(mutex_);
  const DiskModel::Id id = IdOf(descriptor);
  if (id == DiskModel::kNone) return verdict.error != 0 ? Failed(verdict.error) : Outcome::Of(0);
  if (verdict.error != 0) {
    if (verdict.error != EINTR && !halted_) model_.GiveUp(id, before);
    return Failed(verdict.error);
  }
  if (call == Call::kSyncFolder) {
    model_.SyncFolder(id, before);
  } else {
    model_.SyncFile(id, before);
  }
  return Outcome::Of(0);
}

Outcome FaultEnv::SyncFolder(int folder) noexcept { return SyncWith(Call::kSyncFolder, folder); }
Outcome FaultEnv::SyncData(int file) noexcept { return SyncWith(Call::kSyncData, file); }
Outcome FaultEnv::Sync(int file) noexcept { return SyncWith(Call::kSync, file); }

Outcome FaultEnv::Gone(Call call, int folder, const char* name) noexcept {
  const Verdict verdict = Judge(call, PathOf(folder, name));
  if (verdict.error != 0) return Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  if (halted_) return Failed(EIO);
  NodeInfo info;
  // What it had is wanted if its end is lost.
  const bool there = base_.StatAt(folder, name, &info).ok();
  const DiskModel::Id id = there ? Known(folder, name, info) : DiskModel::kNone;
  const Outcome gone =
      call == Call::kUnlink ? base_.Unlink(folder, name) : base_.RemoveFolder(folder, name);
  if (gone.ok() && id != DiskModel::kNone) model_.Remove(IdOf(folder), name);
  return gone;
}

Outcome FaultEnv::Unlink(int folder, const char* name) noexcept {
  return Gone(Call::kUnlink, folder, name);
}

Outcome FaultEnv::RemoveFolder(int folder, const char* name) noexcept {
  return Gone(Call::kRemoveFolder, folder, name);
}

Outcome FaultEnv::Rename(int folder, const char* from, const char* to) noexcept {
  const Verdict verdict = Judge(Call::kRename, PathOf(folder, from));
  if (verdict.error != 0) return Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  if (halted_) return Failed(EIO);
  NodeInfo info;
  DiskModel::Id moved = DiskModel::kNone;
  if (base_.StatAt(folder, from, &info).ok()) moved = Known(folder, from, info);
  // Files only: a folder's path is where the model looks for it.
  if (info.kind == NodeKind::kFolder) return Failed(EISDIR);
  if (base_.StatAt(folder, to, &info).ok()) static_cast<void>(Known(folder, to, info));
  const Outcome renamed = base_.Rename(folder, from, to);
  if (renamed.ok() && moved != DiskModel::kNone) model_.Rename(IdOf(folder), from, to);
  return renamed;
}

Outcome FaultEnv::Link(int folder, const char* from, const char* to) noexcept {
  const Verdict verdict = Judge(Call::kLink, PathOf(folder, from));
  if (verdict.error != 0) return Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  if (halted_) return Failed(EIO);
  NodeInfo info;
  DiskModel::Id id = DiskModel::kNone;
  if (base_.StatAt(folder, from, &info).ok()) id = Known(folder, from, info);
  const Outcome linked = base_.Link(folder, from, to);
  if (linked.ok() && id != DiskModel::kNone) model_.Link(IdOf(folder), from, to);
  return linked;
}

Outcome FaultEnv::StatAt(int folder, const char* name, NodeInfo* info) noexcept {
  const Verdict verdict = Judge(Call::kStatAt, PathOf(folder, name));
  return verdict.error != 0 ? Failed(verdict.error) : base_.StatAt(folder, name, info);
}

Outcome FaultEnv::OpenFile(int folder, const char* name, Access access) noexcept {
  const std::string path = PathOf(folder, name);
  const Verdict verdict = Judge(Call::kOpenFile, path);
  if (verdict.error != 0) return Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  if (halted_) return Failed(EIO);
  const Outcome opened = base_.OpenFile(folder, name, access);
  if (!opened.ok() || access == Access::kRead) return Opened(opened, path, DiskModel::kNone);
  const DiskModel::Id above = IdOf(folder);
  DiskModel::Id id = DiskModel::kNone;
  if (access == Access::kCreate) {
    if (above != DiskModel::kNone) id = model_.CreateFile(above, name);
  } else {
    id = Known(folder, name, {.kind = NodeKind::kFile});
  }
  return Opened(opened, path, id);
}

Outcome FaultEnv::Close(int descriptor) noexcept {
  const Verdict verdict = Judge(Call::kClose, PathOf(descriptor));
  {
    const std::lock_guard lock(mutex_);
    // Before, because its number may be another's at once.
    open_.erase(descriptor);
  }
  const Outcome closed = base_.Close(descriptor);
  // Nobody is left who could care when the machine has stopped.
  return verdict.error != 0 && !halted() ? Failed(verdict.error) : closed;
}

Outcome FaultEnv::Read(int file, uint64_t offset, std::span<uint8_t> bytes) noexcept {
  const Verdict verdict = Judge(Call::kRead, PathOf(file));
  if (verdict.error != 0) return Failed(verdict.error);
  return base_.Read(file, offset, bytes.first(std::min<uint64_t>(bytes.size(), verdict.at_most)));
}

Outcome FaultEnv::ReadCached(int file, uint64_t offset, std::span<uint8_t> bytes) noexcept {
  const Verdict verdict = Judge(Call::kReadCached, PathOf(file));
  if (verdict.error != 0) return Failed(verdict.error);
  // All or nothing: less than all is what would block.
  if (verdict.at_most < bytes.size()) return Failed(EAGAIN);
  return base_.ReadCached(file, offset, bytes);
}

// `make` is given the model's id, and makes the call and the change.
template <class Make>
Outcome FaultEnv::Change(Call call, int file, Make make) noexcept {
  const Verdict verdict = Judge(call, PathOf(file));
  if (verdict.error != 0) return Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  // It may have been halted since.
  if (halted_) return Failed(EIO);
  return make(IdOf(file), verdict.at_most);
}

Outcome FaultEnv::Write(int file, uint64_t offset, std::span<const Slice> slices) noexcept {
  return Change(Call::kWrite, file, [&](DiskModel::Id id, uint64_t at_most) {
    std::vector<Slice> cut;
    for (const Slice& slice : slices) {
      const uint64_t size = std::min<uint64_t>(slice.size(), at_most);
      cut.push_back(slice.first(size));
      at_most -= size;
    }
    const Outcome wrote = base_.Write(file, offset, cut);
    if (wrote.ok() && id != DiskModel::kNone) model_.Write(id, offset, cut, wrote.value());
    return wrote;
  });
}

Outcome FaultEnv::Truncate(int file, uint64_t size) noexcept {
  return Change(Call::kTruncate, file, [&](DiskModel::Id id, uint64_t) {
    const Outcome cut = base_.Truncate(file, size);
    if (cut.ok() && id != DiskModel::kNone) model_.Truncate(id, size);
    return cut;
  });
}

Outcome FaultEnv::Allocate(int file, uint64_t offset, uint64_t bytes,
                           Allocation allocation) noexcept {
  return Change(Call::kAllocate, file, [&](DiskModel::Id id, uint64_t) {
    const Outcome made = base_.Allocate(file, offset, bytes, allocation);
    const bool grew = made.ok() && allocation == Allocation::kExtend;
    if (grew && id != DiskModel::kNone) model_.Extend(id, offset + bytes);
    return made;
  });
}

Outcome FaultEnv::Punch(int file, uint64_t offset, uint64_t bytes) noexcept {
  return Change(Call::kPunch, file, [&](DiskModel::Id id, uint64_t) {
    const Outcome punched = base_.Punch(file, offset, bytes);
    if (punched.ok() && id != DiskModel::kNone) model_.Punch(id, offset, bytes);
    return punched;
  });
}

Outcome FaultEnv::Stat(int descriptor, NodeInfo* info) noexcept {
  const Verdict verdict = Judge(Call::kStat, PathOf(descriptor));
  return verdict.error != 0 ? Failed(verdict.error) : base_.Stat(descriptor, info);
}

Outcome FaultEnv::StatVolume(int descriptor, VolumeInfo* info) noexcept {
  const Verdict verdict = Judge(Call::kStatVolume, PathOf(descriptor));
  return verdict.error != 0 ? Failed(verdict.error) : base_.StatVolume(descriptor, info);
}

Outcome FaultEnv::Advise(int file, uint64_t offset, uint64_t bytes, Advice advice) noexcept {
  const Verdict verdict = Judge(Call::kAdvise, PathOf(file));
  return verdict.error != 0 ? Failed(verdict.error) : base_.Advise(file, offset, bytes, advice);
}

Outcome FaultEnv::StartWriteback(int file, uint64_t offset, uint64_t bytes) noexcept {
  const Verdict verdict = Judge(Call::kStartWriteback, PathOf(file));
  return verdict.error != 0 ? Failed(verdict.error) : base_.StartWriteback(file, offset, bytes);
}

}  // namespace drey::test
