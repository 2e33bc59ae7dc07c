#include "support/disk_model.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "io/folder.h"
#include "support/random.h"
#include "support/temp_folder.h"

namespace drey::test {

DiskModel::Id DiskModel::Add(Node node) {
  last_ += 1;
  nodes_.emplace(last_, std::move(node));
  return last_;
}

DiskModel::Id DiskModel::AddFolder(const std::string& path, uint64_t device, uint64_t inode,
                                   bool is_root) {
  const auto known = folders_.find({device, inode});
  if (known != folders_.end()) return known->second;
  Node node;
  node.is_root = is_root;
  node.is_folder = true;
  node.path = path;
  node.identity = {device, inode};
  const Id id = Add(std::move(node));
  folders_[{device, inode}] = id;
  return id;
}

const std::string& DiskModel::PathOf(Id folder) const { return nodes_.at(folder).path; }

DiskModel::Id DiskModel::Find(Id folder, const std::string& name) const {
  const auto& live = nodes_.at(folder).live;
  const auto found = live.find(name);
  return found == live.end() ? kNone : found->second;
}

DiskModel::Id DiskModel::ImportFile(Env& env, Id folder, const std::string& name) {
  Result<Folder> opened = OpenFolderAt(env, PathOf(folder), Folder::Missing::kRefuse);
  if (!opened.ok()) return kNone;
  Result<File> file = opened.value().OpenFile(name, Env::Access::kRead);
  if (!file.ok()) return kNone;
  Result<NodeInfo> info = file.value().Stat();
  if (!info.ok()) return kNone;
  Node node;
  node.durable_size = info.value().size;
  for (uint64_t at = 0; at < node.durable_size; at += kPage) {
    const uint64_t bytes = std::min(kPage, node.durable_size - at);
    Page& page = node.pages[at / kPage].durable;
    if (!file.value().ReadFull(at, std::span(page).first(bytes)).ok()) return kNone;
  }
  const Id id = Add(std::move(node));
  nodes_.at(folder).live[name] = nodes_.at(folder).durable[name] = id;
  return id;
}

void DiskModel::ImportFolder(Id folder, const std::string& name, Id child) {
  nodes_.at(folder).live[name] = nodes_.at(folder).durable[name] = child;
}

void DiskModel::Apply(Node& folder, std::vector<std::pair<std::string, Id>> names) {
  now_ += 1;
  for (const auto& [name, id] : names) {
    if (id == kNone) {
      folder.live.erase(name);
    } else {
      folder.live[name] = id;
    }
  }
  folder.changes.push_back({now_, std::move(names), false});
}

DiskModel::Id DiskModel::CreateFile(Id folder, const std::string& name) {
  const Id id = Add({});
  Apply(nodes_.at(folder), {{name, id}});
  return id;
}

void DiskModel::CreateFolder(Id folder, const std::string& name, Id child) {
  Apply(nodes_.at(folder), {{name, child}});
}

void DiskModel::Remove(Id folder, const std::string& name) {
  const Id id = Find(folder, name);
  // Another folder may get its inode next.
  if (nodes_.at(id).is_folder) folders_.erase(nodes_.at(id).identity);
  Apply(nodes_.at(folder), {{name, kNone}});
}

void DiskModel::Rename(Id folder, const std::string& from, const std::string& to) {
  Apply(nodes_.at(folder), {{from, kNone}, {to, Find(folder, from)}});
}

void DiskModel::Link(Id folder, const std::string& from, const std::string& to) {
  Apply(nodes_.at(folder), {{to, Find(folder, from)}});
}

void DiskModel::SyncFolder(Id id, uint64_t before) {
  Node& folder = nodes_.at(id);
  std::vector<Change> left;
  for (Change& change : folder.changes) {
    if (change.given_up || change.time > before) {
      left.push_back(std::move(change));
      continue;
    }
    for (const auto& [name, child] : change.names) {
      if (child == kNone) {
        folder.durable.erase(name);
      } else {
        folder.durable[name] = child;
      }
      // What was given up before it is overtaken now.
      std::erase_if(left, [&, named = name](const Change& older) {
        return std::any_of(older.names.begin(), older.names.end(),
                           [&](const auto& pair) { return pair.first == named; });
      });
    }
  }
  folder.changes = std::move(left);
}

uint64_t DiskModel::SizeOf(const Node& file) const {
  return file.sizes.empty() ? file.durable_size : file.sizes.back().size;
}

const DiskModel::Page& DiskModel::Shown(const PageState& page) const {
  return page.since.empty() ? page.durable : page.since.back().bytes;
}

// The page as the change that is under way leaves it: several parts of one change are one version.
DiskModel::Page& DiskModel::Begin(Node& file, uint64_t number) {
  PageState& page = file.pages[number];
  if (page.since.empty() || page.since.back().time != now_) {
    page.since.push_back({now_, Shown(page), false});
  }
  return page.since.back().bytes;
}

void DiskModel::SetSize(Node& file, uint64_t size) {
  if (size != SizeOf(file)) file.sizes.push_back({now_, size, false});
}

void DiskModel::Write(Id id, uint64_t offset, std::span<const Slice> slices, uint64_t bytes) {
  Node& file = nodes_.at(id);
  now_ += 1;
  uint64_t at = offset;
  const uint64_t end = offset + bytes;
  for (Slice slice : slices) {
    while (!slice.empty() && at < end) {
      const uint64_t count = std::min({slice.size(), kPage - at % kPage, end - at});
      std::memcpy(Begin(file, at / kPage).data() + at % kPage, slice.data(), count);
      slice = slice.subspan(count);
      at += count;
    }
  }
  if (bytes > 0) SetSize(file, std::max(SizeOf(file), end));
}

void DiskModel::Zero(Node& file, uint64_t offset, uint64_t end) {
  for (auto page = file.pages.lower_bound(offset / kPage); page != file.pages.end(); ++page) {
    const uint64_t start = page->first * kPage;
    if (start >= end) break;
    const uint64_t from = std::max(offset, start) - start;
    const uint64_t to = std::min(end - start, kPage);
    Page& bytes = Begin(file, page->first);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from),
              bytes.begin() + static_cast<std::ptrdiff_t>(to), uint8_t{0});
  }
}

