// What the twin leaves after a power loss is what a disk may hold: checked against a history of
// whole files, which knows nothing of pages and versions.

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/env_posix.h"
#include "io/folder.h"
#include "support/env_fault.h"
#include "support/random.h"
#include "support/temp_folder.h"

using namespace drey;
using namespace drey::test;

namespace {

using Access = Env::Access;
using Missing = Folder::Missing;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kSector = 512;
constexpr uint64_t kLargest = 40'000;

// A file as it was after every change of it.
struct Told {
  struct Moment {
    std::vector<uint8_t> bytes;
    // What the change touched.
    uint64_t from = 0;
    uint64_t to = 0;
    bool sized = false;
    bool given_up = false;
  };
  std::vector<Moment> moments{1};
  // The oldest moment that each page may be of, and the size.
  std::map<uint64_t, size_t> pages;
  size_t size = 0;

  const std::vector<uint8_t>& now() const { return moments.back().bytes; }

  void Change(std::vector<uint8_t> bytes, uint64_t from, uint64_t to) {
    const bool sized = bytes.size() != now().size();
    moments.push_back({std::move(bytes), from, to, sized, false});
  }
  void Sync() {
    for (size_t at = 1; at < moments.size(); at++) {
      const Moment& moment = moments[at];
      if (moment.given_up) continue;
      for (uint64_t page = moment.from / kPage; page * kPage < moment.to; page++) {
        pages[page] = at;
      }
      if (moment.sized) size = at;
    }
  }
  void GiveUp() {
    for (Moment& moment : moments) moment.given_up = true;
  }
};

struct Seen {
  uint64_t old_beside_new = 0;
  uint64_t junk = 0;
  uint64_t absent = 0;
  uint64_t back = 0;
  uint64_t shorter = 0;
  uint64_t torn = 0;
};

bool Equal(const std::vector<uint8_t>& whole, const std::vector<uint8_t>& found, uint64_t start,
           uint64_t end) {
  for (uint64_t at = start; at < end; at++) {
    if ((at < whole.size() ? whole[at] : 0) != found[at]) return false;
  }
  return true;
}

// Whether `found` may be left of the file.
bool Allowed(const Told& told, const std::vector<uint8_t>& found, PowerLoss how, Seen& seen) {
  if (how == PowerLoss::kEverything) return found == told.now();
  bool sized = false;
  for (size_t at = told.size; at < told.moments.size(); at++) {
    sized = sized || told.moments[at].bytes.size() == found.size();
  }
  if (!sized) return false;
  if (found.size() < told.now().size()) seen.shorter += 1;
  const uint64_t synced = told.moments[told.size].bytes.size();
  bool has_old = false;
  bool has_new = false;
  for (uint64_t start = 0; start < found.size(); start += kSector) {
    const uint64_t end = std::min<uint64_t>(start + kSector, found.size());
    const auto floor = told.pages.find(start / kPage);
    const size_t oldest = floor == told.pages.end() ? 0 : floor->second;
    bool right = false;
    for (size_t at = oldest; at < told.moments.size() && !right; at++) {
      right = Equal(told.moments[at].bytes, found, start, end);
      if (how == PowerLoss::kNothing) break;
    }
    if (!right && how == PowerLoss::kJunk && start >= synced) {
      seen.junk += 1;
      right = true;
    }
    if (!right) return false;
    const bool latest = Equal(told.now(), found, start, end);
    has_new = has_new || (latest && !Equal(told.moments[oldest].bytes, found, start, end));
    has_old = has_old || !latest;
  }
  if (has_old && has_new) seen.old_beside_new += 1;
  return true;
}

// A folder under random changes, and what may have each of its names after a power loss.
class Play {
 public:
  Play(FaultEnv& env, const std::string& path, uint64_t seed)
      : env_(env), path_(path), random_(seed) {
    Result<Folder> opened = OpenFolderAt(env, path, Missing::kMake);
    REQUIRE(opened.ok());
    folder_ = opened.Take();
  }

  void Step() {
    const std::string name(1, static_cast<char>('a' + random_.Below(4)));
    const auto found = live_.find(name);
    if (found == live_.end()) {
      if (random_.Below(3) == 0) Create(name);
      return;
    }
    Result<File> opened = folder_.OpenFile(name, Access::kReadWrite);
    REQUIRE(opened.ok());
    File file = opened.Take();
    Told& told = *found->second;
    const uint64_t offset = random_.Below(kLargest);
    const uint64_t bytes = 1 + random_.Below(random_.Below(2) == 0 ? 600 : 9000);
    std::vector<uint8_t> after = told.now();
    switch (random_.Below(14)) {
      case 0:
        return Drop(name);
      case 1:
        return Rename(name, std::string(1, static_cast<char>('a' + random_.Below(4))));
      case 2:
        REQUIRE(folder_.Sync().ok());
        return SyncNames();
      case 3:
        REQUIRE(file.SyncData().ok());
        return told.Sync();
      case 4:
        env_.ClearFaults();
        env_.Inject({.call = Call::kSync, .times = 1, .error = EIO});
        REQUIRE(!file.Sync().ok());
        return told.GiveUp();
      case 5:
        REQUIRE(file.Truncate(offset).ok());
        after.resize(offset);
        // Growing writes no page.
        return offset < told.now().size() ? told.Change(after, offset, kLargest * 2)
                                          : told.Change(after, 0, 0);
      case 6:
        REQUIRE(file.Allocate(offset, bytes, Env::Allocation::kExtend).ok());
        after.resize(std::max<uint64_t>(after.size(), offset + bytes));
        return told.Change(after, 0, 0);
      case 7:
        REQUIRE(file.Punch(offset, bytes).ok());
        for (uint64_t at = offset; at < std::min<uint64_t>(offset + bytes, after.size()); at++) {
          after[at] = 0;
        }
        return told.Change(after, offset, offset + bytes);
      default:
        return Write(file, told, offset, bytes);
    }
  }

