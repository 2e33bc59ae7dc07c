#pragma once

#include <cstdint>

#include "core/slice.h"
#include "core/status.h"
#include "file_store/format/context.h"

namespace drey::file {

// What the file `DREY` says of its directory (docs/disk-format.md, section 4). It wins over
// options.
struct DirectoryHeader {
  Bytes16 store_id{};
  Bytes16 secret{};
  uint32_t partitions = 0;
  uint64_t made_at = 0;

  static constexpr uint64_t kBytes = 128;
  static constexpr uint64_t kFileBytes = 1024;
  static constexpr uint64_t kSecondCopy = 512;
};

// `file` must have kFileBytes.
void Encode(const DirectoryHeader& header, std::span<uint8_t> file) noexcept;

// The first copy that is whole; kCorrupt when there is none, kFormat when it is of a version that
// is greater than ours.
Result<DirectoryHeader> ParseDirectory(Slice file) noexcept;

}  // namespace drey::file