void DiskModel::Truncate(Id id, uint64_t size) {
  Node& file = nodes_.at(id);
  now_ += 1;
  if (size < SizeOf(file)) Zero(file, size, UINT64_MAX);
  SetSize(file, size);
}

void DiskModel::Extend(Id id, uint64_t size) {
  Node& file = nodes_.at(id);
  now_ += 1;
  SetSize(file, std::max(size, SizeOf(file)));
}

void DiskModel::Punch(Id id, uint64_t offset, uint64_t bytes) {
  now_ += 1;
  Zero(nodes_.at(id), offset, offset + bytes);
}

void DiskModel::SyncFile(Id id, uint64_t before) {
  Node& file = nodes_.at(id);
  const auto written = [before](const auto& change) {
    return change.time <= before && !change.given_up;
  };
  for (auto& [number, page] : file.pages) {
    const auto last = std::find_if(page.since.rbegin(), page.since.rend(), written);
    if (last == page.since.rend()) continue;
    page.durable = last->bytes;
    page.since.erase(page.since.begin(), last.base());
  }
  const auto last = std::find_if(file.sizes.rbegin(), file.sizes.rend(), written);
  if (last == file.sizes.rend()) return;
  file.durable_size = last->size;
  file.sizes.erase(file.sizes.begin(), last.base());
}

void DiskModel::GiveUp(Id id, uint64_t before) {
  Node& node = nodes_.at(id);
  const auto give_up = [before](auto& changes) {
    for (auto& change : changes) {
      if (change.time <= before) change.given_up = true;
    }
  };
  for (auto& [number, page] : node.pages) give_up(page.since);
  give_up(node.sizes);
  give_up(node.changes);
}

struct DiskModel::Choice {
  Random random;
  PowerLoss how;
  // Of kOrdered: the last moment that is on the disk.
  uint64_t cut;
  std::set<Id> settled{};

  bool Coin() { return random.Below(2) == 0; }
};

std::map<std::string, DiskModel::Id> DiskModel::ChooseNames(const Node& folder,
                                                            Choice& choice) const {
  std::map<std::string, Id> names = folder.durable;
  // Changes of one name come in their order: with one that is missing all that follow it are.
  std::set<std::string> missing;
  // At times nearly all of it is there, at times nearly nothing.
  const uint64_t of_eight = 1 + choice.random.Below(8);
  for (const Change& change : folder.changes) {
    bool there = choice.how != PowerLoss::kNothing;
    if (choice.how == PowerLoss::kOrdered) there = change.time <= choice.cut;
    if (choice.how >= PowerLoss::kPages) there = choice.random.Below(8) < of_eight;
    for (const auto& [name, id] : change.names) there = there && !missing.contains(name);
    for (const auto& [name, id] : change.names) {
      if (!there) {
        missing.insert(name);
      } else if (id == kNone) {
        names.erase(name);
      } else {
        names[name] = id;
      }
    }
  }
  return names;
}

uint64_t DiskModel::ChooseSize(const Node& file, Choice& choice) const {
  if (choice.how == PowerLoss::kNothing) return file.durable_size;
  if (choice.how == PowerLoss::kEverything) return SizeOf(file);
  if (choice.how == PowerLoss::kOrdered) {
    uint64_t size = file.durable_size;
    for (const Size& change : file.sizes) {
      if (change.time <= choice.cut) size = change.size;
    }
    return size;
  }
  const uint64_t chosen = choice.random.Below(file.sizes.size() + 1);
  return chosen == 0 ? file.durable_size : file.sizes[chosen - 1].size;
}

