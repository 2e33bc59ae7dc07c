#pragma once

#include <pthread.h>

#include <cstdint>
#include <functional>
#include <string>

#include "core/status.h"

namespace drey {

// A thread that is joined or detached by who made it. Not std::thread: that one ends the process
// when the system has no more threads, for there are no exceptions to say so.
class Thread {
 public:
  enum class Priority : uint8_t {
    kNormal,
    // Behind others where the system knows such a thing for a thread.
    kLow,
  };

  // `run` gets no signals: they are for the threads of the program.
  static Result<Thread> Start(std::string name, Priority priority,
                              std::function<void()> run) noexcept;

  Thread() noexcept = default;
  // It has been joined or detached before.
  ~Thread();
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;

  // Neither joined, detached, nor moved away.
  bool owned() const noexcept { return owned_; }
  void Join() noexcept;
  void Detach() noexcept;

 private:
  explicit Thread(pthread_t thread) noexcept : thread_(thread), owned_(true) {}

  pthread_t thread_{};
  bool owned_ = false;
};

}  // namespace drey
