#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/slice.h"
#include "core/tag_floors.h"
#include "file_store/format/context.h"

// A frame of a file of tags (docs/disk-format.md, section 12).
namespace drey::file {

constexpr uint64_t kTagsHeadBytes = 48;
constexpr uint64_t kTagFloorBytes = 26;
constexpr uint64_t kMostTagBytes = 256;
// No frame, and no file, is longer.
constexpr uint64_t kMostTagsFile = 4 * 1024 * 1024;

// What a frame says beside floors.
struct TagsHead {
  uint64_t sequence = 0;
  // Frames behind it may not have been synced: those are lost if the machine was started anew.
  bool open = false;
  Bytes16 boot_id{};
};

uint64_t TagsFrameBytes(std::span<const TagFloor> floors) noexcept;

// Frame at `offset` of file `number`; `to` becomes it.
void EncodeTags(std::span<const TagFloor> floors, const TagsHead& head, const Context& context,
                uint64_t number, uint64_t offset, std::vector<uint8_t>& to);

struct TagsFrame {
  enum class Kind : uint8_t {
    kWhole,
    // Nothing follows.
    kEnd,
    // The file ends within the frame, or there are only zeros.
    kTorn,
    kDamaged,
  };
  Kind kind = Kind::kDamaged;
  uint64_t bytes = 0;
  TagsHead head;
  std::vector<TagFloor> floors;
};

// What is at `offset` of `file`, which is all of file `number`.
TagsFrame ParseTags(Slice file, const Context& context, uint64_t number, uint64_t offset);

}  // namespace drey::file
