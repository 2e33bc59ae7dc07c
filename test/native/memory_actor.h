#pragma once

#include <chrono>
#include <thread>

#include "memory_fixture.h"
#include "memory_history.h"
#include "memory_store/flight.h"

namespace drey::test {

struct Did {
  uint64_t operations = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t stored = 0;
  uint64_t led = 0;
  uint64_t filled = 0;
  uint64_t fenced = 0;
  uint64_t joined = 0;
  uint64_t deaths = 0;
  uint64_t configured = 0;
  uint64_t told = 0;
};

// One thread, which is an environment after another.
class Actor {
 public:
  // How far it raises the bound.
  static constexpr uint64_t kMostBytes = 4 * 1024 * 1024;

  Actor(MemoryStore& store, History& history, std::atomic<Owner>& owners, uint64_t number)
      : store_(store), history_(history), owners_(owners), random_(number + 77) {
    owner_ = owners_.fetch_add(1);
  }

  Did Run(std::chrono::steady_clock::time_point until) {
    while (!history_.failed()) {
      if (did_.operations % 64 == 0 && std::chrono::steady_clock::now() >= until) break;
      did_.operations += 1;
      // Few that are wanted by all, and enough of others that not all fit.
      const uint64_t keys = random_.Below(2) == 0 ? 8 : History::kKeys;
      Step(random_.Below(keys), random_.Below(1000));
    }
    for (uint64_t at = 0; at < open_.size(); at++) Let(at);
    store_.AbortOwner(owner_);
    return did_;
  }

 private:
  using Claimed = MemoryStore::Claimed;
  using Stored = MemoryStore::Stored;
  using Outcome = Draft::Outcome;
  using State = Flight::State;
  static constexpr uint64_t kLeastBytes = 1024 * 1024;

  struct Open {
    EntryRef ref;
    std::vector<uint8_t> value;
    std::vector<Slice> views;
  };

  void Step(uint64_t key, uint64_t what) {
    if (what < 330) return Copy(key);
    if (what < 480) return Find(key);
    if (what < 660) return Set(key);
    if (what < 730) return Delete(key);
    if (what < 732) return Clear();
    if (what < 900) return Fetch(key);
    if (what < 930) return Revise(key);
    if (what < 960) return Let(random_.Below(open_.size()));
    if (what < 965) return Die();
    if (what < 967) return Configure();
    if (what < 985) return Hear();
    store_.Maintain();
  }

  uint64_t SizeForValue() {
    const uint64_t scale = random_.Below(12);
    return Pattern::kLeast + random_.Below(scale == 0  ? 200000
                                           : scale < 3 ? 20000
                                           : scale < 7 ? 3000
                                                       : 400);
  }

  // The text names the version too, so that a text beside a value of another entry is seen.
  static Metadata Meta(const std::string& text, double cached_at = 1e12) {
    Metadata metadata = At(cached_at);
    metadata.has_user = true;
    metadata.user = SliceOf(text);
    return metadata;
  }
  void CheckText(uint64_t version, Slice text) {
    const std::string want = std::to_string(version) + ":";
    if (text.size() < want.size() || !std::ranges::equal(text.first(want.size()), SliceOf(want))) {
      history_.Fail("version " + std::to_string(version) + " with the text of another");
    }
  }
  std::string TextOf(uint64_t version) {
    return std::to_string(version) + ":" +
           std::string(random_.Below(random_.Below(10) == 0 ? 6000 : 60), 'u');
  }

  void Copy(uint64_t key) {
    const uint64_t settled = history_.settled(key);
    Head head;
    if (store_.GetCopy(SliceOf(KeyOf(key)), copy_, text_, head) != MemoryStore::Copied::kDone) {
      did_.misses += 1;
      return;
    }
    did_.hits += 1;
    const uint64_t version = history_.Found(key, settled, Slice(copy_).first(head.size), "copied");
    CheckText(version, Slice(text_).first(head.user_size));
  }

