#include "io/socket_posix.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#ifdef __APPLE__
// In the C library since macOS 10.12, and in no public header.
extern "C" int pthread_fchdir_np(int folder);
#endif

namespace drey::posix {
namespace {

template <class Number>
Outcome Of(Number result) noexcept {
  return result < 0 ? Outcome::Failed(errno) : Outcome::Of(static_cast<uint64_t>(result));
}

// An address has about 100 bytes, and folders have longer paths: so the name goes through the
// folder's descriptor, which also keeps a folder that was moved, or replaced, meanwhile.
class Address {
 public:
  Address(int folder, const char* name) noexcept : folder_(folder) {
    address_.sun_family = AF_UNIX;
    const size_t room = sizeof address_.sun_path;
#ifdef __linux__
    const int length = folder == Env::kHere ? std::snprintf(address_.sun_path, room, "%s", name)
                                            : std::snprintf(address_.sun_path, room,
                                                            "/proc/self/fd/%d/%s", folder, name);
#else
    const int length = std::snprintf(address_.sun_path, room, "%s", name);
#endif
    fits_ = length > 0 && static_cast<size_t>(length) < room;
  }

  template <class Call>
  Outcome Use(Call call) const noexcept {
    if (!fits_) return Outcome::Failed(ENAMETOOLONG);
    const auto* const address = reinterpret_cast<const struct sockaddr*>(&address_);
#ifdef __APPLE__
    // The folder where this thread is, and no other: the process stays where it is.
    if (folder_ != Env::kHere && pthread_fchdir_np(folder_) != 0) return Outcome::Failed(errno);
    const Outcome outcome = Of(call(address, static_cast<socklen_t>(sizeof address_)));
    if (folder_ != Env::kHere) pthread_fchdir_np(-1);
    return outcome;
#else
    return Of(call(address, static_cast<socklen_t>(sizeof address_)));
#endif
  }

 private:
  [[maybe_unused]] int folder_;
  struct sockaddr_un address_ = {};
  bool fits_ = false;
};

// Where the system cannot make it so from the start.
[[maybe_unused]] Outcome Prepare(int made) noexcept {
  if (made < 0) return Outcome::Failed(errno);
  if (::fcntl(made, F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(made, F_SETFL, O_NONBLOCK) == 0) {
    return Outcome::Of(static_cast<uint64_t>(made));
  }
  const int error = errno;
  ::close(made);
  return Outcome::Failed(error);
}

}  // namespace

Outcome MakeSocket() noexcept {
#ifdef __linux__
  return Of(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
#else
  return Prepare(::socket(AF_UNIX, SOCK_STREAM, 0));
#endif
}

Outcome BindAt(int socket, int folder, const char* name) noexcept {
#ifdef __linux__
  // What it is bound to gets this mode. Elsewhere the folder's mode has to do.
  if (::fchmod(socket, 0600) != 0) return Outcome::Failed(errno);
#endif
  return Address(folder, name).Use([socket](const struct sockaddr* address, socklen_t size) {
    return ::bind(socket, address, size);
  });
}

Outcome Listen(int socket, int backlog) noexcept { return Of(::listen(socket, backlog)); }

Outcome Accept(int socket) noexcept {
#ifdef __linux__
  return Of(::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
#else
  return Prepare(::accept(socket, nullptr, nullptr));
#endif
}

Outcome ConnectAt(int socket, int folder, const char* name) noexcept {
  return Address(folder, name).Use([socket](const struct sockaddr* address, socklen_t size) {
    return ::connect(socket, address, size);
  });
}

Outcome PeerProcess(int socket) noexcept {
#if defined(__linux__)
  struct ucred peer = {};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return Outcome::Failed(errno);
  }
  return Of(peer.pid);
#elif defined(__APPLE__)
  pid_t peer = 0;
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_LOCAL, LOCAL_PEERPID, &peer, &size) != 0) {
    return Outcome::Failed(errno);
  }
  return Of(peer);
#else
  static_cast<void>(socket);
  return Outcome::Failed(EOPNOTSUPP);
#endif
}

Outcome Send(int socket, Slice bytes) noexcept {
  // Who has gone must not end this process: without these flags a signal would.
#ifdef __APPLE__
  const int on = 1;
  if (::setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) != 0) {
    return Outcome::Failed(errno);
  }
  return Of(::send(socket, bytes.data(), bytes.size(), 0));
#else
  return Of(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL));
#endif
}

Outcome Receive(int socket, std::span<uint8_t> bytes) noexcept {
  return Of(::recv(socket, bytes.data(), bytes.size(), 0));
}

Outcome Await(std::span<Awaited> sockets, uint32_t milliseconds) noexcept {
  std::vector<struct pollfd> asked;
  asked.reserve(sockets.size());
  for (const Awaited& awaited : sockets) asked.push_back({awaited.socket, POLLIN, 0});
  const int most = std::numeric_limits<int>::max();
  const int timeout =
      milliseconds > static_cast<uint32_t>(most) ? most : static_cast<int>(milliseconds);
  const Outcome outcome = Of(::poll(asked.data(), static_cast<nfds_t>(asked.size()), timeout));
  for (size_t at = 0; at < sockets.size(); at++) sockets[at].ready = asked[at].revents != 0;
  return outcome;
}

}  // namespace drey::posix