  // Everything is closed; the machine has stopped.
  void Check(PowerLoss how, Seen& seen) {
    for (char letter = 'a'; letter < 'e'; letter++) {
      const std::string name(1, letter);
      CAPTURE(name);
      Result<File> opened = folder_.OpenFile(name, Access::kRead);
      std::vector<std::shared_ptr<Told>>& may = names_[name];
      if (may.empty()) may.push_back(nullptr);
      const size_t first = how == PowerLoss::kEverything ? may.size() - 1 : 0;
      const size_t last = how == PowerLoss::kNothing ? 1 : may.size();
      bool allowed = false;
      if (!opened.ok()) {
        REQUIRE(opened.status().code() == Status::Code::kNotFound);
        for (size_t at = first; at < last; at++) allowed = allowed || may[at] == nullptr;
        if (may.back() != nullptr) seen.absent += 1;
      } else {
        if (may.back() == nullptr) seen.back += 1;
        std::vector<uint8_t> found(opened.value().Stat().value().size);
        REQUIRE(opened.value().ReadFull(0, found).ok());
        for (size_t at = first; at < last && !allowed; at++) {
          allowed = may[at] != nullptr && Allowed(*may[at], found, how, seen);
        }
      }
      CHECK(allowed);
    }
  }

  void Close() { REQUIRE(folder_.Close().ok()); }
  void Open() {
    Result<Folder> opened = OpenFolderAt(env_, path_, Missing::kRefuse);
    REQUIRE(opened.ok());
    folder_ = opened.Take();
  }

 private:
  void Has(const std::string& name, std::shared_ptr<Told> told) {
    std::vector<std::shared_ptr<Told>>& may = names_[name];
    if (may.empty()) may.push_back(nullptr);
    may.push_back(told);
    if (told == nullptr) {
      live_.erase(name);
    } else {
      live_[name] = std::move(told);
    }
  }
  void SyncNames() {
    for (auto& [name, may] : names_) may.erase(may.begin(), may.end() - 1);
  }
  void Create(const std::string& name) {
    REQUIRE(folder_.OpenFile(name, Access::kCreate).ok());
    Has(name, std::make_shared<Told>());
  }
  void Drop(const std::string& name) {
    REQUIRE(folder_.Unlink(name).ok());
    Has(name, nullptr);
  }
  void Rename(const std::string& from, const std::string& to) {
    if (from == to) return;
    REQUIRE(folder_.Rename(from, to).ok());
    Has(to, live_[from]);
    Has(from, nullptr);
  }
  void Write(File& file, Told& told, uint64_t offset, uint64_t bytes) {
    std::vector<uint8_t> written(bytes);
    for (uint8_t& byte : written) byte = static_cast<uint8_t>(random_.Next() >> 24);
    const uint64_t split = random_.Below(bytes + 1);
    const Slice slices[] = {Slice(written).first(split), Slice(written).subspan(split)};
    // What is not all taken at once is several writes.
    const uint64_t at_most = random_.Below(3) == 0 ? 1 + random_.Below(bytes) : bytes;
    env_.ClearFaults();
    env_.Inject({.call = Call::kWrite, .at_most = at_most});
    REQUIRE(file.WriteFull(offset, slices).ok());
    env_.ClearFaults();
    for (uint64_t start = 0; start < bytes; start += at_most) {
      const uint64_t count = std::min(at_most, bytes - start);
      std::vector<uint8_t> after = told.now();
      after.resize(std::max<uint64_t>(after.size(), offset + start + count));
      std::memcpy(after.data() + offset + start, written.data() + start, count);
      told.Change(std::move(after), offset + start, offset + start + count);
    }
  }

  FaultEnv& env_;
  const std::string path_;
  Random random_;
  Folder folder_;
  std::map<std::string, std::shared_ptr<Told>> live_;
  // Of each name: what it was at the last sync of its folder, and each time after it was changed.
  std::map<std::string, std::vector<std::shared_ptr<Told>>> names_;
};

constexpr PowerLoss kWays[] = {PowerLoss::kNothing, PowerLoss::kEverything, PowerLoss::kOrdered,
                               PowerLoss::kPages,   PowerLoss::kSectors,    PowerLoss::kJunk};

}  // namespace

TEST_CASE("power loss: what is left is what was written at some moment since its sync") {
  Seen seen;
  for (uint64_t seed = 1; seed <= 400; seed++) {
    const PowerLoss how = kWays[seed % std::size(kWays)];
    CAPTURE(seed);
    TempFolder temp;
    FaultEnv env(PosixEnv());
    Play play(env, temp.path(), seed);
    for (int step = 0; step < 60; step++) play.Step();
    play.Close();
    env.Halt();
    REQUIRE(env.LosePower(seed, how));
    seen.torn += env.torn();
    play.Open();
    play.Check(how, seen);
  }
  CAPTURE(seen.torn);
  // A check that saw none of these has shown nothing.
  CHECK(seen.torn > 0);
  CHECK(seen.old_beside_new > 0);
  CHECK(seen.junk > 0);
  CHECK(seen.absent > 0);
  CHECK(seen.back > 0);
  CHECK(seen.shorter > 0);
}