  void Find(uint64_t key) {
    const uint64_t settled = history_.settled(key);
    EntryRef ref = store_.Find(SliceOf(KeyOf(key)), random_.Below(4) == 0);
    if (!ref.found()) {
      did_.misses += 1;
      return;
    }
    did_.hits += 1;
    std::vector<uint8_t> value(ref.head().size);
    if (ref.Read(0, value) != value.size()) history_.Fail("opened: short read");
    CheckText(history_.Found(key, settled, value, "opened"), ref.user());
    // Kept for a while, to see whether it stays what it was.
    const uint64_t at = random_.Below(open_.size());
    Let(at);
    std::vector<Slice> views;
    for (uint64_t from = 0; from < value.size(); from += views.back().size()) {
      views.push_back(ref.View(from));
    }
    open_[at] = {std::move(ref), std::move(value), std::move(views)};
  }

  void Let(uint64_t at) {
    Open& open = open_[at];
    if (!open.ref.found()) return;
    uint64_t from = 0;
    for (const Slice view : open.views) {
      if (std::memcmp(view.data(), open.value.data() + from, view.size()) != 0) {
        history_.Fail("open: what was lent has changed");
      }
      from += view.size();
    }
    open.ref.Release();
  }

  void Set(uint64_t key) {
    const uint64_t version = history_.NewVersion();
    const auto value = Pattern::Of(key, version, SizeForValue());
    const std::string text = TextOf(version);
    Metadata metadata = Meta(text);
    if (random_.Below(3) == 0) metadata.fresh_until = metadata.stale_if_error_until = 1e12 - 1;
    const uint64_t start = history_.Begin(key);
    history_.BeginWrite(version, start);
    const bool stored = store_.Set(SliceOf(KeyOf(key)), value, metadata) == Stored::kDone;
    history_.EndWrite(version, stored);
    history_.End(key);
    if (!stored) return;
    did_.stored += 1;
    history_.Fenced(key, start);
    history_.Done(key, start);
  }

  void Delete(uint64_t key) {
    const uint64_t start = history_.Begin(key);
    store_.Delete(SliceOf(KeyOf(key)));
    history_.End(key);
    history_.Fenced(key, start);
    history_.Done(key, start);
  }

  void Clear() {
    std::array<uint64_t, History::kKeys> starts;
    for (uint64_t key = 0; key < History::kKeys; key++) starts[key] = history_.Begin(key);
    store_.Clear();
    for (uint64_t key = 0; key < History::kKeys; key++) {
      history_.End(key);
      history_.Fenced(key, starts[key]);
      history_.Done(key, starts[key]);
    }
  }

  void Revise(uint64_t key) {
    EntryRef ref = store_.Find(SliceOf(KeyOf(key)), true);
    if (!ref.found()) return;
    std::vector<uint8_t> head(Pattern::kLeast);
    ref.Read(0, head);
    uint64_t version = 0;
    std::memcpy(&version, head.data() + 8, 8);
    const std::string text = TextOf(version);
    static_cast<void>(store_.Revise(SliceOf(KeyOf(key)), ref.head().version, Meta(text, 2e12)));
  }

  // All that the environment has in flight ends, its followings are left, and another one begins.
  void Die() {
    did_.deaths += 1;
    // Whoever leads may lead no longer.
    for (uint64_t key = 0; key < History::kKeys; key++) history_.Begin(key);
    // At times that of another one, which goes on as if nothing were.
    const Owner last = owners_.load() - 1;
    store_.AbortOwner(random_.Below(2) == 0 ? owner_ : random_.Below(last + 1));
    for (uint64_t key = 0; key < History::kKeys; key++) history_.End(key);
    owner_ = owners_.fetch_add(1);
  }

  void Configure() {
    constexpr std::array kinds = {PolicyKind::kLru,   PolicyKind::kLfu,    PolicyKind::kFifo,
                                  PolicyKind::kSieve, PolicyKind::kS3Fifo, PolicyKind::kWTinyLfu};
    const uint64_t max = kLeastBytes + random_.Below(kMostBytes - kLeastBytes + 1);
    const Status status = store_.Configure(max, max / 3, kinds[random_.Below(kinds.size())]);
    if (!status.ok()) history_.Fail(status.message());
    did_.configured += 1;
  }

