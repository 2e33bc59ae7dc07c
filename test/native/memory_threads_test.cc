// Several threads on few keys, and what they see checked against what they did. Run it under TSAN,
// too: make tsan.

#include <doctest/doctest.h>

#include <array>
#include <condition_variable>
#include <limits>
#include <thread>
#include <tuple>

#include "memory_fixture.h"
#include "memory_store/flight.h"

using namespace drey;
using namespace drey::test;

namespace {

constexpr uint64_t kKeys = 200;
constexpr uint64_t kVersions = 2000000;
constexpr uint64_t kOpen = std::numeric_limits<uint64_t>::max();

void Raise(std::atomic<uint64_t>& to, uint64_t value) {
  uint64_t before = to.load();
  while (before < value && !to.compare_exchange_weak(before, value)) {
  }
}

// Operations are intervals on one count of time. An answer may be the last write, or one that
// overlaps with later ones, or a miss; it may not be what was overwritten or deleted before the
// question was asked.
struct History {
  std::atomic<uint64_t> time{1};
  std::atomic<uint64_t> versions{1};
  // When the write of a version was over.
  std::vector<std::atomic<uint64_t>> ends = std::vector<std::atomic<uint64_t>>(kVersions);
  // The latest beginning of all changes of a key that are over, and of those that have begun.
  std::array<std::atomic<uint64_t>, kKeys> settled{};
  std::array<std::atomic<uint64_t>, kKeys> begun{};

  std::mutex mutex;
  std::string failure;

