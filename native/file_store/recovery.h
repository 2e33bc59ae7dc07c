#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/status.h"
#include "file_store/directory.h"
#include "file_store/disk_index.h"
#include "file_store/disk_ledger.h"
#include "file_store/format/image.h"
#include "file_store/format/segment_header.h"
#include "file_store/segments.h"

namespace drey::file {

// What an open found, and what the store goes on from.
struct Recovered {
  uint64_t next_segment = 1;
  uint64_t next_sequence = 1;
  uint64_t next_image = 1;
  // Entries below it are in doubt; 0 for none.
  uint64_t doubt = 0;
  // Whether a doubt came up now: it has to get into the log before anything is served.
  bool new_doubt = false;
  // The owner before closed the log.
  bool clean = false;
  // All that is there was synced, blobs too.
  bool synced = false;
  // The image that was taken; 0 for none.
  uint64_t image = 0;
  uint64_t image_charge = 0;

  // Entries that are forgotten and want a delete in the log.
  struct Lost {
    uint64_t identity = 0;
    Bytes16 hash{};
  };
  std::vector<Lost> lost;
  // Segments whose header is damaged: to be removed when the doubt is in the log.
  std::vector<uint64_t> damaged_segments;

  uint64_t entries = 0;
  uint64_t records = 0;
  uint64_t segments = 0;
  uint64_t damages = 0;
  // Of the log, that are not what was written.
  uint64_t damaged_bytes = 0;
  uint64_t torn_bytes = 0;
  uint64_t images_damaged = 0;
  uint64_t orphans = 0;
  uint64_t milliseconds = 0;

  // In one line, for a log.
  std::string ToString() const;
};

// Makes the index of a directory from its image and its log (docs/disk-format.md, section 8), and
// tells the ledger what is there.
//
// Invariant: what is in the log is only ever read here, but for the tail of the last segment, which
// is cut where it is torn, so that nobody takes it for damage later, or for records.
class Recovery {
 public:
  Recovery(Directory& directory, const Context& context, const HashKey& key, const Bytes16& boot_id,
           DiskLedger& ledger, Segments& segments) noexcept;

  // `index` is empty and may be made anew.
  Result<Recovered> Run(std::unique_ptr<DiskIndex>& index, uint64_t max_index_bytes) noexcept;

 private:
  struct Found {
    uint64_t number = 0;
    uint64_t size = 0;
    uint64_t allocated = 0;
    bool whole = false;
    SegmentHeader header;
  };
  // What a look through the last segment says of its end.
  struct Tail {
    uint64_t end = 0;
    // Before it, the log is known to have been synced.
    uint64_t synced = 0;
    bool ended = false;
  };
  // What is to be done once it is known that the batch is whole.
  struct Member {
    RecordKind kind;
    uint32_t checksum;
    uint64_t sequence;
    IndexEntry entry;
  };

  Status List();
  Status LookAt(const std::string& name, uint64_t number, bool image);
  Status DropOutdated();
  Status TakeImage(std::unique_ptr<DiskIndex>& index, uint64_t max_index_bytes);
  Status ReplayLog();
  Result<Tail> FindTail(const File& file, const Found& segment, uint64_t from);
  Status Replay(const File& file, const Found& segment, uint64_t from, uint64_t end);
  Status CutTail(const Found& segment, uint64_t end);
  void Take(const RecordHead& head, Position position);
  void Do(const Member& member);
  void DoBatch(const RecordHead& end);
  void Lose(uint64_t identity);
  void Doubt(uint64_t sequence) noexcept;
  void SeeSequence(uint64_t sequence) noexcept;
  void DoubtAfterPowerLoss();
  void CountEntries();
  Status SettleBlobs();
  Status SweepBlobs();
  Result<File> OpenSegment(uint64_t number);

  Directory& directory_;
  const Context& context_;
  const HashKey key_;
  const Bytes16 boot_id_;
  DiskLedger& ledger_;
  Segments& segments_;
  DiskIndex* index_ = nullptr;

  Recovered result_;
  std::vector<Found> found_;
  std::vector<uint64_t> images_;
  ImageHeader image_;
  std::vector<Member> members_;
  // Damage was found, and no whole record since: the next one says what is in doubt.
  bool doubting_ = false;
  // Whether records follow the image.
  bool followed_ = false;
  bool ended_ = false;
  uint64_t blob_charge_ = 0;
};

}  // namespace drey::file
