#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/slice.h"
#include "io/env.h"

// What a machine that loses power may have on its disk afterwards. docs/reference/io.md says in
// words which states those are.
namespace drey::test {

enum class PowerLoss : uint8_t {
  // Nothing that was not synced is there.
  kNothing,
  // All of it is, as when the process alone was killed.
  kEverything,
  // What was done up to some moment, of all files together; the last write of it may be torn.
  kOrdered,
  // Every page of 4 KiB, every size and every name for itself, as it was at some moment since its
  // last sync.
  kPages,
  // The same by sectors of 512 bytes: writes are torn.
  kSectors,
  // The same, and sectors that were never written to the disk hold anything where the file has
  // grown
  // over them, not only zeros.
  kJunk,
};

// The difference between what the system shows and what is on the disk, of the files and folders
// below those that are known to it.
//
// Invariants:
//  - What a file has in `durable` is on the disk; `since` has what its page was after each change
//  that has come after that, oldest first. A page without either reads as zeros.
//  - A sync that succeeds makes durable what was done before it began. One that fails gives up what
//  was done before: that may be on the disk or not, and later syncs do not change it, until
//  something writes the page anew.
//  - A name in a folder is synced by a sync of the folder, and never by one of the file.
// Not for several threads: the owner's lock guards it.
class DiskModel {
 public:
  using Id = uint64_t;
  static constexpr Id kNone = 0;
  static constexpr uint64_t kPage = 4096;
  static constexpr uint64_t kSector = 512;

  // A folder that is there; of a device and inode that are known, the same one again. A root is one
  // that was opened by its path: what has its name is not looked at.
  Id AddFolder(const std::string& path, uint64_t device, uint64_t inode, bool is_root);
  const std::string& PathOf(Id folder) const;

  // What has the name; kNone when it is not known, which says nothing about the disk.
  Id Find(Id folder, const std::string& name) const;
  // A name that was there before anybody looked: all of it is on the disk.
  Id ImportFile(Env& env, Id folder, const std::string& name);
  void ImportFolder(Id folder, const std::string& name, Id child);

  Id CreateFile(Id folder, const std::string& name);
  void CreateFolder(Id folder, const std::string& name, Id child);
  void Remove(Id folder, const std::string& name);
  void Rename(Id folder, const std::string& from, const std::string& to);
  // A second name. Where the loss brings one back that was unlinked, it is of a file of its own.
  void Link(Id folder, const std::string& from, const std::string& to);
  void SyncFolder(Id folder, uint64_t before);

  void Write(Id file, uint64_t offset, std::span<const Slice> slices, uint64_t bytes);
  void Truncate(Id file, uint64_t size);
  void Extend(Id file, uint64_t size);
  void Punch(Id file, uint64_t offset, uint64_t bytes);
  void SyncFile(Id file, uint64_t before);
  // A sync of it, file or folder, has failed.
  void GiveUp(Id id, uint64_t before);

  // The number of changes so far: what a sync that begins now is to make durable.
  uint64_t now() const noexcept { return now_; }

  // Makes the disk, through `env`, one that a machine may have that loses power now, and forgets
  // all that it knows. False when `env` fails.
  bool Lose(Env& env, uint64_t seed, PowerLoss how);

  // Of the last Lose: writes of which a part is there and a part is not.
  uint64_t torn() const noexcept { return torn_; }

 private:
  using Page = std::array<uint8_t, kPage>;

  struct Version {
    uint64_t time;
    Page bytes;
    bool given_up;
  };
  struct PageState {
    Page durable{};
    std::vector<Version> since;
  };
  struct Size {
    uint64_t time;
    uint64_t size;
    bool given_up;
  };
  struct Change {
    uint64_t time;
    // Each name, and what has it from here on.
    std::vector<std::pair<std::string, Id>> names;
    bool given_up;
  };
  struct Node {
    bool is_folder = false;
    bool is_root = false;
    // Of a file.
    uint64_t durable_size = 0;
    std::vector<Size> sizes;
    std::map<uint64_t, PageState> pages;
    // Of a folder.
    std::string path;
    std::pair<uint64_t, uint64_t> identity;
    std::map<std::string, Id> live;
    std::map<std::string, Id> durable;
    std::vector<Change> changes;
  };
  struct Choice;

  uint64_t SizeOf(const Node& file) const;
  const Page& Shown(const PageState& page) const;
  Page& Begin(Node& file, uint64_t number);
  void SetSize(Node& file, uint64_t size);
  void Apply(Node& folder, std::vector<std::pair<std::string, Id>> names);
  void Zero(Node& file, uint64_t offset, uint64_t end);
  Id Add(Node node);

  std::map<std::string, Id> ChooseNames(const Node& folder, Choice& choice) const;
  uint64_t ChooseSize(const Node& file, Choice& choice) const;
  Page ChoosePage(const Node& file, uint64_t number, const PageState& page, Choice& choice);
  bool Settle(Env& env, Id folder, Choice& choice);
  bool Make(Env& env, Id id, const std::string& path, Choice& choice);
  bool Fill(Env& env, Node& file, const std::string& path, bool all, Choice& choice);

  uint64_t now_ = 0;
  Id last_ = kNone;
  uint64_t torn_ = 0;
  std::map<Id, Node> nodes_;
  std::map<std::pair<uint64_t, uint64_t>, Id> folders_;
};

}  // namespace drey::test
