// Plays request traces to the policies, so that their decisions can be held against known answers
// and against those of the TypeScript ones.
//
//   policy_trace ids WEIGHT HASH_KEY POLICY[,POLICY...] CAPACITY[,CAPACITY...] < trace
//   policy_trace sized 0 HASH_KEY POLICIES CAPACITIES < trace
//   policy_trace calls 0 HASH_KEY POLICIES CAPACITIES < calls
//
// A trace is little-endian uint32: ids that are dense, each of an entry that weighs WEIGHT, or
// pairs of id and size in bytes. Calls are triples: a Call, an id, a size. A line for each policy
// and capacity:
//
//   policy capacity misses digest-of-the-victims nanoseconds-per-request
//   bytes-that-the-policy-holds
//
// Of calls, the second figure is the entries that the policy has at the end.

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace drey {
namespace {

struct Request {
  uint32_t id;
  uint32_t size;
};

struct Entry {
  PolicyNode node;
  uint32_t size;
  bool here;
  bool pinned;
};

// What a policy can be asked for. Whatever makes no sense at the time, such as removing what is not
// there, is left out, so that any sequence of calls is one to try.
enum Call : uint32_t { kAdd, kTouch, kRemove, kEvict, kDrain, kResize, kSetCapacity, kPin };

// A bijection, so that no two ids have the same hash and no answer depends on luck: MurmurHash3's
// finalizer.
uint32_t HashOf(uint32_t id, uint32_t key) noexcept {
  uint32_t hash = id ^ key;
  hash = (hash ^ hash >> 16) * 0x85ebca6b;
  hash = (hash ^ hash >> 13) * 0xc2b2ae35;
  return hash ^ hash >> 16;
}

class Entries final : public PolicyNodes {
 public:
  Entries(uint32_t count, uint32_t key) : entries_(count), key_(key) {
    Place(&entries_.data()->node, sizeof(Entry));
  }
  Entry& At(uint32_t id) noexcept { return entries_[id]; }
  uint32_t Hash(uint32_t id) const noexcept override { return HashOf(id, key_); }
  uint64_t Size(uint32_t id) const noexcept override { return entries_[id].size; }
  bool Evictable(uint32_t id) const noexcept override { return !entries_[id].pinned; }

 private:
  std::vector<Entry> entries_;
  uint32_t key_;
};

struct Outcome {
  uint64_t figure = 0;
  // FNV-1a over the ids of the victims, a word at a time.
  uint32_t victims = 2166136261;

  void Victim(uint32_t id) noexcept { victims = (victims ^ id) * 16777619; }
};

Outcome Play(const std::vector<Request>& trace, Entries& entries, Policy& policy,
             uint64_t capacity) {
  Outcome outcome;
  uint64_t used = 0;
  for (const Request& request : trace) {
    Entry& entry = entries.At(request.id);
    if (entry.here) {
      policy.Touch(request.id);
      continue;
    }
    outcome.figure += 1;
    if (request.size > capacity) continue;
    while (used + request.size > capacity) {
      const uint32_t victim = policy.Evict(false);
      Entry& gone = entries.At(victim);
      gone.here = false;
      used -= gone.size;
      outcome.Victim(victim);
    }
    entry.size = request.size;
    entry.here = true;
    used += request.size;
    policy.Add(request.id);
  }
  return outcome;
}

Outcome Perform(const std::vector<uint32_t>& calls, Entries& entries, Policy& policy) {
  Outcome outcome;
  for (size_t at = 0; at + 3 <= calls.size(); at += 3) {
    const uint32_t id = calls[at + 1];
    const uint32_t size = calls[at + 2];
    Entry& entry = entries.At(id);
    switch (static_cast<Call>(calls[at])) {
      case kAdd:
        if (entry.here) break;
        entry.here = true;
        entry.size = size;
        policy.Add(id);
        break;
      case kTouch:
        if (entry.here) policy.Touch(id);
        break;
      case kRemove:
        if (!entry.here) break;
        policy.Remove(id);
        entry.here = false;
        break;
      case kEvict:
      case kDrain: {
        const uint32_t victim = policy.Evict(calls[at] == kDrain);
        outcome.Victim(victim);
        if (victim != PolicyNode::kNone) entries.At(victim).here = false;
        break;
      }
      case kResize: {
        if (!entry.here) break;
        const uint32_t before = entry.size;
        entry.size = size;
        policy.Resize(id, before);
        break;
      }
      case kSetCapacity:
        policy.SetCapacity(size);
        break;
      case kPin:
        entry.pinned = !entry.pinned;
        break;
    }
  }
  outcome.figure = policy.count();
  return outcome;
}

std::vector<uint32_t> ReadWords() {
  std::vector<uint32_t> words;
  std::vector<uint32_t> chunk(1 << 16);
  while (const size_t got = std::fread(chunk.data(), sizeof(uint32_t), chunk.size(), stdin)) {
    words.insert(words.end(), chunk.begin(), chunk.begin() + static_cast<ptrdiff_t>(got));
  }
  return words;
}

std::vector<std::string> Split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return parts;
}

int Main(int count, char** arguments) {
  if (count != 6) {
    std::fprintf(stderr,
                 "usage: policy_trace ids|sized|calls WEIGHT HASH_KEY POLICIES CAPACITIES\n");
    return 2;
  }
  const std::string_view form = arguments[1];
  const auto weight = static_cast<uint32_t>(std::strtoul(arguments[2], nullptr, 10));
  const auto key = static_cast<uint32_t>(std::strtoul(arguments[3], nullptr, 10));
  const std::vector<uint32_t> words = ReadWords();
  const bool calls = form == "calls";
  const size_t step = calls ? 3 : form == "sized" ? 2 : 1;
  std::vector<Request> trace;
  uint32_t ids = 0;
  for (size_t at = 0; at + step <= words.size(); at += step) {
    const Request request = {words[at + (calls ? 1 : 0)],
                             step == 1 ? weight : words[at + step - 1]};
    ids = std::max(ids, request.id + 1);
    if (!calls) trace.push_back(request);
  }

  for (const std::string& name : Split(arguments[4])) {
    const auto kind = PolicyKindOf(name);
    if (!kind) {
      std::fprintf(stderr, "policy_trace: there is no policy %s\n", name.c_str());
      return 2;
    }
    for (const std::string& text : Split(arguments[5])) {
      const uint64_t capacity = std::strtoull(text.c_str(), nullptr, 10);
      Entries entries(ids, key);
      Ledger ledger(UINT64_MAX);
      const auto policy = MakePolicy(*kind, entries,
                                     {.system = PosixMemory(),
                                      .ledger = ledger,
                                      .capacity = capacity,
                                      .most_entries = PolicyNode::kNone});
      if (policy == nullptr) return 1;
      const auto start = std::chrono::steady_clock::now();
      const Outcome outcome =
          calls ? Perform(words, entries, *policy) : Play(trace, entries, *policy, capacity);
      const std::chrono::duration<double, std::nano> took =
          std::chrono::steady_clock::now() - start;
      std::printf("%s %" PRIu64 " %" PRIu64 " %" PRIu32 " %.1f %" PRIu64 "\n", name.c_str(),
                  capacity, outcome.figure, outcome.victims,
                  took.count() / static_cast<double>(words.size() / step), policy->MemoryBytes());
    }
  }
  return 0;
}

}  // namespace
}  // namespace drey

int main(int count, char** arguments) { return drey::Main(count, arguments); }
