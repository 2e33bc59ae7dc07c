// From many threads to one loop: none is lost, none comes twice, and none after the end.

#include "io/completion_queue.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace drey;

namespace {

// A loop that is woken.
struct Loop {
  std::atomic<uint32_t> woken = 0;
  std::atomic<uint64_t> wakes = 0;

  static void Wake(void* context) {
    auto* const loop = static_cast<Loop*>(context);
    loop->wakes += 1;
    loop->woken += 1;
    loop->woken.notify_all();
  }
  void Wait() {
    woken.wait(0);
    woken = 0;
  }
};

}  // namespace

TEST_CASE("completions: woken when there is the first, and not before all were taken") {
  Loop loop;
  CompletionQueue queue(5, Loop::Wake, &loop);
  std::array<Completion, 2> into;
  CHECK(queue.Drain(into) == 0);
  for (int at = 0; at < 5; at++) CHECK(queue.Reserve());
  CHECK(!queue.Reserve());
  CHECK(queue.under_way() == 5);
  for (uint64_t id = 0; id < 4; id++) {
    CHECK(queue.Push({.id = id, .code = Status::Code::kIo, .detail = 7, .first = 1, .second = 2}));
  }
  CHECK(loop.wakes == 1);
  CHECK(queue.Drain(into) == 2);
  CHECK(into[1].id == 1);
  CHECK(into[1].code == Status::Code::kIo);
  CHECK(into[1].detail == 7);
  CHECK(into[1].first == 1);
  CHECK(into[1].second == 2);
  // It was full: who drains comes again, and is not woken.
  CHECK(queue.Push({.id = 4}));
  CHECK(loop.wakes == 1);
  CHECK(queue.Reserve());
  CHECK(queue.Push({.id = 5}));
  CHECK(queue.Drain(into) == 2);
  CHECK(into[0].id == 2);
  CHECK(queue.Drain(into) == 2);
  CHECK(into[1].id == 5);
  CHECK(queue.Drain(into) == 0);
  CHECK(queue.under_way() == 0);
  CHECK(queue.Reserve());
  queue.Cancel();
  CHECK(queue.under_way() == 0);
  CHECK(queue.Reserve());
  CHECK(queue.Push({.id = 6}));
  CHECK(loop.wakes == 2);
  CHECK(queue.Reserve());
  queue.Close();
  queue.Cancel();
  CHECK(queue.under_way() == 0);
  CHECK(queue.Drain(into) == 0);
  CHECK(!queue.Reserve());
  CHECK(!queue.Push({.id = 7}));
  CHECK(loop.wakes == 2);
}

TEST_CASE("completions: eight producers, and everything comes once and in the order of each") {
  constexpr uint64_t kProducers = 8;
  constexpr uint64_t kEach = 4000;
  constexpr uint32_t kCapacity = 64;
  Loop loop;
  CompletionQueue queue(kCapacity, Loop::Wake, &loop);
  // What the loop has begun, and the producers may end.
  std::atomic<int64_t> begun = 0;
  std::vector<std::thread> producers;
  for (uint64_t producer = 0; producer < kProducers; producer++) {
    producers.emplace_back([&, producer] {
      for (uint64_t at = 0; at < kEach; at++) {
        int64_t has = begun;
        while (has <= 0 || !begun.compare_exchange_weak(has, has - 1)) {
          std::this_thread::yield();
          has = begun;
        }
        if (!queue.Push({.id = producer, .first = at})) return;
      }
    });
  }
  std::array<uint64_t, kProducers> next{};
  std::array<Completion, 10> into;
  uint64_t reserved = 0;
  uint64_t came = 0;
  uint64_t emptied = 0;
  bool wrong = false;
  while (came < kProducers * kEach) {
    while (reserved < kProducers * kEach && queue.Reserve()) {
      reserved += 1;
      begun += 1;
    }
    loop.Wait();
    size_t taken = into.size();
    while (taken == into.size()) {
      taken = queue.Drain(into);
      for (size_t at = 0; at < taken; at++) {
        wrong = wrong || into[at].first != next[into[at].id]++;
      }
      came += taken;
    }
    emptied += 1;
  }
  for (std::thread& producer : producers) producer.join();
  CHECK(!wrong);
  CHECK(came == kProducers * kEach);
  // One wake-up for each time that it was left empty, at most.
  CHECK(loop.wakes <= emptied + 1);
  CHECK(queue.under_way() == 0);
}

TEST_CASE("completions: closed while all push, nobody is woken any more") {
  struct Woken {
    std::atomic<uint64_t> calls = 0;
    std::atomic<uint64_t> late = 0;
    std::atomic<bool> closed = false;
  };
  for (int round = 0; round < 200; round++) {
    // Gone right after Close: who touches it then is found by the sanitizers.
    auto woken = std::make_unique<Woken>();
    const auto queue = std::make_shared<CompletionQueue>(
        100'000,
        [](void* context) {
          auto* const self = static_cast<Woken*>(context);
          self->calls += 1;
          for (int turn = 0; turn < 3; turn++) std::this_thread::yield();
          if (self->closed) self->late += 1;
        },
        woken.get());
    while (queue->under_way() < 4000) REQUIRE(queue->Reserve());
    std::atomic<uint64_t> refused = 0;
    std::vector<std::thread> producers;
    for (int producer = 0; producer < 4; producer++) {
      producers.emplace_back([queue, &refused] {
        for (uint64_t at = 0; at < 1000; at++) {
          if (!queue->Push({.id = at})) {
            refused += 1;
            return;
          }
          if (at % 16 == 0) std::this_thread::yield();
        }
      });
    }
    std::array<Completion, 32> into;
    uint64_t came = 0;
    while (woken->calls < 3 && came < 4000) came += queue->Drain(into);
    queue->Close();
    woken->closed = true;
    const uint64_t late = woken->late;
    woken.reset();
    for (std::thread& producer : producers) producer.join();
    REQUIRE(late == 0);
  }
}
