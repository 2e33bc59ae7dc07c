#include "file_store/format/directory_header.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <string>

#include "file_store/format/limits.h"
#include "file_store/format/words.h"

namespace drey::file {
namespace {

constexpr uint8_t kMagic[8] = {0x44, 0x52, 0x45, 0x59, 0x0d, 0x0a, 0x1a, 0x0a};
constexpr size_t kChecked = 124;

// Of whatever version: magic, version and the checksum's place are the same in all.
bool IsWhole(Slice copy) noexcept {
  return std::equal(std::begin(kMagic), std::end(kMagic), copy.begin()) &&
         Load32(copy.data() + kChecked) == Checksum(copy.first(kChecked));
}

bool IsValid(Slice copy) noexcept {
  const uint32_t partitions = Load32(&copy[48]);
  return Load32(&copy[12]) == DirectoryHeader::kBytes && std::has_single_bit(partitions) &&
         partitions <= kMostPartitions && Load32(&copy[52]) == 0 && AllZero(copy.subspan(64, 60));
}

}  // namespace

void Encode(const DirectoryHeader& header, std::span<uint8_t> file) noexcept {
  assert(file.size() == DirectoryHeader::kFileBytes);
  std::fill(file.begin(), file.end(), uint8_t{0});
  uint8_t* const copy = file.data();
  std::copy(std::begin(kMagic), std::end(kMagic), copy);
  Store32(copy + 8, kFormatVersion);
  Store32(copy + 12, DirectoryHeader::kBytes);
  std::copy(header.store_id.begin(), header.store_id.end(), copy + 16);
  std::copy(header.secret.begin(), header.secret.end(), copy + 32);
  Store32(copy + 48, header.partitions);
  Store64(copy + 56, header.made_at);
  Store32(copy + kChecked, Checksum({copy, kChecked}));
  std::copy(copy, copy + DirectoryHeader::kBytes, copy + DirectoryHeader::kSecondCopy);
}

Result<DirectoryHeader> ParseDirectory(Slice file) noexcept {
  for (const uint64_t at : {uint64_t{0}, DirectoryHeader::kSecondCopy}) {
    if (file.size() < at + DirectoryHeader::kBytes) break;
    const Slice copy = file.subspan(at, DirectoryHeader::kBytes);
    if (!IsWhole(copy)) continue;
    const uint32_t version = Load32(&copy[8]);
    if (version > kFormatVersion) {
      return Status::Failed(Status::Code::kFormat,
                            "the directory has format version " + std::to_string(version) +
                                "; this version of drey reads up to " +
                                std::to_string(kFormatVersion) + ": use a newer one");
    }
    if (version == 0 || !IsValid(copy)) continue;
    DirectoryHeader header;
    std::copy_n(&copy[16], 16, header.store_id.begin());
    std::copy_n(&copy[32], 16, header.secret.begin());
    header.partitions = Load32(&copy[48]);
    header.made_at = Load64(&copy[56]);
    return header;
  }
  return Status::Failed(Status::Code::kCorrupt,
                        "the file DREY is damaged or not of drey: remove the directory, or choose "
                        "another");
}

}  // namespace drey::file
