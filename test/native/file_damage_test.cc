// Bytes flipped, cut, swapped and copied in a directory: never a wrong byte, never a crash (I2).

#include <algorithm>
#include <cstdlib>

#include "file_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

struct Kept {
  std::string folder;
  std::string name;
};

std::vector<Kept> FilesOf(const std::string& path) {
  std::vector<Kept> files;
  std::vector<std::string> folders = {path};
  while (!folders.empty()) {
    const std::string folder = folders.back();
    folders.pop_back();
    Result<Folder> opened = OpenFolderAt(PosixEnv(), folder, Folder::Missing::kRefuse);
    REQUIRE(opened.ok());
    std::vector<std::string> names;
    CHECK(opened.value()
              .List([&](const Listed& entry) {
                names.emplace_back(entry.name);
                return true;
              })
              .ok());
    for (const std::string& name : names) {
      const Result<NodeInfo> info = opened.value().StatAt(name);
      if (!info.ok()) continue;
      if (info.value().kind == NodeKind::kFolder) folders.push_back(folder + "/" + name);
      if (info.value().kind == NodeKind::kFile) files.push_back({folder, name});
    }
  }
  return files;
}

std::vector<uint8_t> Contents(const Kept& kept) {
  Result<Folder> folder = OpenFolderAt(PosixEnv(), kept.folder, Folder::Missing::kRefuse);
  REQUIRE(folder.ok());
  Result<File> file = folder.value().OpenFile(kept.name, Env::Access::kRead);
  REQUIRE(file.ok());
  const Result<NodeInfo> info = file.value().Stat();
  REQUIRE(info.ok());
  std::vector<uint8_t> bytes(info.value().size);
  REQUIRE(file.value().ReadFull(0, bytes).ok());
  return bytes;
}

void Replace(const Kept& kept, const std::vector<uint8_t>& bytes) {
  Result<Folder> folder = OpenFolderAt(PosixEnv(), kept.folder, Folder::Missing::kMake);
  REQUIRE(folder.ok());
  static_cast<void>(folder.value().Unlink(kept.name).ok());
  Result<File> made = folder.value().OpenFile(kept.name, Env::Access::kCreate);
  REQUIRE(made.ok());
  File file = made.Take();
  REQUIRE(file.WriteFull(0, Slice(bytes)).ok());
}

// Harms one file, or two.
std::string Harm(const std::vector<Kept>& files, Random& random) {
  const Kept& kept = files[random.Below(files.size())];
  std::vector<uint8_t> bytes = Contents(kept);
  const uint64_t kind = random.Below(6);
  const std::string said = kept.name + " by " + std::to_string(kind);
  if (bytes.empty()) return said;
  switch (kind) {
    case 0:
      for (uint64_t times = random.Below(3) + 1; times > 0; times--) {
        bytes[random.Below(bytes.size())] ^= static_cast<uint8_t>(1U << random.Below(8));
      }
      break;
    case 1:
      bytes.resize(random.Below(bytes.size()));
      break;
    case 2:
      bytes.resize(bytes.size() + random.Below(10'000), static_cast<uint8_t>(random.Next()));
      break;
    case 3: {
      // A part of it is copied to elsewhere in it.
      const uint64_t length = std::min<uint64_t>(bytes.size() / 2, 8 * random.Below(600));
      const uint64_t from = random.Below(bytes.size() - length + 1) & ~uint64_t{7};
      const uint64_t to = random.Below(bytes.size() - length + 1) & ~uint64_t{7};
      std::memmove(&bytes[to], &bytes[from], length);
      break;
    }
    case 4: {
      // Two files change their places.
      const Kept& other = files[random.Below(files.size())];
      const std::vector<uint8_t> theirs = Contents(other);
      Replace(other, bytes);
      bytes = theirs;
      break;
    }
    default:
      for (uint8_t& byte : std::span(bytes).last(std::min<size_t>(bytes.size(), 3000))) {
        byte = static_cast<uint8_t>(random.Next());
      }
      break;
  }
  Replace(kept, bytes);
  return said;
}

}  // namespace

TEST_CASE("file store: a directory that was harmed gives right bytes or none") {
  TempFolder folder;
  const std::string origin = folder.path() + "/origin";
  // When each value was that of its key: from one operation to another.
  struct Span {
    int from = 0;
    int to = 0;
  };
  constexpr int kOperations = 250;
  std::map<std::string, std::map<std::vector<uint8_t>, Span>> ever;
  std::map<std::string, std::vector<uint8_t>> last;
  const auto end = [&](const std::string& key, int at) {
    const auto known = last.find(key);
    if (known != last.end()) ever[key][known->second].to = at;
  };
  Random random(3);
  {
    file::FileStoreOptions options;
    Store store(PosixEnv(), origin, options);
    REQUIRE(store.ok());
    for (int at = 0; at < kOperations; at++) {
      const std::string key = "key " + std::to_string(random.Below(60));
      if (random.Below(6) == 0) {
        REQUIRE(store.Delete(key).kind == Written::kDone);
        end(key, at);
        last.erase(key);
        continue;
      }
      const auto value = ValueOf(random.Next(), random.Below(20) == 0 ? 100'000 : 700);
      REQUIRE(store.Put(key, value));
      end(key, at);
      ever[key][value] = {at, kOperations};
      last[key] = value;
      if (at == 100) CHECK(store->Checkpoint().ok());
    }
  }
  std::vector<std::pair<Kept, std::vector<uint8_t>>> whole;
  for (const Kept& kept : FilesOf(origin)) whole.emplace_back(kept, Contents(kept));
  const char* const rounds_wanted = std::getenv("DREY_ROUNDS");
  const int rounds = rounds_wanted != nullptr ? std::atoi(rounds_wanted) : 150;
  uint64_t refused = 0;
  uint64_t found = 0;
  uint64_t older = 0;
  for (int round = 0; round < rounds; round++) {
    const std::string path = folder.path() + "/" + std::to_string(round);
    std::vector<Kept> files;
    for (const auto& [kept, bytes] : whole) {
      files.push_back({path + kept.folder.substr(origin.size()), kept.name});
      Replace(files.back(), bytes);
    }
    std::string harm = Harm(files, random);
    if (random.Below(3) == 0) harm += ", " + Harm(files, random);
    for (int again = 0; again < 2; again++) {
      Store store(PosixEnv(), path);
      if (!store.ok()) {
        refused += 1;
        CHECK(store.code() != Status::Code::kOk);
        break;
      }
      // What is not in doubt is as it was at some moment: of a log that is cut at its end nobody
      // can tell whether there was more.
      Span moment{0, kOperations};
      for (const auto& [key, values] : ever) {
        const auto got = store.Get(key, again == 0);
        if (!got) continue;
        found += 1;
        const auto known = values.find(got->value);
        REQUIRE_MESSAGE(known != values.end(), harm << ": " << key);
        older += known->second.to == kOperations ? 0 : 1;
        if (got->doubtful) continue;
        moment = {std::max(moment.from, known->second.from), std::min(moment.to, known->second.to)};
      }
      CHECK_MESSAGE(moment.from < moment.to, harm);
      CHECK(store.Put("after", ValueOf(9, 100)));
      CHECK(store.Has("after", ValueOf(9, 100)));
      const auto after = store.Get("after");
      CHECK((after && !after->doubtful));
      if (random.Below(2) == 0) CHECK(store.Close());
    }
    RemoveAll(PosixEnv(), path);
  }
  MESSAGE("directories harmed: " << rounds << ", refused: " << refused
                                 << ", wrong bytes: 0, entries found: " << found
                                 << ", that had been replaced: " << older);
  CHECK(found > 0);
}
