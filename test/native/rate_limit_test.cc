// So many bytes a second, whatever the pieces.

#include "io/rate_limit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "support/manual_time.h"
#include "support/random.h"

using namespace drey;
using namespace drey::test;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;

}  // namespace

TEST_CASE("rate limit: a burst at once, then at the rate") {
  ManualTime time;
  RateLimit limit(time, 1000, 100);
  CHECK(limit.Take(60) == 0);
  CHECK(limit.Take(40) == 0);
  CHECK(limit.Take(50) == kSecond / 20);
  time.Advance(kSecond / 20);
  CHECK(limit.Take(1) == kSecond / 1000);
  time.Advance(10 * kSecond);
  CHECK(limit.Take(100) == 0);
  CHECK(limit.Take(1000) == kSecond);
  limit.SetRate(0, 0);
  CHECK(limit.Take(UINT64_MAX) == 0);
  limit.SetRate(1, 0);
  CHECK(limit.Take(UINT64_MAX) > 0);
  CHECK(limit.Take(1) > 0);
  RateLimit fast(time, UINT64_MAX, 0);
  CHECK(fast.Take(UINT64_MAX) == 0);
}

TEST_CASE("rate limit: never more than the rate and one burst, over any time") {
  for (uint64_t seed = 1; seed <= 50; seed++) {
    ManualTime time;
    Random random(seed);
    const uint64_t rate = 1 + random.Below(1'000'000'000);
    const uint64_t burst = random.Below(2 * rate);
    RateLimit limit(time, rate, burst);
    std::vector<std::pair<uint64_t, uint64_t>> passed;
    uint64_t largest = burst;
    for (int turn = 0; turn < 60; turn++) {
      const uint64_t bytes = random.Below(burst + rate);
      largest = std::max(largest, bytes);
      passed.emplace_back(time.Nanoseconds() + limit.Take(bytes), bytes);
      if (random.Below(2) == 0) time.Advance(random.Below(3 * kSecond));
    }
    for (size_t from = 0; from < passed.size(); from++) {
      double bytes = 0;
      for (size_t to = from; to < passed.size(); to++) {
        REQUIRE(passed[to].first >= passed[to == 0 ? 0 : to - 1].first);
        bytes += static_cast<double>(passed[to].second);
        const auto took = static_cast<double>(passed[to].first - passed[from].first);
        const double allowed = took * static_cast<double>(rate) / kSecond;
        // A nanosecond of each piece is lost to rounding.
        const double rounding = 1 + static_cast<double>(to - from + 1) * double(rate) / kSecond;
        REQUIRE(bytes <= allowed + static_cast<double>(largest) + rounding);
      }
    }
  }
}

TEST_CASE("rate limit: who waits is let go by time, by another rate, and by the end") {
  ManualTime time;
  RateLimit limit(time, 1000, 0);
  for (int way = 0; way < 3; way++) {
    std::atomic<bool> passed = false;
    bool allowed = false;
    std::thread waits([&] {
      allowed = limit.Wait(1000);
      passed = true;
    });
    while (time.waiting() == 0) std::this_thread::yield();
    CHECK(!passed);
    if (way == 0) time.Advance(kSecond);
    if (way == 1) limit.SetRate(1000, 0);
    if (way == 2) limit.Close();
    waits.join();
    CHECK(allowed == (way != 2));
  }
  CHECK(!limit.Wait(1));
}