  void Hear() {
    store_.Listen(hearing_ = !hearing_);
    for (const auto& [key, expired] : store_.TakeEvicted()) {
      did_.told += 1;
      bool known = false;
      for (uint64_t at = 0; at < History::kKeys && !known; at++) {
        known = std::ranges::equal(key, SliceOf(KeyOf(at)));
      }
      if (!known) history_.Fail("told of the eviction of a key that there is not");
    }
  }

  void Fetch(uint64_t key) {
    const bool alone = random_.Below(6) == 0;
    const uint64_t fenced = history_.fenced(key);
    const uint64_t ended = history_.ended(key);
    const uint64_t leading = history_.leading[key];
    const uint64_t ended_before = history_.ended_before[key];
    Claimed claimed = store_.Claim(SliceOf(KeyOf(key)), owner_, 0, alone);
    const uint64_t now = history_.Now();
    switch (claimed.kind) {
      case Claimed::Kind::kLook:
        if (alone) history_.Fail("claim: alone, and told to look");
        return;
      case Claimed::Kind::kJoin:
        if (alone) history_.Fail("claim: alone, and joined to another");
        return Join(key, fenced, std::move(claimed.flight));
      case Claimed::Kind::kLead:
        // Somebody else led all the time, and nothing happened that may have ended that.
        if (!alone && leading != 0 && history_.begun(key) == ended_before &&
            history_.leading[key] == leading) {
          history_.Fail("claim: two lead for key " + std::to_string(key));
        }
        did_.led += 1;
        Lead(key, now, ended, alone, std::move(claimed.flight));
    }
  }

  void Lead(uint64_t key, uint64_t claimed, uint64_t ended, bool alone,
            std::shared_ptr<Flight> flight) {
    // Claimed before now, and over after it is taken back.
    if (!alone) {
      history_.leading[key] = 0;
      history_.ended_before[key] = ended;
      history_.leading[key] = claimed;
    }
    const auto over = [&] {
      uint64_t mine = claimed;
      if (!alone) history_.leading[key].compare_exchange_strong(mine, 0);
    };
    flight->SetLeader(waiter_.mailbox(), ++tokens_);
    if (random_.Below(8) == 0) {
      over();
      return flight->End(State::kAnswered, NoteOf(claimed));
    }
    const uint64_t version = history_.NewVersion();
    const auto value = Pattern::Of(key, version, SizeForValue());
    const std::string text = TextOf(version);
    bool stored = false;
    if (random_.Below(4) == 0) {
      stored = SetFor(key, version, value, Meta(text), claimed, *flight, over);
    } else {
      stored = Grow(key, version, value, Meta(text), claimed, flight, over);
    }
    over();
    flight->End(State::kFailed, nullptr);
    if (flight->Look().state < State::kCommitted) history_.Fail("lead: the flight did not end");
    did_.filled += stored ? 1 : 0;
  }

  // Nothing that was done since the claim, and fences, may be overwritten.
  void CheckFence(uint64_t key, uint64_t claimed, uint64_t fenced_before, bool stored) {
    if (stored && fenced_before > claimed) {
      history_.Fail("fill, key " + std::to_string(key) + ": stored over what came after its claim");
    }
    did_.fenced += !stored && fenced_before > claimed ? 1 : 0;
  }

  template <class Over>
  bool SetFor(uint64_t key, uint64_t version, Slice value, const Metadata& metadata,
              uint64_t claimed, Flight& flight, Over&& over) {
    over();
    const uint64_t fenced = history_.fenced(key);
    const uint64_t start = history_.Begin(key);
    history_.BeginWrite(version, start);
    const Stored stored = store_.Set(SliceOf(KeyOf(key)), value, metadata, &flight);
    history_.EndWrite(version, stored == Stored::kDone);
    history_.End(key);
    CheckFence(key, claimed, fenced, stored == Stored::kDone);
    if (stored != Stored::kDone) return false;
    history_.Done(key, start);
    // Or its owner died in between.
    const State state = flight.Look().state;
    if (state != State::kCommitted && state != State::kOwnerGone) {
      history_.Fail("lead: set, and not committed");
    }
    return true;
  }

