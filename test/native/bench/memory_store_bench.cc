// What the memory store's core costs per call, without Node. make -C test/native bench

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../memory_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

using Watch = std::chrono::steady_clock;

double NsSince(Watch::time_point start, uint64_t calls) {
  return std::chrono::duration<double, std::nano>(Watch::now() - start).count() /
         static_cast<double>(calls);
}

// Ranks with Zipf's distribution, by inverting a table of its sums; spread over the keys, so that hot ones
// are nowhere together.
std::vector<uint32_t> Zipf(uint64_t keys, double exponent, uint64_t draws, Random& random) {
  std::vector<double> sums(keys);
  double sum = 0;
  for (uint64_t at = 0; at < keys; at++) {
    sum += 1 / std::pow(static_cast<double>(at + 1), exponent);
    sums[at] = sum;
  }
  std::vector<uint32_t> order(keys);
  for (uint64_t at = 0; at < keys; at++) order[at] = static_cast<uint32_t>(at);
  for (uint64_t at = keys - 1; at > 0; at--) std::swap(order[at], order[random.Below(at + 1)]);
  std::vector<uint32_t> drawn(draws);
  for (uint32_t& key : drawn) {
    const double at = static_cast<double>(random.Next() >> 11) / 9007199254740992.0 * sum;
    const auto rank = static_cast<uint64_t>(std::lower_bound(sums.begin(), sums.end(), at) - sums.begin());
    key = order[std::min(rank, keys - 1)];
  }
  return drawn;
}

}  // namespace

int main() {
  constexpr uint64_t kEntries = 1000000;
  constexpr uint64_t kValue = 1024;
  constexpr uint64_t kCalls = 2000000;
  ManualClock clock;
  Random random(1);
  const std::vector<uint8_t> value = ValueOf(1, 1, kValue);
  const auto store = MakeStore({.max_bytes = kEntries * (kValue + 16 + 60)}, clock);
  std::vector<std::string> names(kEntries * 3);
  for (uint64_t key = 0; key < names.size(); key++) names[key] = KeyOf(key);

  for (uint64_t key = 0; key < kEntries * 2; key++) {
    static_cast<void>(store->Set(SliceOf(names[key]), value, At(1e12)));
  }
  std::printf("memory store, %llu entries of %llu B, %.1f B beside key and value\n",
              static_cast<unsigned long long>(store->stats().entries),
              static_cast<unsigned long long>(kValue),
              static_cast<double>(store->stats().bytes) /
                      static_cast<double>(store->stats().entries) -
                  kValue - 16);
  for (int round = 0; round < 3; round++) {
    std::vector<uint32_t> keys(kCalls);
    for (uint32_t& key : keys) key = static_cast<uint32_t>(random.Below(names.size()));
    const uint64_t before = store->stats().evictions;
    const auto start = Watch::now();
    for (const uint32_t key : keys) {
      static_cast<void>(store->Set(SliceOf(names[key]), value, At(1e12)));
    }
    std::printf("set, random order, %2.0f %% evict: %.0f ns\n",
                100 * static_cast<double>(store->stats().evictions - before) / kCalls,
                NsSince(start, kCalls));
  }
  for (uint64_t key = 0; key < kEntries; key++) {
    static_cast<void>(store->Set(SliceOf(names[key]), value, At(1e12)));
  }
  const std::vector<uint32_t> zipf = Zipf(kEntries, 0.99, kCalls, random);
  const auto get = [&](uint64_t offset) {
    std::vector<uint8_t> to(kValue);
    Head head;
    uint64_t hits = 0;
    for (uint64_t at = 0; at < kCalls; at++) {
      const uint32_t key = zipf[(at + offset) % kCalls];
      hits += store->GetCopy(SliceOf(names[key]), to, {}, head) == MemoryStore::Copied::kDone;
    }
    return hits;
  };
  for (int round = 0; round < 3; round++) {
    const auto start = Watch::now();
    const uint64_t hits = get(0);
    std::printf("get with copy, Zipf 0.99, %2.0f %% hit: %.0f ns\n",
                100 * static_cast<double>(hits) / kCalls, NsSince(start, kCalls));
  }
  for (int round = 0; round < 3; round++) {
    const auto start = Watch::now();
    std::thread other([&] { get(kCalls / 2); });
    get(0);
    other.join();
    std::printf("get with copy, Zipf 0.99, 2 threads: %.0f ns a call of each\n",
                NsSince(start, kCalls));
  }
  return 0;
}