  History() {
    for (auto& end : ends) end = kOpen;
  }
  uint64_t Now() { return time.fetch_add(1); }
  void Fail(const std::string& what) {
    const std::lock_guard lock(mutex);
    if (failure.empty()) failure = what;
  }
};

// A value that names its key and version first, so that whoever reads it knows what the rest must
// be.
std::vector<uint8_t> Tell(uint64_t key, uint64_t version, uint64_t size) {
  std::vector<uint8_t> value = ValueOf(key, version, size);
  std::memcpy(value.data(), &key, 8);
  std::memcpy(value.data() + 8, &version, 8);
  return value;
}

uint64_t SizeFor(Random& random) {
  const uint64_t scale = random.Below(10);
  return 16 + random.Below(scale == 0 ? 200000 : scale < 3 ? 20000 : scale < 6 ? 3000 : 500);
}

// The version of a value, or of the beginning of one; 0 when a byte of it is wrong.
uint64_t VersionOf(uint64_t key, Slice value) {
  uint64_t says_key = 0;
  uint64_t version = 0;
  if (value.size() < 16) return 0;
  std::memcpy(&says_key, value.data(), 8);
  std::memcpy(&version, value.data() + 8, 8);
  if (says_key != key || version == 0 || version >= kVersions) return 0;
  const std::vector<uint8_t> want = Tell(key, version, value.size());
  // Values are made of words, the last one cut off.
  const size_t whole = value.size() / 8 * 8;
  return std::memcmp(want.data(), value.data(), whole) == 0 ? version : 0;
}

// An environment that waits for its news.
class Waiter {
 public:
  Waiter() : mailbox_(std::make_shared<Mailbox>(&Waiter::Wake, this)) {}
  ~Waiter() { mailbox_->Close(); }

  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  bool Wait() {
    std::unique_lock lock(mutex_);
    const bool woken = condition_.wait_for(lock, std::chrono::seconds(60), [&] { return woken_; });
    woken_ = false;
    lock.unlock();
    std::vector<Mailbox::Letter> letters;
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

class Actor {
 public:
  Actor(MemoryStore& store, History& history, uint64_t number)
      : store_(store), history_(history), random_(number + 77), owner_(number) {}

  void Run(int steps) {
    for (int step = 0; step < steps; step++) {
      const uint64_t key = random_.Below(kKeys);
      const uint64_t what = random_.Below(100);
      if (what < 35)
        Copy(key);
      else if (what < 50)
        Open(key);
      else if (what < 70)
        Set(key);
      else if (what < 78)
        Delete(key);
      else if (what < 79 && random_.Below(20) == 0)
        Clear();
      else if (what < 94)
        Fetch(key);
      else if (what < 97)
        Let(random_.Below(4));
      else if (what < 98)
        store_.AbortOwner(random_.Below(4));
      else if (what < 99 && random_.Below(50) == 0)
        Configure();
      else
        store_.Maintain();
    }
    for (uint64_t at = 0; at < 4; at++) Let(at);
  }

 private:
  void Check(uint64_t key, uint64_t settled, Slice value, const char* how) {
    const uint64_t version = VersionOf(key, value);
    if (version == 0) {
      history_.Fail(std::string(how) + ": wrong bytes under key " + std::to_string(key));
    } else if (history_.ends[version].load() < settled) {
      history_.Fail(std::string(how) + ": version " + std::to_string(version) + " of key " +
                    std::to_string(key) + " is older than a change that was over");
    }
  }

  void Copy(uint64_t key) {
    const uint64_t settled = history_.settled[key].load();
    std::vector<uint8_t> value(250000);
    Head head;
    if (store_.GetCopy(SliceOf(KeyOf(key)), value, {}, head) != MemoryStore::Copied::kDone) return;
    Check(key, settled, Slice(value).first(head.size), "copy");
  }

  void Open(uint64_t key) {
    const uint64_t settled = history_.settled[key].load();
    EntryRef ref = store_.Find(SliceOf(KeyOf(key)));
    if (!ref.found()) return;
    std::vector<uint8_t> value(ref.head().size);
    if (ref.Read(0, value) != value.size()) history_.Fail("open: short read");
    Check(key, settled, value, "open");
    // Kept for a while, to see whether it stays what it was.
    const uint64_t at = random_.Below(4);
    Let(at);
    std::vector<Slice> views;
    if (ref.pinned()) {
      for (uint64_t from = 0; from < value.size(); from += views.back().size()) {
        views.push_back(ref.View(from));
      }
    }
    open_[at] = {std::move(ref), std::move(value), std::move(views)};
  }

  void Let(uint64_t at) {
    auto& [ref, value, views] = open_[at];
    if (!ref.found()) return;
    uint64_t from = 0;
    for (const Slice view : views) {
      if (std::memcmp(view.data(), value.data() + from, view.size()) != 0) {
        history_.Fail("open: what was lent has changed");
      }
      from += view.size();
    }
    std::vector<uint8_t> again(value.size());
    if (ref.Read(0, again) != value.size() || again != value) {
      history_.Fail("open: the bytes changed while the entry was open");
    }
    ref.Release();
  }

  void Set(uint64_t key) {
    const uint64_t version = history_.versions.fetch_add(1);
    const auto value = Tell(key, version, SizeFor(random_));
    const uint64_t start = history_.Now();
    Raise(history_.begun[key], start);
    Metadata metadata = At(1e12);
    if (random_.Below(3) == 0) metadata.fresh_until = metadata.stale_if_error_until = 1e12 - 1;
    const MemoryStore::Stored stored = store_.Set(SliceOf(KeyOf(key)), value, metadata);
    history_.ends[version] = history_.Now();
    if (stored == MemoryStore::Stored::kDone) Raise(history_.settled[key], start);
  }

  void Delete(uint64_t key) {
    const uint64_t start = history_.Now();
    Raise(history_.begun[key], start);
    store_.Delete(SliceOf(KeyOf(key)));
    Raise(history_.settled[key], start);
  }

  void Clear() {
    const uint64_t start = history_.Now();
    for (auto& begun : history_.begun) Raise(begun, start);
    store_.Clear();
    for (auto& settled : history_.settled) Raise(settled, start);
  }

  void Configure() {
    constexpr std::array kinds = {PolicyKind::kLru, PolicyKind::kSieve, PolicyKind::kS3Fifo,
                                  PolicyKind::kWTinyLfu};
    const Status status = store_.Configure((2 + random_.Below(3)) * 1024 * 1024, 1024 * 1024,
                                           kinds[random_.Below(kinds.size())]);
    if (!status.ok()) history_.Fail(status.message());
  }

  void Fetch(uint64_t key) {
    MemoryStore::Claimed claimed = store_.Claim(SliceOf(KeyOf(key)), owner_);
    switch (claimed.kind) {
      case MemoryStore::Claimed::Kind::kLook:
        return;
      case MemoryStore::Claimed::Kind::kJoin:
        return Join(key, std::move(claimed.flight));
      case MemoryStore::Claimed::Kind::kLead:
        return Lead(key, std::move(claimed.flight));
    }
  }

  void Lead(uint64_t key, std::shared_ptr<Flight> flight) {
    const uint64_t claimed = history_.Now();
    if (random_.Below(8) == 0) return flight->End(Flight::State::kFailed, nullptr);
    const uint64_t version = history_.versions.fetch_add(1);
    const auto value = Tell(key, version, SizeFor(random_));
    const bool told = random_.Below(2) == 0;
    auto draft = store_.BeginFor(flight, told ? value.size() : Draft::kUnknown);
    if (draft == nullptr) return flight->End(Flight::State::kFailed, nullptr);
    flight->Grow(draft, nullptr);
    Slice rest = value;
    while (!rest.empty()) {
      const size_t count = std::min<size_t>(rest.size(), 1 + random_.Below(8000));
      if (draft->Append(rest.first(count)) != Draft::Outcome::kDone) return draft->Abort();
      rest = rest.subspan(count);
      if (random_.Below(40) == 0) return draft->Abort();
      if (random_.Below(4) == 0) std::this_thread::yield();
    }
    const uint64_t settled = history_.settled[key].load();
    const Draft::Outcome outcome = draft->Commit(At(1e12));
    history_.ends[version] = history_.Now();
    if (outcome == Draft::Outcome::kDone && settled > claimed) {
      history_.Fail("fill: committed over a change that began after it and was over before");
    }
    if (flight->Look().state < Flight::State::kCommitted) history_.Fail("fill: did not end");
  }

  void Join(uint64_t key, std::shared_ptr<Flight> flight) {
    const uint64_t token = ++tokens_;
    Flight::View view = flight->Follow(waiter_.mailbox(), token);
    std::shared_ptr<Draft> draft;
    std::vector<uint8_t> got;
    for (;;) {
      if (view.draft != nullptr) draft = view.draft;
      // Once it has ended, what can be read is all there is.
      const bool ended = view.state >= Flight::State::kCommitted;
      if (draft != nullptr) {
        for (Slice more = draft->View(got.size()); !more.empty(); more = draft->View(got.size())) {
          got.insert(got.end(), more.begin(), more.end());
        }
      }
      if (ended) break;
      if (!waiter_.Wait()) {
        history_.Fail("join: a wake-up was lost");
        break;
      }
      view = flight->Look();
    }
    flight->Unfollow(waiter_.mailbox().get(), token);
    flight->Leave();
    if (got.size() >= 16 && VersionOf(key, got) == 0) history_.Fail("join: wrong bytes");
    if (view.state == Flight::State::kCommitted && draft != nullptr &&
        draft->declared() != Draft::kUnknown && got.size() != draft->declared()) {
      history_.Fail("join: a committed value was cut short");
    }
  }

  MemoryStore& store_;
  History& history_;
  Random random_;
  Waiter waiter_;
  const Owner owner_;
  uint64_t tokens_ = 0;
  std::array<std::tuple<EntryRef, std::vector<uint8_t>, std::vector<Slice>>, 4> open_;
};

}  // namespace

TEST_CASE("memory store: threads see the last write, or one that overlaps, or nothing") {
  for (const uint32_t shards : {1U, 4U}) {
    ManualClock clock;
    FaultyMemory memory;
    {
      const auto store = MakeStore(
          {.max_bytes = 3 << 20, .max_item_bytes = 1 << 20, .shards = shards, .system = &memory},
          clock);
      REQUIRE(store != nullptr);
      History history;
      std::vector<std::thread> threads;
      for (uint64_t number = 0; number < 4; number++) {
        threads.emplace_back([&, number] { Actor(*store, history, number).Run(15000); });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(history.failure == "");
      const MemoryStore::Stats stats = store->stats();
      CHECK(stats.pinned_bytes == 0);
      CHECK(stats.evictions > 100);
      CHECK(stats.bytes <= stats.max_bytes);
      for (Owner owner = 0; owner < 4; owner++) store->AbortOwner(owner);
    }
    CHECK(memory.reservations == 0);
  }
}

TEST_CASE("memory store: threads that overwrite one slot are never seen half done") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 1 << 20}, clock);
  const std::string key = "hot";
  std::array<std::vector<uint8_t>, 8> values;
  for (uint64_t at = 0; at < values.size(); at++) values[at].assign(1900, static_cast<uint8_t>(at));
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> torn = 0;
  std::thread writer([&] {
    for (uint64_t at = 0; !stop; at++) {
      static_cast<void>(store->Set(SliceOf(key), values[at % values.size()], At(1e12)));
    }
  });
  std::vector<uint8_t> copy(1900);
  Head head;
  for (int call = 0; call < 200000; call++) {
    if (store->GetCopy(SliceOf(key), copy, {}, head) != MemoryStore::Copied::kDone) continue;
    torn += std::memcmp(copy.data(), copy.data() + 1, copy.size() - 1) == 0 ? 0 : 1;
  }
  stop = true;
  writer.join();
  CHECK(torn == 0);
}
