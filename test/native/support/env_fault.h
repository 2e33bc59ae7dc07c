#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "io/env.h"
#include "support/disk_model.h"

namespace drey::test {

// The calls of Env, one by one.
enum class Call : uint8_t {
  kOpenFolder,
  kMakeFolder,
  kList,
  kSyncFolder,
  kUnlink,
  kRemoveFolder,
  kRename,
  kLink,
  kStatAt,
  kOpenFile,
  kClose,
  kRead,
  kReadCached,
  kWrite,
  kSyncData,
  kSync,
  kTruncate,
  kAllocate,
  kPunch,
  kStat,
  kStatVolume,
  kAdvise,
  kStartWriteback,
  kSocket,
  kBind,
  kListen,
  kAccept,
  kConnect,
  kPeerProcess,
  kSend,
  kReceive,
  kAwait,
  kBoot,
  kEntropy,
};
inline constexpr size_t kCalls = static_cast<size_t>(Call::kEntropy) + 1;
const char* NameOf(Call call) noexcept;

// What is to go wrong, and when.
struct Fault {
  // Calls of this kind, or all.
  std::optional<Call> call{};
  // On what has this in its path, or all. Calls on the machine and on sockets have no path.
  std::string path{};
  // The first of those calls that it concerns, counted from 1 and from its injection on.
  uint64_t nth = 1;
  // How many of them.
  uint64_t times = UINT64_MAX;

  // Runs before the call, on its thread and without any lock: the place to wait, and so to be slow.
  std::function<void()> before{};
  // The call is not made, and fails with this errno. A close closes and fails; a sync that fails
  // has lost what it should have kept, except with EINTR.
  int error = 0;
  // Reads and writes take so many bytes at most.
  uint64_t at_most = UINT64_MAX;
  // The machine stops before the call: see Halt.
  bool halt = false;
};

// The twin of another Env that goes wrong as it is told, and whose machine can lose power.
//
// Everything is passed on to the other Env, except that syncs are not: what they promise is kept by
// the model (disk_model.h), and a test would wait for a disk for nothing.
//
// Invariants:
//  - A call that no fault concerns does what the other Env does.
//  - Faults are looked at in the order of their injection; all that concern a call apply, and the
//  first with an error ends it.
//  - Once halted nothing changes the disk any more, and every call but Close fails with EIO, until
//  LosePower.
//  - Safe from any thread. Calls that change the disk are made one at a time, so that the model
//  knows their order.
class FaultEnv final : public Env {
 public:
  explicit FaultEnv(Env& base) noexcept : base_(base) {}

  void Inject(Fault fault);
  void ClearFaults();

  // Of all kinds, or of one; Close after Halt too.
  uint64_t calls() const;
  uint64_t calls(Call call) const;
  // Every call from here on, with what it was on, in `journal`.
  void Record();
  struct Called {
    Call call;
    std::string path;
  };
  std::vector<Called> journal() const;
  // Descriptors that were opened by it and not closed.
  size_t open_descriptors() const;

  void Halt();
  bool halted() const;
  // What was open is to be closed before. Leaves on the disk a state that `how` allows, the boot id
  // is another, and everything works again: false when the disk could not be written.
  bool LosePower(uint64_t seed, PowerLoss how);
  // Of the last LosePower: pages of which a part was written, and a part was not.
  uint64_t torn() const;

  Outcome OpenFolder(int folder, const char* name) noexcept override;
  Outcome MakeFolder(int folder, const char* name) noexcept override;
  Outcome List(int folder, const std::function<bool(const Listed&)>& visit) noexcept override;
  Outcome SyncFolder(int folder) noexcept override;
  Outcome Unlink(int folder, const char* name) noexcept override;
  Outcome RemoveFolder(int folder, const char* name) noexcept override;
  Outcome Rename(int folder, const char* from, const char* to) noexcept override;
  Outcome Link(int folder, const char* from, const char* to) noexcept override;
  Outcome StatAt(int folder, const char* name, NodeInfo* info) noexcept override;
  Outcome OpenFile(int folder, const char* name, Access access) noexcept override;
  Outcome Close(int descriptor) noexcept override;
  Outcome Read(int file, uint64_t offset, std::span<uint8_t> bytes) noexcept override;
  Outcome ReadCached(int file, uint64_t offset, std::span<uint8_t> bytes) noexcept override;
  Outcome Write(int file, uint64_t offset, std::span<const Slice> slices) noexcept override;
  Outcome SyncData(int file) noexcept override;
  Outcome Sync(int file) noexcept override;
  Outcome Truncate(int file, uint64_t size) noexcept override;
  Outcome Allocate(int file, uint64_t offset, uint64_t bytes,
                   Allocation allocation) noexcept override;
  Outcome Punch(int file, uint64_t offset, uint64_t bytes) noexcept override;
  Outcome Stat(int descriptor, NodeInfo* info) noexcept override;
  Outcome StatVolume(int descriptor, VolumeInfo* info) noexcept override;
  Outcome Advise(int file, uint64_t offset, uint64_t bytes, Advice advice) noexcept override;
  Outcome StartWriteback(int file, uint64_t offset, uint64_t bytes) noexcept override;
  Outcome Socket() noexcept override;
  Outcome Bind(int socket, int folder, const char* name) noexcept override;
  Outcome Listen(int socket, int backlog) noexcept override;
  Outcome Accept(int socket) noexcept override;
  Outcome Connect(int socket, int folder, const char* name) noexcept override;
  Outcome PeerProcess(int socket) noexcept override;
  Outcome Send(int socket, Slice bytes) noexcept override;
  Outcome Receive(int socket, std::span<uint8_t> bytes) noexcept override;
  Outcome Await(std::span<Awaited> sockets, uint32_t milliseconds) noexcept override;
  Outcome Boot(BootId* id) noexcept override;
  Outcome Entropy(std::span<uint8_t> bytes) noexcept override;
  double EpochMilliseconds() noexcept override { return base_.EpochMilliseconds(); }
  uint64_t Process() noexcept override { return base_.Process(); }

 private:
  struct Open {
    std::string path;
    // kNone for what the model need not know: sockets, and files that are only read.
    DiskModel::Id id = DiskModel::kNone;
  };
  struct Pending {
    Fault fault;
    // Calls that it might have concerned so far.
    uint64_t seen = 0;
  };
  // What becomes of a call.
  struct Verdict {
    int error = 0;
    uint64_t at_most = UINT64_MAX;
  };

  Verdict Judge(Call call, const std::string& path) noexcept;
  std::string PathOf(int descriptor) const;
  std::string PathOf(int folder, const char* name) const;
  DiskModel::Id IdOf(int descriptor) const;
  Outcome Opened(Outcome outcome, std::string path, DiskModel::Id id);
  // Of what was there before the model looked, too.
  DiskModel::Id Known(int folder, const char* name, const NodeInfo& info);
  Outcome SyncWith(Call call, int descriptor) noexcept;
  template <class Make>
  Outcome Change(Call call, int file, Make make) noexcept;
  Outcome Gone(Call call, int folder, const char* name) noexcept;

  Env& base_;
  mutable std::mutex mutex_;
  // Guarded by mutex_, all below.
  DiskModel model_;
  std::map<int, Open> open_;
  std::vector<Pending> faults_;
  std::array<uint64_t, kCalls> counts_{};
  std::vector<Called> journal_;
  uint64_t losses_ = 0;
  uint64_t torn_ = 0;
  bool recording_ = false;
  bool halted_ = false;
};

}  // namespace drey::test
