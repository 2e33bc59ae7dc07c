#include "io/env_posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "io/machine_posix.h"
#include "io/socket_posix.h"

#ifdef __linux__
#include <sys/syscall.h>
#endif

namespace drey {
namespace {

// What one call is asked for at most: macOS refuses more than 2 GiB - 1, Linux shortens it.
constexpr uint64_t kMostBytes = uint64_t{1} << 30;
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

template <class Number>
Outcome Of(Number result) noexcept {
  return result < 0 ? Outcome::Failed(errno) : Outcome::Of(static_cast<uint64_t>(result));
}

int At(int folder) noexcept { return folder == Env::kHere ? AT_FDCWD : folder; }

// An offset or a length that the system's signed numbers do not have.
bool Fits(uint64_t offset, uint64_t bytes) noexcept {
  constexpr uint64_t kEnd = INT64_MAX;
  return offset <= kEnd && bytes <= kEnd - offset;
}

NodeKind KindOf(mode_t mode) noexcept {
  if (S_ISREG(mode)) return NodeKind::kFile;
  if (S_ISDIR(mode)) return NodeKind::kFolder;
  if (S_ISLNK(mode)) return NodeKind::kLink;
  if (S_ISSOCK(mode)) return NodeKind::kSocket;
  return NodeKind::kOther;
}

NodeKind KindOfEntry(unsigned char type) noexcept {
  switch (type) {
    case DT_REG:
      return NodeKind::kFile;
    case DT_DIR:
      return NodeKind::kFolder;
    case DT_LNK:
      return NodeKind::kLink;
    case DT_SOCK:
      return NodeKind::kSocket;
    default:
      return NodeKind::kOther;
  }
}

void Fill(NodeInfo* info, const struct stat& from) noexcept {
  info->kind = KindOf(from.st_mode);
  info->size = static_cast<uint64_t>(from.st_size);
  // The unit of st_blocks is 512 bytes, whatever st_blksize says.
  info->allocated = static_cast<uint64_t>(from.st_blocks) * 512;
#ifdef __APPLE__
  const timespec& modified = from.st_mtimespec;
#else
  const timespec& modified = from.st_mtim;
#endif
  info->modified_at =
      static_cast<double>(modified.tv_sec) * 1e3 + static_cast<double>(modified.tv_nsec) / 1e6;
  info->device = static_cast<uint64_t>(from.st_dev);
  info->inode = static_cast<uint64_t>(from.st_ino);
  info->links = static_cast<uint64_t>(from.st_nlink);
  info->mode = static_cast<uint32_t>(from.st_mode & 07777);
}

#ifdef __APPLE__
// What fsync promises elsewhere; some file systems do not know it.
int SyncFile(int file) noexcept {
  if (::fcntl(file, F_FULLFSYNC) == 0) return 0;
  if (errno != ENOTSUP && errno != EINVAL && errno != ENOTTY) return -1;
  return ::fsync(file);
}
#endif

class Posix final : public Env {
 public:
  Outcome OpenFolder(int folder, const char* name) noexcept override {
    return Of(::openat(At(folder), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  }

  Outcome MakeFolder(int folder, const char* name) noexcept override {
    return Of(::mkdirat(At(folder), name, kFolderMode));
  }

  Outcome List(int folder, const std::function<bool(const Listed&)>& visit) noexcept override {
    // A descriptor of its own, because a listing has a place, which duplicates would share.
    const int own = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return Outcome::Failed(errno);
    DIR* const stream = ::fdopendir(own);
    if (stream == nullptr) {
      const int error = errno;
      ::close(own);
      return Outcome::Failed(error);
    }
    int error = 0;
    while (true) {
      // The end and a failure both give null.
      errno = 0;
      const struct dirent* const entry = ::readdir(stream);
      if (entry == nullptr) {
        error = errno;
        break;
      }
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (!visit({name, KindOfEntry(entry->d_type)})) break;
    }
    ::closedir(stream);
    return error == 0 ? Outcome::Of(0) : Outcome::Failed(error);
  }

  Outcome SyncFolder(int folder) noexcept override {
#ifdef __APPLE__
    return Of(SyncFile(folder));
#else
    if (::fsync(folder) == 0) return Outcome::Of(0);
    // File systems that know no sync of a folder (CIFS is one) keep names without it, or never do.
    return errno == EINVAL || errno == EOPNOTSUPP ? Outcome::Of(0) : Outcome::Failed(errno);
#endif
  }

  Outcome Unlink(int folder, const char* name) noexcept override {
    return Of(::unlinkat(At(folder), name, 0));
  }

  Outcome RemoveFolder(int folder, const char* name) noexcept override {
    return Of(::unlinkat(At(folder), name, AT_REMOVEDIR));
  }

  Outcome Rename(int folder, const char* from, const char* to) noexcept override {
    return Of(::renameat(At(folder), from, At(folder), to));
  }

  Outcome Link(int folder, const char* from, const char* to) noexcept override {
    return Of(::linkat(At(folder), from, At(folder), to, 0));
  }

  Outcome StatAt(int folder, const char* name, NodeInfo* info) noexcept override {
    struct stat found = {};
    if (::fstatat(At(folder), name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
      return Outcome::Failed(errno);
    }
    Fill(info, found);
    return Outcome::Of(0);
  }

  Outcome OpenFile(int folder, const char* name, Access access) noexcept override {
    // Without O_NONBLOCK, a pipe that somebody put in a file's place is waited for.
    int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    flags |= access == Access::kRead ? O_RDONLY : O_RDWR;
    if (access == Access::kCreate) flags |= O_CREAT | O_EXCL;
    return Of(::openat(At(folder), name, flags, kFileMode));
  }

  Outcome Close(int descriptor) noexcept override {
    // Interrupted, it is closed all the same.
    return ::close(descriptor) == 0 || errno == EINTR ? Outcome::Of(0) : Outcome::Failed(errno);
  }

  Outcome Read(int file, uint64_t offset, std::span<uint8_t> bytes) noexcept override {
    if (!Fits(offset, bytes.size())) return Outcome::Failed(EOVERFLOW);
    return Of(::pread(file, bytes.data(), std::min<uint64_t>(bytes.size(), kMostBytes),
                      static_cast<off_t>(offset)));
  }

  Outcome ReadCached([[maybe_unused]] int file, [[maybe_unused]] uint64_t offset,
                     [[maybe_unused]] std::span<uint8_t> bytes) noexcept override {
#if defined(__linux__) && defined(SYS_preadv2)
    if (!Fits(offset, bytes.size()) || bytes.size() > kMostBytes) return Outcome::Failed(EAGAIN);
    // By number, because not every C library has it.
    constexpr int kNoWait = 8;
    struct iovec part = {bytes.data(), bytes.size()};
    const auto low = static_cast<unsigned long>(offset);
    const auto high = static_cast<unsigned long>(offset >> 32);
    const long read = ::syscall(SYS_preadv2, file, &part, 1UL, low, high, kNoWait);
    if (read >= 0) {
      // Linux 5.9 and 5.10 may say 0 of bytes that are not in the cache; of a short read the rest
      // is not there, or the file has ended, which the read that waits will tell.
      return static_cast<uint64_t>(read) == bytes.size() ? Outcome::Of(bytes.size())
                                                         : Outcome::Failed(EAGAIN);
    }
    // A file system or a kernel without it, or a filter of system calls that does not know it.
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM || errno == EINVAL) {
      return Outcome::Failed(EOPNOTSUPP);
    }
    return Outcome::Failed(errno == EINTR ? EAGAIN : errno);
#else
    return Outcome::Failed(EOPNOTSUPP);
#endif
  }

  Outcome Write(int file, uint64_t offset, std::span<const Slice> slices) noexcept override {
    std::array<struct iovec, kSlices> parts;
    uint64_t bytes = 0;
    int count = 0;
    for (const Slice& slice : slices.first(std::min(slices.size(), kSlices))) {
      const uint64_t size = std::min<uint64_t>(slice.size(), kMostBytes - bytes);
      // It is not written to: the system's type serves for reads and writes.
      parts[static_cast<size_t>(count++)] = {const_cast<uint8_t*>(slice.data()), size};
      bytes += size;
      if (size < slice.size()) break;
    }
    if (!Fits(offset, bytes)) return Outcome::Failed(EOVERFLOW);
    const auto at = static_cast<off_t>(offset);
    return Of(count == 1 ? ::pwrite(file, parts[0].iov_base, parts[0].iov_len, at)
                         : Gather(file, parts.data(), count, at));
  }

  Outcome SyncData(int file) noexcept override {
#ifdef __APPLE__
    return Of(SyncFile(file));
#else
    return Of(::fdatasync(file));
#endif
  }

  Outcome Sync(int file) noexcept override {
#ifdef __APPLE__
    return Of(SyncFile(file));
#else
    return Of(::fsync(file));
#endif
  }

  Outcome Truncate(int file, uint64_t size) noexcept override {
    if (!Fits(size, 0)) return Outcome::Failed(EFBIG);
    return Of(::ftruncate(file, static_cast<off_t>(size)));
  }

  Outcome Allocate(int file, uint64_t offset, uint64_t bytes,
                   Allocation allocation) noexcept override {
    if (!Fits(offset, bytes)) return Outcome::Failed(EFBIG);
#if defined(__linux__)
    const int mode = allocation == Allocation::kKeepSize ? kKeepSizeMode : 0;
    return Of(::fallocate(file, mode, static_cast<off_t>(offset), static_cast<off_t>(bytes)));
#elif defined(__APPLE__)
    // Blocks are asked for behind what the file has; `offset` can only say how many are wanted.
    struct stat found = {};
    if (::fstat(file, &found) != 0) return Outcome::Failed(errno);
    const uint64_t end = offset + bytes;
    const uint64_t has = static_cast<uint64_t>(found.st_blocks) * 512;
    if (end > has) {
      fstore_t store = {};
      store.fst_flags = F_ALLOCATEALL;
      store.fst_posmode = F_PEOFPOSMODE;
      store.fst_length = static_cast<off_t>(end - has);
      if (::fcntl(file, F_PREALLOCATE, &store) != 0) return Outcome::Failed(errno);
    }
    if (allocation == Allocation::kKeepSize || end <= static_cast<uint64_t>(found.st_size)) {
      return Outcome::Of(0);
    }
    return Of(::ftruncate(file, static_cast<off_t>(end)));
#else
    static_cast<void>(allocation);
    return Outcome::Failed(EOPNOTSUPP);
#endif
  }

  Outcome Punch(int file, uint64_t offset, uint64_t bytes) noexcept override {
    if (!Fits(offset, bytes)) return Outcome::Failed(EFBIG);
#if defined(__linux__)
    constexpr int kPunchMode = 0x02;
    return Of(::fallocate(file, kPunchMode | kKeepSizeMode, static_cast<off_t>(offset),
                          static_cast<off_t>(bytes)));
#elif defined(__APPLE__)
    fpunchhole_t hole = {};
    hole.fp_offset = static_cast<off_t>(offset);
    hole.fp_length = static_cast<off_t>(bytes);
    return Of(::fcntl(file, F_PUNCHHOLE, &hole));
#else
    return Outcome::Failed(EOPNOTSUPP);
#endif
  }

  Outcome Stat(int descriptor, NodeInfo* info) noexcept override {
    struct stat found = {};
    if (::fstat(descriptor, &found) != 0) return Outcome::Failed(errno);
    Fill(info, found);
    return Outcome::Of(0);
  }

  Outcome StatVolume(int descriptor, VolumeInfo* info) noexcept override {
    struct statvfs found = {};
    if (::fstatvfs(descriptor, &found) != 0) return Outcome::Failed(errno);
    const uint64_t block = found.f_frsize;
    info->total = static_cast<uint64_t>(found.f_blocks) * block;
    info->available = static_cast<uint64_t>(found.f_bavail) * block;
    info->block = block;
    info->read_only = (found.f_flag & ST_RDONLY) != 0;
    return Outcome::Of(0);
  }

  Outcome Advise([[maybe_unused]] int file, [[maybe_unused]] uint64_t offset,
                 [[maybe_unused]] uint64_t bytes,
                 [[maybe_unused]] Advice advice) noexcept override {
#if defined(__linux__)
    if (!Fits(offset, bytes)) return Outcome::Failed(EOVERFLOW);
    int number = POSIX_FADV_SEQUENTIAL;
    if (advice == Advice::kWillNeed) number = POSIX_FADV_WILLNEED;
    if (advice == Advice::kDontNeed) number = POSIX_FADV_DONTNEED;
    const int error =
        ::posix_fadvise(file, static_cast<off_t>(offset), static_cast<off_t>(bytes), number);
    return error == 0 ? Outcome::Of(0) : Outcome::Failed(error);
#else
    return Outcome::Of(0);
#endif
  }

  Outcome StartWriteback([[maybe_unused]] int file, [[maybe_unused]] uint64_t offset,
                         [[maybe_unused]] uint64_t bytes) noexcept override {
#if defined(__linux__) && defined(SYNC_FILE_RANGE_WRITE)
    if (!Fits(offset, bytes)) return Outcome::Failed(EOVERFLOW);
    if (::sync_file_range(file, static_cast<off_t>(offset), static_cast<off_t>(bytes),
                          SYNC_FILE_RANGE_WRITE) == 0) {
      return Outcome::Of(0);
    }
    // It is a hint, and some systems do not have it.
    return errno == ENOSYS || errno == EOPNOTSUPP ? Outcome::Of(0) : Outcome::Failed(errno);
#else
    return Outcome::Of(0);
#endif
  }

  Outcome Socket() noexcept override { return posix::MakeSocket(); }
  Outcome Bind(int socket, int folder, const char* name) noexcept override {
    return posix::BindAt(socket, folder, name);
  }
  Outcome Listen(int socket, int backlog) noexcept override {
    return posix::Listen(socket, backlog);
  }
  Outcome Accept(int socket) noexcept override { return posix::Accept(socket); }
  Outcome Connect(int socket, int folder, const char* name) noexcept override {
    return posix::ConnectAt(socket, folder, name);
  }
  Outcome PeerProcess(int socket) noexcept override { return posix::PeerProcess(socket); }
  Outcome Send(int socket, Slice bytes) noexcept override { return posix::Send(socket, bytes); }
  Outcome Receive(int socket, std::span<uint8_t> bytes) noexcept override {
    return posix::Receive(socket, bytes);
  }
  Outcome Await(std::span<Awaited> sockets, uint32_t milliseconds) noexcept override {
    return posix::Await(sockets, milliseconds);
  }

  Outcome Boot(BootId* id) noexcept override { return posix::Boot(id); }
  Outcome Entropy(std::span<uint8_t> bytes) noexcept override { return posix::Entropy(bytes); }

  double EpochMilliseconds() noexcept override {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::milli>(since).count();
  }

  uint64_t Process() noexcept override { return static_cast<uint64_t>(::getpid()); }

 private:
#ifdef __linux__
  static constexpr int kKeepSizeMode = 0x01;
#endif

  static ssize_t Gather(int file, const struct iovec* parts, int count, off_t at) noexcept {
#if defined(__APPLE__)
    // pwritev came with macOS 11, which is the oldest that this is built for.
    if (__builtin_available(macOS 11.0, *)) return ::pwritev(file, parts, count, at);
    errno = ENOSYS;
    return -1;
#else
    return ::pwritev(file, parts, count, at);
#endif
  }
};

}  // namespace

Env& PosixEnv() noexcept {
  // Never destroyed: threads that were left behind may still use it while the process exits.
  static auto* const env = new Posix;
  return *env;
}

}  // namespace drey
