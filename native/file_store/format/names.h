#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "file_store/format/context.h"

// The names of what is in a directory (docs/disk-format.md, section 3): they come from numbers and
// keyed hashes, never from keys (F6).
namespace drey::file {

inline constexpr const char* kDirectoryFile = "DREY";
inline constexpr const char* kLogFolder = "log";
inline constexpr const char* kLockFolder = "LOCK";

std::string Hex(uint64_t number);
std::string Hex(Slice bytes);

std::string SegmentName(uint64_t number);
std::string ImageName(uint64_t number);
std::string TagsName(uint64_t number);
std::string PartitionName(uint32_t partition);

struct BlobName {
  Bytes16 hash{};
  uint64_t sequence = 0;

  bool operator==(const BlobName&) const noexcept = default;
  std::string ToString() const;
  uint32_t Partition(uint32_t partitions) const noexcept { return hash[0] & (partitions - 1); }
};

// Nothing for a name that we would not have written.
std::optional<uint64_t> ParseHex(std::string_view digits) noexcept;
std::optional<uint64_t> ParseSegmentName(std::string_view name) noexcept;
std::optional<uint64_t> ParseImageName(std::string_view name) noexcept;
std::optional<uint64_t> ParseTagsName(std::string_view name) noexcept;
std::optional<uint32_t> ParsePartitionName(std::string_view name, uint32_t partitions) noexcept;
std::optional<BlobName> ParseBlobName(std::string_view name) noexcept;
// Whether it is that of a file `DREY` that was being made.
bool IsUnfinishedDirectoryFile(std::string_view name) noexcept;

}  // namespace drey::file