DiskModel::Page DiskModel::ChoosePage(const Node& file, uint64_t number, const PageState& page,
                                      Choice& choice) {
  if (choice.how == PowerLoss::kNothing) return page.durable;
  if (choice.how == PowerLoss::kEverything) return Shown(page);
  if (choice.how == PowerLoss::kPages) {
    const uint64_t chosen = choice.random.Below(page.since.size() + 1);
    return chosen == 0 ? page.durable : page.since[chosen - 1].bytes;
  }
  Page made{};
  uint64_t there = 0;
  uint64_t absent = 0;
  // A page is at times nearly whole.
  const uint64_t of_eight = choice.random.Below(9);
  for (uint64_t sector = 0; sector < kPage; sector += kSector) {
    // 0 is what is durable, 1 the version after it.
    uint64_t chosen = 0;
    if (choice.how == PowerLoss::kOrdered) {
      // All up to the cut, and of the write that was under way then some sectors.
      while (chosen < page.since.size() && page.since[chosen].time <= choice.cut) chosen += 1;
      if (chosen > 0 && page.since[chosen - 1].time == choice.cut && choice.Coin()) chosen -= 1;
    } else {
      chosen = choice.random.Below(8) < of_eight ? page.since.size()
                                                 : choice.random.Below(page.since.size() + 1);
    }
    const Page& from = chosen == 0 ? page.durable : page.since[chosen - 1].bytes;
    std::memcpy(made.data() + sector, from.data() + sector, kSector);
    (chosen == 0 ? absent : there) += 1;
    const bool never_written = number * kPage + sector >= file.durable_size;
    if (chosen == 0 && never_written && choice.how == PowerLoss::kJunk) {
      for (uint64_t at = sector; at < sector + kSector; at += sizeof(uint64_t)) {
        const uint64_t word = choice.random.Next();
        std::memcpy(made.data() + at, &word, sizeof word);
      }
    }
  }
  if (there > 0 && absent > 0) torn_ += 1;
  return made;
}

// Writes what the file has after the loss: all of it, or only what may differ from what is there.
bool DiskModel::Fill(Env& env, Node& file, const std::string& path, bool all, Choice& choice) {
  const size_t slash = path.rfind('/');
  Result<Folder> folder =
      OpenFolderAt(env, path.substr(0, std::max<size_t>(slash, 1)), Folder::Missing::kRefuse);
  if (!folder.ok()) return false;
  Result<File> opened = folder.value().OpenFile(
      path.substr(slash + 1), all ? Env::Access::kCreate : Env::Access::kReadWrite);
  if (!opened.ok()) return false;
  File to = opened.Take();
  const uint64_t size = ChooseSize(file, choice);
  for (const auto& [number, page] : file.pages) {
    const bool lost = !page.since.empty();
    const uint64_t start = number * kPage;
    if ((!all && !lost) || start >= size) continue;
    const Page bytes = lost ? ChoosePage(file, number, page, choice) : page.durable;
    if (!to.WriteFull(start, Slice(bytes).first(std::min(kPage, size - start))).ok()) return false;
  }
  return to.Truncate(size).ok();
}

bool DiskModel::Make(Env& env, Id id, const std::string& path, Choice& choice) {
  Node& node = nodes_.at(id);
  if (!node.is_folder) return Fill(env, node, path, true, choice);
  if (!env.MakeFolder(Env::kHere, path.c_str()).ok()) return false;
  choice.settled.insert(id);
  for (const auto& [name, child] : ChooseNames(node, choice)) {
    if (!Make(env, child, path + "/" + name, choice)) return false;
  }
  return true;
}

bool DiskModel::Settle(Env& env, Id id, Choice& choice) {
  if (!choice.settled.insert(id).second) return true;
  const Node& folder = nodes_.at(id);
  const std::map<std::string, Id> after = ChooseNames(folder, choice);
  // First what goes, because what comes may have its name.
  for (const auto& [name, child] : folder.live) {
    const auto found = after.find(name);
    if (found != after.end() && found->second == child) continue;
    if (!RemoveAll(env, folder.path + "/" + name)) return false;
  }
  for (const auto& [name, child] : after) {
    const std::string path = folder.path + "/" + name;
    const auto was = folder.live.find(name);
    bool done = true;
    if (was == folder.live.end() || was->second != child) {
      done = Make(env, child, path, choice);
    } else if (nodes_.at(child).is_folder) {
      done = Settle(env, child, choice);
    } else {
      done = Fill(env, nodes_.at(child), path, false, choice);
    }
    if (!done) return false;
  }
  return true;
}

bool DiskModel::Lose(Env& env, uint64_t seed, PowerLoss how) {
  Choice choice{.random = Random(seed), .how = how, .cut = 0};
  for (int turn = 0; turn < 8; turn++) choice.random.Next();
  choice.cut = choice.random.Below(now_ + 1);
  torn_ = 0;
  bool done = true;
  for (const auto& [id, node] : nodes_) {
    if (node.is_root) done = done && Settle(env, id, choice);
  }
  nodes_.clear();
  folders_.clear();
  return done;
}

}  // namespace drey::test
