#pragma once

#include <sys/types.h>

#include <vector>

namespace drey::node {

// The sockets that one environment was given the descriptors of. Who takes one over closes it; but
// a worker thread may be terminated before anybody has, and then it would listen for as long as the
// process lives, and swallow its share of the connections.
//
// Invariant: what is closed here is a socket that was given out here and that nobody has closed. A
// descriptor alone does not tell, for its number may be another thread's file by now: the socket's
// own number does. Node closes what its servers took over before it deletes the environment.
class Sockets {
 public:
  Sockets() = default;
  ~Sockets();
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  // Where the system does not number sockets, nothing is closed.
  void Add(int descriptor);

 private:
  struct Given {
    int descriptor;
    dev_t device;
    ino_t number;
  };
  static bool IsOpen(const Given& given) noexcept;

  std::vector<Given> given_;
};

}  // namespace drey::node
