#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/slice.h"
#include "memory_store/mailbox.h"

// What threads did to a store's keys, and whether what they saw can be: the check that CacheLib
// calls a value history.
namespace drey::test {

// How long the tests with threads run: DREY_SECONDS, or what they ask for, which is less where
// everything is slower.
inline double SecondsOr(double seconds) {
  if (const char* const given = std::getenv("DREY_SECONDS")) return std::atof(given);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return seconds / 3;
#else
  return seconds;
#endif
}

// Values say in each of their bytes whose they are, and where in the value the byte is: key,
// version and size first, then words that are hashes of version and position.
struct Pattern {
  static constexpr uint64_t kLeast = 24;

  static uint64_t Word(uint64_t version, uint64_t at) noexcept {
    uint64_t word = (version << 20 ^ at) * 0x9e3779b97f4a7c15;
    word ^= word >> 32;
    return word * 0xd6e8feb86659fd93;
  }

  static std::vector<uint8_t> Of(uint64_t key, uint64_t version, uint64_t size) {
    std::vector<uint8_t> value(size);
    const std::array<uint64_t, 3> head = {key, version, size};
    std::memcpy(value.data(), head.data(), kLeast);
    for (uint64_t at = kLeast; at < size; at += 8) {
      const uint64_t word = Word(version, at);
      std::memcpy(value.data() + at, &word, std::min<uint64_t>(8, size - at));
    }
    return value;
  }

  // The version of a value of `key`, or of the beginning of one; 0 when a byte is wrong. `size` is
  // what the value says of itself.
  static uint64_t VersionOf(uint64_t key, Slice value, uint64_t& size) noexcept {
    if (value.size() < kLeast) return 0;
    std::array<uint64_t, 3> head;
    std::memcpy(head.data(), value.data(), kLeast);
    size = head[2];
    if (head[0] != key || head[1] == 0 || value.size() > size) return 0;
    for (uint64_t at = kLeast; at < value.size(); at += 8) {
      const uint64_t word = Word(head[1], at);
      if (std::memcmp(&word, value.data() + at, std::min<uint64_t>(8, value.size() - at)) != 0) {
        return 0;
      }
    }
    return head[1];
  }
};

// Each key is a register that may forget. Operations are intervals on one count of time; an answer
// is a miss, or a write that is the last one, or one that overlaps with the last.
//
// A write is out of date for a question when there was a change of the key that began after the
// write was over, and of which somebody knew, before the question was asked, that it had been done:
// it had returned, or had been seen. (Which is what it takes for a register to be linearizable, but
// for the order of writes that overlap with each other.)
class History {
 public:
  static constexpr uint64_t kKeys = 120;

  uint64_t Now() noexcept { return time_.fetch_add(1); }

  // A change begins, done by whatever means; the answer is when. Ends with End.
  uint64_t Begin(uint64_t key) noexcept {
    keys_[key].begun.fetch_add(1);
    return Now();
  }
  void End(uint64_t key) noexcept { keys_[key].ended.fetch_add(1); }
  void Done(uint64_t key, uint64_t start) noexcept { Raise(keys_[key].settled, start); }
  // The same for what fences fills: writes that are none, deletes and clears.
  void Fenced(uint64_t key, uint64_t start) noexcept { Raise(keys_[key].fenced, start); }

  // A number for a value that is about to be written.
  uint64_t NewVersion() noexcept {
    const uint64_t version = versions_.fetch_add(1);
    Written& written = Of(version);
    written.version = 0;
    written.start = kOpen;
    written.end = kOpen;
    written.seen = false;
    written.failed = false;
    written.version = version;
    return version;
  }
  void BeginWrite(uint64_t version, uint64_t start) noexcept { Of(version).start = start; }
  void EndWrite(uint64_t version, bool stored) noexcept {
    Written& written = Of(version);
    if (!stored) {
      written.failed = true;
      if (written.seen) Fail("version " + std::to_string(version) + " was seen, and then refused");
    }
    written.end = Now();
  }

  uint64_t settled(uint64_t key) const noexcept { return keys_[key].settled; }
  uint64_t fenced(uint64_t key) const noexcept { return keys_[key].fenced; }
  // How many changes have begun, and how many of them are over: where as many have begun as had
  // ended at an earlier time, there was none from then on.
  uint64_t begun(uint64_t key) const noexcept { return keys_[key].begun; }
  uint64_t ended(uint64_t key) const noexcept { return keys_[key].ended; }

