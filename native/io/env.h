#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "core/slice.h"

namespace drey {

// What a system call gives: a number, or the errno that says why there is none. It has no words,
// because most failures at this seam are looked at and dealt with (an interruption, a read that
// would block); File and Folder, in file.h, make a Status of those that are not.
class [[nodiscard]] Outcome {
 public:
  static Outcome Of(uint64_t value) noexcept { return Outcome(value, 0); }
  static Outcome Failed(int error) noexcept { return Outcome(0, error); }

  bool ok() const noexcept { return error_ == 0; }
  uint64_t value() const noexcept { return value_; }
  // 0 when it succeeded.
  int error() const noexcept { return error_; }

 private:
  Outcome(uint64_t value, int error) noexcept : value_(value), error_(error) {}

  uint64_t value_;
  int error_;
};

enum class NodeKind : uint8_t { kFile, kFolder, kLink, kSocket, kOther };

struct NodeInfo {
  NodeKind kind = NodeKind::kOther;
  uint64_t size = 0;
  // What it occupies, as the disk's blocks see it.
  uint64_t allocated = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t links = 0;
  // Permissions alone.
  uint32_t mode = 0;
  // When its content was changed last, in milliseconds since 1970.
  double modified_at = 0;
};

struct VolumeInfo {
  uint64_t total = 0;
  // What there is for processes without privileges.
  uint64_t available = 0;
  uint64_t block = 0;
  bool read_only = false;
};

struct Listed {
  // Valid for the length of the call.
  std::string_view name;
  // kOther when the file system does not say: ask StatAt.
  NodeKind kind = NodeKind::kOther;
};

struct Awaited {
  int socket = -1;
  bool ready = false;
};

// Says which start of the machine this is.
struct BootId {
  std::array<uint8_t, 16> bytes{};

  bool operator==(const BootId&) const noexcept = default;
};

// Every system call of the file store, behind a seam, so that tests can let each of them fail, and
// can take away what was not synced.
//
// Rules for all implementations (docs/reference/io.md numbers them):
//  - A file is named by the descriptor of its folder and one plain name: never a path, never "." or
//  "..". Callers check names (Folder does). With `kHere` as folder the name is the path that the
//  operator gave.
//  - What is opened is never a link; of a path with kHere links above its last part are followed.
//  Descriptors are closed when another program is started. Files are made with mode 0600, folders
//  with 0700.
//  - A call is one system call: it may be interrupted (EINTR), and read or write less than asked
//  for. The helpers in file.h go on; nothing here does, so that a test can stand in between.
//  - Safe from any thread. A call that takes long takes its caller's time, and no lock with it.
class Env {
 public:
  virtual ~Env() = default;

  // As a folder: where the process is.
  static constexpr int kHere = -1;
  // The most slices that one Write takes; more are left for the next.
  static constexpr size_t kSlices = 64;

  enum class Access : uint8_t {
    kRead,
    kReadWrite,
    // Both, of a file that must not be there yet.
    kCreate,
  };
  enum class Allocation : uint8_t {
    // The size of the file grows with it.
    kExtend,
    // Blocks only.
    kKeepSize,
  };
  enum class Advice : uint8_t { kWillNeed, kDontNeed, kSequential };

  // Folders. The value is a descriptor.
  virtual Outcome OpenFolder(int folder, const char* name) noexcept = 0;
  virtual Outcome MakeFolder(int folder, const char* name) noexcept = 0;
  // Its entries without "." and "..", in no order, until `visit` returns false. Entries that come
  // or go meanwhile may be there or not.
  virtual Outcome List(int folder, const std::function<bool(const Listed&)>& visit) noexcept = 0;
  // What was made, renamed and unlinked in it is there, or gone, after a power loss.
  virtual Outcome SyncFolder(int folder) noexcept = 0;

  // Names. Unlink is for anything but a folder, RemoveFolder for an empty one.
  virtual Outcome Unlink(int folder, const char* name) noexcept = 0;
  virtual Outcome RemoveFolder(int folder, const char* name) noexcept = 0;
  // Within one folder; replaces what has the name.
  virtual Outcome Rename(int folder, const char* from, const char* to) noexcept = 0;
  // A second name for a file; EEXIST when there is something of that name.
  virtual Outcome Link(int folder, const char* from, const char* to) noexcept = 0;
  virtual Outcome StatAt(int folder, const char* name, NodeInfo* info) noexcept = 0;

