#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace drey {

// News for one environment, of all that it follows: it is woken once for a batch, however many
// events there are.
//
// Invariants:
//  - Events of one token are merged until they are drained; none is lost: what is posted after a
//  drain wakes again.
//  - `wake` is called without any lock, from the thread that posts, at most once between two
//  drains. It must not wait.
//  - After Close has returned, no call of `wake` is under way and none will come. Close must not be
//  called from `wake`.
class Mailbox {
 public:
  enum Event : uint32_t {
    // There are more bytes to read.
    kGrew = 1 << 0,
    // What was followed has come to an end; its state says which.
    kEnded = 1 << 1,
    // Nobody else waits for what this environment leads.
    kAlone = 1 << 2,
  };

  struct Letter {
    uint64_t token;
    uint32_t events;
  };

  using Wake = void (*)(void* context);

  Mailbox(Wake wake, void* context) noexcept : wake_(wake), context_(context) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void Post(uint64_t token, uint32_t events);
  // What came since the last call, in the order of arrival.
  void Drain(std::vector<Letter>& letters);
  void Close() noexcept;

 private:
  const Wake wake_;
  void* const context_;
  std::mutex mutex_;
  // Guarded by mutex_, all below.
  std::condition_variable quiet_;
  std::vector<Letter> letters_;
  std::unordered_map<uint64_t, size_t> places_;
  bool woken_ = false;
  bool closed_ = false;
  int calling_ = 0;
};

}  // namespace drey