  template <class Over>
  bool Grow(uint64_t key, uint64_t version, Slice value, const Metadata& metadata, uint64_t claimed,
            const std::shared_ptr<Flight>& flight, Over&& over) {
    const bool told = random_.Below(2) == 0;
    const auto draft = store_.BeginFor(flight, told                    ? value.size()
                                               : random_.Below(2) == 0 ? Draft::kUnknown
                                                                       : 300000);
    if (draft == nullptr) return false;
    flight->Grow(draft, NoteOf(claimed));
    for (Slice rest = value; !rest.empty();) {
      const size_t count = std::min<size_t>(rest.size(), 1 + random_.Below(8000));
      if (random_.Below(40) == 0 || draft->Append(rest.first(count)) != Outcome::kDone) {
        over();
        draft->Abort();
        return false;
      }
      rest = rest.subspan(count);
      if (random_.Below(4) == 0) std::this_thread::yield();
      // Nobody follows, and nobody had enough: as a cache that abandons a fill.
      if (random_.Below(20) == 0 && flight->joined() == 0 && !flight->wanted()) {
        over();
        flight->Close();
      }
    }
    flight->AtEnd(NoteOf(claimed));
    over();
    const uint64_t fenced = history_.fenced(key);
    const uint64_t start = history_.Begin(key);
    history_.BeginWrite(version, start);
    const Outcome outcome = draft->Commit(metadata);
    history_.EndWrite(version, outcome == Outcome::kDone);
    history_.End(key);
    CheckFence(key, claimed, fenced, outcome == Outcome::kDone);
    const State state = flight->Look().state;
    if (state == State::kFailed) history_.Fail("lead: what AtEnd gave was not said");
    if (outcome != Outcome::kDone) return false;
    history_.Done(key, start);
    return true;
  }

  static Flight::Note NoteOf(uint64_t claimed) {
    std::vector<uint8_t> bytes(8);
    std::memcpy(bytes.data(), &claimed, 8);
    return std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  }

  void Join(uint64_t key, uint64_t fenced, std::shared_ptr<Flight> flight) {
    did_.joined += 1;
    const uint64_t token = ++tokens_;
    Flight::View view = flight->Follow(waiter_.mailbox(), token);
    std::shared_ptr<Draft> draft;
    std::vector<uint8_t> got;
    bool left = false;
    for (;;) {
      if (view.draft != nullptr) draft = view.draft;
      // Asked before reading: once it has ended, what can be read is all there is.
      const bool ended = view.state >= State::kCommitted;
      if (draft != nullptr) {
        for (Slice more = draft->View(got.size()); !more.empty(); more = draft->View(got.size())) {
          got.insert(got.end(), more.begin(), more.end());
        }
      }
      history_.Grown(key, got);
      if (view.note != nullptr) {
        uint64_t claimed = 0;
        std::memcpy(&claimed, view.note->data(), 8);
        if (fenced > claimed) history_.Fail("join: a flight older than a write that was done");
      }
      left = random_.Below(30) == 0;
      if (ended || left) break;
      if (!waiter_.Wait(letters_)) {
        history_.Fail("join: a wake-up was lost");
        break;
      }
      view = flight->Look();
    }
    flight->Unfollow(waiter_.mailbox().get(), token);
    flight->Leave(random_.Below(2) == 0);
    if (view.state != State::kCommitted || draft == nullptr || left) return;
    uint64_t size = 0;
    if (got.size() < Pattern::kLeast || Pattern::VersionOf(key, got, size) == 0 ||
        size != got.size()) {
      history_.Fail("join: a committed value was cut short");
    }
  }

  MemoryStore& store_;
  History& history_;
  std::atomic<Owner>& owners_;
  Random random_;
  Waiter waiter_;
  Owner owner_;
  uint64_t tokens_ = 0;
  bool hearing_ = false;
  Did did_;
  std::vector<uint8_t> copy_ = std::vector<uint8_t>(250000);
  std::vector<uint8_t> text_ = std::vector<uint8_t>(8000);
  std::vector<Mailbox::Letter> letters_;
  std::array<Open, 4> open_;
};

}  // namespace drey::test
