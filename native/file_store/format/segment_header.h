#pragma once

#include <cstdint>

#include "core/slice.h"
#include "file_store/format/context.h"
#include "file_store/format/limits.h"

namespace drey::file {

enum class Durability : uint8_t { kNone = 0, kProcess = 1, kPower = 2 };

// The first 128 bytes of a segment (docs/disk-format.md, section 5.1).
struct SegmentHeader {
  uint64_t number = 0;
  uint64_t oldest = 0;
  uint64_t next_sequence = 0;
  Bytes16 boot_id{};
  Durability durability = Durability::kNone;
  uint64_t begun_at = 0;
};

// `bytes` must have kSegmentHeaderBytes.
void Encode(const SegmentHeader& header, const Context& context, std::span<uint8_t> bytes) noexcept;

// False when it is not whole, or not of the segment `number` of this store.
[[nodiscard]] bool Parse(Slice bytes, const Context& context, uint64_t number,
                         SegmentHeader* header) noexcept;

}  // namespace drey::file