  // A whole value was found under `key`, by a question that was asked when it was `settled`.
  uint64_t Found(uint64_t key, uint64_t settled, Slice value, const char* how) {
    uint64_t size = 0;
    const uint64_t version = Pattern::VersionOf(key, value, size);
    const std::string of = std::string(how) + ", key " + std::to_string(key) + ": ";
    if (version == 0 || size != value.size()) {
      Fail(of + (version == 0 ? "wrong bytes" : "wrong length"));
      return version;
    }
    Written& written = Of(version);
    written.seen = true;
    const uint64_t start = written.start;
    const uint64_t end = written.end;
    const bool failed = written.failed;
    // Its place has been given to a later one: nothing is known any more.
    if (written.version != version) return version;
    if (failed) Fail(of + "version " + std::to_string(version) + " had been refused");
    if (start == kOpen) Fail(of + "version " + std::to_string(version) + " was not written yet");
    if (end < settled) {
      Fail(of + "version " + std::to_string(version) + " is older than a change that was done");
    }
    if (start != kOpen) Done(key, start);
    return version;
  }

  // Of an entry that was begun: its bytes so far.
  void Grown(uint64_t key, Slice value) {
    uint64_t size = 0;
    if (value.size() >= Pattern::kLeast && Pattern::VersionOf(key, value, size) == 0) {
      Fail("growing, key " + std::to_string(key) + ": wrong bytes");
    }
  }

  void Fail(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (failure_.empty()) failure_ = what;
  }
  bool failed() {
    const std::lock_guard lock(mutex_);
    return !failure_.empty();
  }
  std::string failure() {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

  // When the flight that leads for a key, and is not alone, was claimed; 0 when there is none. And
  // how many changes of the key had ended before.
  std::array<std::atomic<uint64_t>, kKeys> leading{};
  std::array<std::atomic<uint64_t>, kKeys> ended_before{};

 private:
  static constexpr uint64_t kOpen = std::numeric_limits<uint64_t>::max();
  // Versions that are remembered: with few keys, none is found so much later.
  static constexpr uint64_t kRemembered = 1 << 18;

  struct Written {
    std::atomic<uint64_t> version = 0;
    std::atomic<uint64_t> start = kOpen;
    std::atomic<uint64_t> end = kOpen;
    std::atomic<bool> seen = false;
    std::atomic<bool> failed = false;
  };
  struct Key {
    std::atomic<uint64_t> begun = 0;
    std::atomic<uint64_t> ended = 0;
    // The latest beginnings: of changes that are known to be done, and of those that fence and are
    // done.
    std::atomic<uint64_t> settled = 0;
    std::atomic<uint64_t> fenced = 0;
  };

  static void Raise(std::atomic<uint64_t>& to, uint64_t value) noexcept {
    uint64_t before = to.load();
    while (before < value && !to.compare_exchange_weak(before, value)) {
    }
  }
  Written& Of(uint64_t version) noexcept { return written_[version % kRemembered]; }

  std::atomic<uint64_t> time_ = 1;
  std::atomic<uint64_t> versions_ = 1;
  std::vector<Written> written_ = std::vector<Written>(kRemembered);
  std::array<Key, kKeys> keys_;
  std::mutex mutex_;
  std::string failure_;
};

// An environment that waits for its news.
class Waiter {
 public:
  Waiter() : mailbox_(std::make_shared<Mailbox>(&Waiter::Wake, this)) {}
  ~Waiter() { mailbox_->Close(); }

  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  // False when nothing came for so long that it was lost.
  bool Wait(std::vector<Mailbox::Letter>& letters) {
    std::unique_lock lock(mutex_);
    const bool woken = condition_.wait_for(lock, std::chrono::seconds(30), [&] { return woken_; });
    woken_ = false;
    lock.unlock();
    mailbox_->Drain(letters);
    return woken;
  }

 private:
  static void Wake(void* context) {
    auto* const self = static_cast<Waiter*>(context);
    const std::lock_guard lock(self->mutex_);
    self->woken_ = true;
    self->condition_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable condition_;
  bool woken_ = false;
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace drey::test
