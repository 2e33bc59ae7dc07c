#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>

#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"

// A socket that listens on a port that other sockets of the process listen on, too: the kernel
// spreads the connections over them. Node 20 cannot make such a socket; it can take one over.
namespace drey::node {
namespace {

// The longest: an IPv6 address with the name of an interface.
constexpr size_t kHostSpace = 128;

// Of a socket that nobody was given yet.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const noexcept { return descriptor_; }
  int Release() noexcept {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    return descriptor;
  }

 private:
  int descriptor_;
};

struct Freed {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

// As Node has it in `code`. There is no function for it that all systems have.
std::string NameOf(int error) {
  switch (error) {
    case EACCES:
      return "EACCES";
    case EADDRINUSE:
      return "EADDRINUSE";
    case EADDRNOTAVAIL:
      return "EADDRNOTAVAIL";
    case EAFNOSUPPORT:
      return "EAFNOSUPPORT";
    case EINVAL:
      return "EINVAL";
    case EMFILE:
      return "EMFILE";
    case ENFILE:
      return "ENFILE";
    case ENOBUFS:
      return "ENOBUFS";
    case ENOMEM:
      return "ENOMEM";
    case ENOPROTOOPT:
      return "ENOPROTOOPT";
    case EPERM:
      return "EPERM";
    default:
      return "errno " + std::to_string(error);
  }
}

// An error as Node words those of its own sockets.
napi_value ThrowErrno(napi_env env, int error, std::string_view host, uint32_t port) {
  const std::string name = NameOf(error);
  const std::string message = "listen " + name + ": " + std::system_category().message(error) +
                              " " + std::string(host) + ":" + std::to_string(port);
  napi_throw_error(env, name.c_str(), message.c_str());
  return nullptr;
}

bool Set(int socket, int level, int option, int value) noexcept {
  return setsockopt(socket, level, option, &value, sizeof(value)) == 0;
}

int OpenSocket(int family) noexcept {
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
  return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
  const int descriptor = socket(family, SOCK_STREAM, 0);
  if (descriptor < 0) return descriptor;
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags >= 0 && fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 &&
      fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0) {
    return descriptor;
  }
  const int error = errno;
  close(descriptor);
  errno = error;
  return -1;
#endif
}

// Whether it listens; if not, errno says why.
bool Listen(int socket, const addrinfo& at, int backlog) noexcept {
  return Set(socket, SOL_SOCKET, SO_REUSEADDR, 1) && Set(socket, SOL_SOCKET, SO_REUSEPORT, 1) &&
         // As Node has it: '::' is for clients of IPv4, too.
         (at.ai_family != AF_INET6 || Set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
         bind(socket, at.ai_addr, at.ai_addrlen) == 0 && listen(socket, backlog) == 0;
}

}  // namespace

napi_value ListenSocket(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  char space[kHostSpace];
  const Result<std::string_view> host = TextArgument(env, arguments[0], "host", space);
  if (!host.ok()) return Throw(env, host.status());
  const Result<uint32_t> port = Uint32Argument(env, arguments[1], "port");
  if (!port.ok()) return Throw(env, port.status());
  const Result<uint32_t> backlog = Uint32Argument(env, arguments[2], "backlog");
  if (!backlog.ok()) return Throw(env, backlog.status());
  if (port.value() > 65535 || backlog.value() > 65535) {
    return Throw(env, Status::InvalidArgument("port and backlog must be at most 65535"));
  }

  // Names are looked up elsewhere: here that would block the thread.
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const std::string name(host.value());
  if (getaddrinfo(name.c_str(), std::to_string(port.value()).c_str(), &hints, &list) != 0) {
    return Throw(
        env, Status::InvalidArgument("host is '" + name + "'; it must be an IPv4 or IPv6 address"));
  }
  const std::unique_ptr<addrinfo, Freed> at(list);

  Descriptor socket(OpenSocket(at->ai_family));
  if (socket.get() < 0 || !Listen(socket.get(), *at, static_cast<int>(backlog.value()))) {
    return ThrowErrno(env, errno, name, port.value());
  }
  napi_value descriptor = nullptr;
  if (napi_create_int32(env, socket.get(), &descriptor) != napi_ok) return nullptr;
  arguments.environment().sockets.Add(socket.Release());
  return descriptor;
}

}  // namespace drey::node