  // Files. The value of OpenFile is a descriptor, of reads and writes a number of bytes.
  virtual Outcome OpenFile(int folder, const char* name, Access access) noexcept = 0;
  // The descriptor is gone whatever it returns.
  virtual Outcome Close(int descriptor) noexcept = 0;
  virtual Outcome Read(int file, uint64_t offset, std::span<uint8_t> bytes) noexcept = 0;
  // From the page cache or not at all: all of `bytes`, else EAGAIN (some of it would have to be
  // waited for, or the file ends before) or EOPNOTSUPP (this file cannot be read so). It never
  // waits for a disk.
  virtual Outcome ReadCached(int file, uint64_t offset, std::span<uint8_t> bytes) noexcept = 0;
  virtual Outcome Write(int file, uint64_t offset, std::span<const Slice> slices) noexcept = 0;
  // The bytes, and what is needed to read them, survive a power loss. After a failure nobody knows
  // which of them do, and asking again does not help: the system takes them for written.
  virtual Outcome SyncData(int file) noexcept = 0;
  // The same, and all else about the file.
  virtual Outcome Sync(int file) noexcept = 0;
  virtual Outcome Truncate(int file, uint64_t size) noexcept = 0;
  // EOPNOTSUPP where the file system cannot; nothing is written in its place.
  virtual Outcome Allocate(int file, uint64_t offset, uint64_t bytes,
                           Allocation allocation) noexcept = 0;
  // Gives the blocks of a range back; it reads as zeros then, and the size stays. EOPNOTSUPP where
  // the file system cannot. On macOS the range must be whole blocks of the volume.
  virtual Outcome Punch(int file, uint64_t offset, uint64_t bytes) noexcept = 0;
  virtual Outcome Stat(int descriptor, NodeInfo* info) noexcept = 0;
  virtual Outcome StatVolume(int descriptor, VolumeInfo* info) noexcept = 0;
  // `bytes` 0 is to the end. Succeeds, and does nothing, where there is no such thing.
  virtual Outcome Advise(int file, uint64_t offset, uint64_t bytes, Advice advice) noexcept = 0;
  // Begins to write a range to the disk, which promises nothing. Succeeds, and does nothing, where
  // there is no such thing.
  virtual Outcome StartWriteback(int file, uint64_t offset, uint64_t bytes) noexcept = 0;

  // Sockets in a folder, by which an owner is told from a dead one. None of them waits but Await.
  // The value is a descriptor.
  virtual Outcome Socket() noexcept = 0;
  virtual Outcome Bind(int socket, int folder, const char* name) noexcept = 0;
  virtual Outcome Listen(int socket, int backlog) noexcept = 0;
  // The value is a descriptor; EAGAIN when nobody is there.
  virtual Outcome Accept(int socket) noexcept = 0;
  // ECONNREFUSED: nobody listens. EAGAIN: somebody does, and has too many waiting.
  virtual Outcome Connect(int socket, int folder, const char* name) noexcept = 0;
  // The id of the process at the other end: of a socket that has connected, who listens.
  virtual Outcome PeerProcess(int socket) noexcept = 0;
  // The value is a number of bytes, of Receive 0 at the end; EAGAIN when it would have to wait.
  virtual Outcome Send(int socket, Slice bytes) noexcept = 0;
  virtual Outcome Receive(int socket, std::span<uint8_t> bytes) noexcept = 0;
  // Until one of them can be received from or accepted at, or is at its end: so many, and which.
  virtual Outcome Await(std::span<Awaited> sockets, uint32_t milliseconds) noexcept = 0;

  // The machine.
  virtual Outcome Boot(BootId* id) noexcept = 0;
  // Bytes that nobody can guess, at most 256.
  virtual Outcome Entropy(std::span<uint8_t> bytes) noexcept = 0;
  // What the wall shows, in milliseconds since 1970. Orders nothing.
  virtual double EpochMilliseconds() noexcept = 0;
  // The id of this process.
  virtual uint64_t Process() noexcept = 0;
};

}  // namespace drey
