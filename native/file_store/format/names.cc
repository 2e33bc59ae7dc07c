#include "file_store/format/names.h"

#include "file_store/format/words.h"

namespace drey::file {
namespace {

constexpr size_t kDigits = 16;
constexpr char kHexDigits[] = "0123456789abcdef";

std::optional<uint64_t> ParseNumbered(std::string_view name, std::string_view suffix) noexcept {
  if (name.size() != kDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  const std::optional<uint64_t> number = ParseHex(name.substr(0, kDigits));
  // They are numbered from 1.
  return number == 0 ? std::nullopt : number;
}

int DigitOf(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

std::string Hex(uint64_t number) {
  std::string digits(kDigits, '0');
  for (size_t at = kDigits; at > 0; at--, number >>= 4) digits[at - 1] = kHexDigits[number & 15];
  return digits;
}

std::string Hex(Slice bytes) {
  std::string digits;
  digits.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    digits += kHexDigits[byte >> 4];
    digits += kHexDigits[byte & 15];
  }
  return digits;
}

std::string SegmentName(uint64_t number) { return Hex(number) + ".seg"; }
std::string ImageName(uint64_t number) { return Hex(number) + ".img"; }
std::string TagsName(uint64_t number) { return Hex(number) + ".tag"; }

std::string PartitionName(uint32_t partition) {
  const uint8_t byte = static_cast<uint8_t>(partition);
  return Hex(Slice(&byte, 1));
}

std::string BlobName::ToString() const { return Hex(Slice(hash)) + "-" + Hex(sequence); }

std::optional<uint64_t> ParseHex(std::string_view digits) noexcept {
  if (digits.empty() || digits.size() > kDigits) return std::nullopt;
  uint64_t number = 0;
  for (const char digit : digits) {
    const int value = DigitOf(digit);
    if (value < 0) return std::nullopt;
    number = number << 4 | static_cast<uint64_t>(value);
  }
  return number;
}

std::optional<uint64_t> ParseSegmentName(std::string_view name) noexcept {
  return ParseNumbered(name, ".seg");
}

std::optional<uint64_t> ParseImageName(std::string_view name) noexcept {
  return ParseNumbered(name, ".img");
}

std::optional<uint64_t> ParseTagsName(std::string_view name) noexcept {
  const std::optional<uint64_t> number = ParseNumbered(name, ".tag");
  return number > UINT32_MAX ? std::nullopt : number;
}

std::optional<uint32_t> ParsePartitionName(std::string_view name, uint32_t partitions) noexcept {
  if (name.size() != 2) return std::nullopt;
  const std::optional<uint64_t> number = ParseHex(name);
  if (!number || *number >= partitions) return std::nullopt;
  return static_cast<uint32_t>(*number);
}

std::optional<BlobName> ParseBlobName(std::string_view name) noexcept {
  if (name.size() != 32 + 1 + kDigits || name[32] != '-') return std::nullopt;
  BlobName blob;
  for (size_t at = 0; at < blob.hash.size(); at++) {
    const std::optional<uint64_t> byte = ParseHex(name.substr(at * 2, 2));
    if (!byte) return std::nullopt;
    blob.hash[at] = static_cast<uint8_t>(*byte);
  }
  const std::optional<uint64_t> sequence = ParseHex(name.substr(33));
  if (!sequence) return std::nullopt;
  blob.sequence = *sequence;
  return blob;
}

bool IsUnfinishedDirectoryFile(std::string_view name) noexcept {
  constexpr std::string_view kPrefix = "DREY.";
  return name.size() == kPrefix.size() + kDigits && name.starts_with(kPrefix) &&
         ParseHex(name.substr(kPrefix.size())).has_value();
}

}  // namespace drey::file
