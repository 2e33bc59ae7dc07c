// What the memory store's core costs per call, without Node. make -C test/native bench

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include "../memory_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

// The thread's own time: what other programs on the machine take is not counted, what they evict
// from its caches is.
struct Watch {
  using time_point = double;
  static double Now() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
  }
};

double NsSince(Watch::time_point start, uint64_t calls) {
  return (Watch::Now() - start) / static_cast<double>(calls);
}

// Ranks with Zipf's distribution, by inverting a table of its sums; spread over the keys, so that
// hot ones are nowhere together.
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
    const auto rank =
        static_cast<uint64_t>(std::lower_bound(sums.begin(), sums.end(), at) - sums.begin());
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
  auto store = MakeStore({.max_bytes = kEntries * (kValue + 16 + 60)}, clock);
  std::vector<std::array<uint8_t, 16>> names(kEntries * 3);
  for (uint64_t key = 0; key < names.size(); key++) {
    std::memcpy(names[key].data(), KeyOf(key).data(), 16);
  }

  for (uint64_t key = 0; key < kEntries * 2; key++) {
    static_cast<void>(store->Set(Slice(names[key]), value, At(1e12)));
  }
  std::printf(
      "memory store, %llu entries of %llu B, %.1f B beside key and value\n",
      static_cast<unsigned long long>(store->stats().entries),
      static_cast<unsigned long long>(kValue),
      static_cast<double>(store->stats().bytes) / static_cast<double>(store->stats().entries) -
          kValue - 16);
  {
    // For scale: what the machine takes to copy as much from anywhere to one place.
    std::vector<uint8_t> memory(kEntries * kValue);
    for (uint64_t at = 0; at < memory.size(); at += 4096) memory[at] = 1;
    std::vector<uint8_t> to(kValue);
    const auto start = Watch::Now();
    uint64_t sum = 0;
    for (uint64_t call = 0; call < kCalls; call++) {
      std::memcpy(to.data(), memory.data() + random.Below(kEntries) * kValue, kValue);
      sum += to[call % kValue];
    }
    std::printf("for scale, 1 KiB copied from anywhere in 1 GiB: %.0f ns%s\n",
                NsSince(start, kCalls), sum == 1 ? " " : "");
  }
  for (int round = 0; round < 3; round++) {
    std::vector<std::array<uint8_t, 16>> keys(kCalls);
    for (auto& key : keys) key = names[random.Below(names.size())];
    const uint64_t before = store->stats().evictions;
    const auto start = Watch::Now();
    for (const auto& key : keys) static_cast<void>(store->Set(Slice(key), value, At(1e12)));
    std::printf("set, random order, %2.0f %% evict: %.0f ns\n",
                100 * static_cast<double>(store->stats().evictions - before) / kCalls,
                NsSince(start, kCalls));
  }
  // For the gets, one that holds all of the keys.
  store.reset();
  store = MakeStore({.max_bytes = kEntries * (kValue + 16 + 90)}, clock);
  for (uint64_t key = 0; key < kEntries; key++) {
    static_cast<void>(store->Set(Slice(names[key]), value, At(1e12)));
  }
  // As a server has them: the key at hand, the entry anywhere.
  std::vector<std::array<uint8_t, 16>> zipf;
  for (const uint32_t key : Zipf(kEntries, 0.99, kCalls, random)) zipf.push_back(names[key]);
  const auto get = [&](uint64_t offset) {
    std::vector<uint8_t> to(kValue);
    Head head;
    uint64_t hits = 0;
    for (uint64_t at = 0; at < kCalls; at++) {
      const uint64_t draw = at + offset < kCalls ? at + offset : at + offset - kCalls;
      hits += store->GetCopy(Slice(zipf[draw]), to, {}, head) == MemoryStore::Copied::kDone;
    }
    return hits;
  };
  for (int round = 0; round < 3; round++) {
    const auto start = Watch::Now();
    const uint64_t hits = get(0);
    std::printf("get with copy, Zipf 0.99, %2.0f %% hit: %.0f ns\n",
                100 * static_cast<double>(hits) / kCalls, NsSince(start, kCalls));
  }
  for (int round = 0; round < 3; round++) {
    const auto start = Watch::Now();
    std::thread other([&] { get(kCalls / 2); });
    get(0);
    other.join();
    std::printf("get with copy, Zipf 0.99, 2 threads: %.0f ns a call of each\n",
                NsSince(start, kCalls));
  }
  return 0;
}
