// What goes first when room is needed, and who gets another turn (D7, D8).

#include <atomic>
#include <thread>

#include "file_fixture.h"
#include "support/manual_time.h"

using namespace drey;
using namespace drey::test;

namespace {

constexpr double kNow = 1'700'000'000'000;

// Tells what was dropped, and why.
class Heard final : public file::FileStoreListener {
 public:
  void Evicted(Slice, bool expired) override { (expired ? expired_ : evicted_) += 1; }
  void Corrupt(Slice) override { corrupt_ += 1; }
  int evicted() const { return evicted_; }
  int expired() const { return expired_; }
  int corrupt() const { return corrupt_; }

 private:
  int evicted_ = 0;
  int expired_ = 0;
  int corrupt_ = 0;
};

std::string Name(const char* what, int number) { return what + std::to_string(number); }

}  // namespace

TEST_CASE("file store: what has expired goes before what is of use, wherever it lies") {
  // Packed values, and values with files of their own.
  for (const uint64_t size : {uint64_t{3000}, uint64_t{150'000}}) {
    CAPTURE(size);
    TempFolder folder;
    Heard heard;
    file::FileStoreOptions options;
    options.policy = file::TurnKind::kFifo;
    options.listener = &heard;
    const std::string path = folder.path() + "/s";
    const int cold = static_cast<int>(3 * kMiB / size);
    {
      Store store(PosixEnv(), path, options);
      REQUIRE_MESSAGE(store.ok(), store.error());
      double now = kNow;
      store->TellTime(now);
      // The oldest are of use, the whole time.
      for (int at = 0; at < cold; at++) {
        REQUIRE(store.Put(Name("cold ", at), ValueOf(static_cast<uint64_t>(at), size)));
      }
      // Six times the bound of what is of use for a moment only.
      const int short_lived = static_cast<int>(6 * 16 * kMiB / size);
      for (int at = 0; at < short_lived; at++) {
        const auto value = ValueOf(static_cast<uint64_t>(at) + 1000, size);
        const Wrote wrote = store.Set(Name("short ", at), value, MetadataOf(now + 1000, now));
        REQUIRE_MESSAGE(wrote.kind == Written::kDone, wrote.message);
        REQUIRE(BlocksOf(PosixEnv(), path) <= store->stats().bytes);
        // A sixteenth of the bound in the time that each lives.
        if (at % (static_cast<int>(kMiB / size) + 1) == 0) now += 1000;
        store->TellTime(now);
      }
      for (int at = 0; at < cold; at++) {
        CHECK(store.Has(Name("cold ", at), ValueOf(static_cast<uint64_t>(at), size)));
      }
      const auto stats = store->stats();
      CHECK(stats.evictions == 0);
      CHECK(stats.expirations > 100);
      CHECK(heard.evicted() == 0);
      CHECK(static_cast<uint64_t>(heard.expired()) == stats.expirations);
      CHECK(stats.most_bytes <= stats.max_bytes);
      // What is copied is what is of use, again and again no more than now and then.
      CHECK(stats.bytes_copied * 4 < stats.bytes_written + stats.blob_bytes_written);
    }
    // Not closed: the log says the same.
    options.listener = nullptr;
    Store again(PosixEnv(), path, options);
    REQUIRE_MESSAGE(again.ok(), again.error());
    CHECK(again->recovered().lost.empty());
    for (int at = 0; at < cold; at++) {
      CHECK(again.Has(Name("cold ", at), ValueOf(static_cast<uint64_t>(at), size)));
    }
  }
}

TEST_CASE(
    "file store: what had expired and was replaced does not come back, nor what it replaced") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  file::FileStoreOptions options;
  options.policy = file::TurnKind::kFifo;
  std::map<std::string, std::vector<uint8_t>> model;
  {
    Store store(PosixEnv(), path, options);
    REQUIRE(store.ok());
    store->TellTime(kNow);
    // Stays in the oldest segment, and is of use; so is what stands behind it, but not for long.
    for (int at = 0; at < 100; at++) {
      REQUIRE(store.Put(Name("stays ", at), ValueOf(static_cast<uint64_t>(at), 3000)));
      REQUIRE(store.Put(Name("twice ", at), ValueOf(static_cast<uint64_t>(at), 3000)));
    }
    for (int at = 0; at < 100; at++) {
      const auto value = ValueOf(static_cast<uint64_t>(at) + 500, 30'000);
      REQUIRE(store.Set(Name("twice ", at), value, MetadataOf(kNow + 1000, kNow)).kind ==
              Written::kDone);
    }
    store->TellTime(kNow + 10'000);
    Random random(3);
    for (int at = 0; at < 600; at++) {
      const std::string key = Name("hot ", static_cast<int>(random.Below(8)));
      model[key] = ValueOf(random.Next(), 30'000);
      REQUIRE(store.Put(key, model[key]));
      // Some come again meanwhile.
      if (at % 30 == 0) {
        const std::string twice = Name("twice ", at / 30);
        model[twice] = ValueOf(random.Next(), 2000);
        REQUIRE(store.Put(twice, model[twice]));
      }
    }
    CHECK(store->stats().reclaimed_segments > 5);
    CHECK(store->stats().evictions == 0);
    CHECK(store->stats().expirations > 50);
  }
  for (int round = 0; round < 2; round++) {
    Store again(PosixEnv(), path, options);
    REQUIRE(again.ok());
    CHECK(again->recovered().damages == 0);
    for (const auto& [key, value] : model) CHECK(again.Has(key, value));
    for (int at = 0; at < 100; at++) {
      CHECK(again.Has(Name("stays ", at), ValueOf(static_cast<uint64_t>(at), 3000)));
      const std::string key = Name("twice ", at);
      // Never the value that was replaced.
      const auto got = again.Get(key, true);
      if (got && !model.contains(key)) CHECK(got->value.size() == 30'000);
    }
  }
}

TEST_CASE("file store: a large value that is spared once is not spared for ever") {
  for (const auto kind : {file::TurnKind::kS3Fifo, file::TurnKind::kSieve}) {
    TempFolder folder;
    file::FileStoreOptions options;
    options.policy = kind;
    Store store(PosixEnv(), folder.path() + "/s", options);
    REQUIRE(store.ok());
    for (int at = 0; at < 10; at++) {
      REQUIRE(store.Put(Name("once ", at), ValueOf(static_cast<uint64_t>(at), 200'000)));
      REQUIRE(store.Get(Name("once ", at)).has_value());
    }
    const auto there = [&](const char* what, int count) {
      int found = 0;
      for (int at = 0; at < count; at++) found += store.Get(Name(what, at), true) ? 1 : 0;
      return found;
    };
    int most = 0;
    // About one turn of the queue, which they survive.
    for (int at = 0; at < 80; at++) REQUIRE(store.Put(Name("new ", at), ValueOf(1, 200'000)));
    most = there("once ", 10);
    CHECK(most > 5);
    // And many more, which they do not.
    for (int at = 80; at < 500; at++) REQUIRE(store.Put(Name("new ", at), ValueOf(1, 200'000)));
    CHECK(there("once ", 10) == 0);
    // Who is asked for all the time stays.
    REQUIRE(store.Put("hot", ValueOf(7, 200'000)));
    for (int at = 500; at < 900; at++) {
      REQUIRE(store.Get("hot").has_value());
      REQUIRE(store.Put(Name("new ", at), ValueOf(1, 200'000)));
    }
  }
}

TEST_CASE("file store: an entry that was copied forward meanwhile is revised all the same") {
  TempFolder folder;
  file::FileStoreOptions options;
  options.policy = file::TurnKind::kSieve;
  Store store(PosixEnv(), folder.path() + "/s", options);
  REQUIRE(store.ok());
  const auto value = ValueOf(1, 3000);
  REQUIRE(store.Put("key", value));
  const auto seen = store.Get("key");
  REQUIRE(seen.has_value());
  for (int at = 0; at < 8000; at++) {
    REQUIRE(store.Put(Name("other ", at), ValueOf(static_cast<uint64_t>(at), 3000)));
    if (at % 100 == 0) REQUIRE(store.Get("key").has_value());
  }
  const auto moved = store.Get("key");
  REQUIRE(moved.has_value());
  CHECK(moved->position.segment > seen->position.segment);
  CHECK(moved->sequence == seen->sequence);
  Wrote wrote;
  store->Revise(SliceOf("key"), seen->sequence, MetadataOf(5e12, 77), store.Into(wrote));
  CHECK(wrote.kind == Written::kDone);
  CHECK(store.Get("key")->metadata == MetadataOf(5e12, 77));
  CHECK(store.Has("key", value));
  // What it was before is not there any more.
  store->Revise(SliceOf("key"), seen->sequence, MetadataOf(6e12, 78), store.Into(wrote));
  CHECK(wrote.kind == Written::kSuperseded);
}

TEST_CASE("file store: reclaim keeps to its pace, and to none when room is scarce") {
  ManualTime time;
  file::ReclaimPace pace(time, 10 * kMiB);
  CHECK(pace.rate() == 10 * kMiB);
  // Without limit it is not asked for.
  file::ReclaimPace none(time, 0);
  none.Wait(1000 * kMiB);
  CHECK(none.rate() == 0);
  // Four times what is written, where that is more.
  for (int window = 0; window < 20; window++) {
    time.Advance(file::ReclaimPace::kWindow);
    pace.Wrote(5 * kMiB);
    pace.Wait(file::ReclaimPace::kPiece);
  }
  CHECK(pace.rate() > 150 * kMiB);
  CHECK(pace.rate() <= 201 * kMiB);
  for (int window = 0; window < 20; window++) {
    time.Advance(file::ReclaimPace::kWindow);
    pace.Wait(file::ReclaimPace::kPiece);
  }
  CHECK(pace.rate() == 10 * kMiB);
  // Who waits goes on when room is scarce.
  std::atomic<int> waits = 0;
  std::thread waiting([&] {
    for (int at = 0; at < 3; at++) {
      pace.Wait(10 * kMiB);
      waits += 1;
    }
  });
  while (time.waiting() == 0) std::this_thread::yield();
  const int before = waits;
  CHECK(before < 3);
  pace.Hurry(true);
  CHECK(pace.rate() == 0);
  waiting.join();
  CHECK(waits == 3);
  // And when it is closed.
  pace.Hurry(false);
  std::thread closing([&] {
    for (int at = 0; at < 3; at++) pace.Wait(10 * kMiB);
  });
  while (time.waiting() == 0) std::this_thread::yield();
  pace.Close();
  closing.join();
}
