#include "file_store/format/context.h"

#include "core/crc32c/crc32c.h"
#include "file_store/format/words.h"

namespace drey::file {
namespace {

uint32_t WithNumbers(uint32_t seed, uint64_t first) noexcept {
  uint8_t bytes[8];
  Store64(bytes, first);
  return Checksum(bytes, seed);
}

uint32_t WithNumbers(uint32_t seed, uint64_t first, uint64_t second) noexcept {
  uint8_t bytes[16];
  Store64(bytes, first);
  Store64(bytes + 8, second);
  return Checksum(bytes, seed);
}

}  // namespace

uint32_t Checksum(Slice bytes, uint32_t seed) noexcept {
  static const crc32c::Implementation& fastest = crc32c::Fastest();
  return fastest.Extend(seed, bytes);
}

Context::Context(const Bytes16& store_id) noexcept : store_id_(store_id) {
  const uint32_t id = Checksum(store_id_);
  segment_ = Checksum(SliceOf("SEGM"), id);
  head_ = Checksum(SliceOf("HEAD"), id);
  blob_ = Checksum(SliceOf("BLOB"), id);
  image_ = Checksum(SliceOf("IMAG"), id);
  page_ = Checksum(SliceOf("PAGE"), id);
  tags_ = Checksum(SliceOf("TAGS"), id);
}

uint32_t Context::OfSegment(uint64_t segment) const noexcept {
  return WithNumbers(segment_, segment);
}

uint32_t Context::OfHead(uint64_t segment, uint64_t offset) const noexcept {
  return WithNumbers(head_, segment, offset);
}

uint32_t Context::OfTablePage(const Bytes16& hash, uint64_t blob_sequence,
                              uint64_t page) const noexcept {
  return WithNumbers(Checksum(hash, blob_), blob_sequence, page);
}

uint32_t Context::OfImage(uint64_t image) const noexcept { return WithNumbers(image_, image); }

uint32_t Context::OfImagePage(uint64_t image, uint64_t page) const noexcept {
  return WithNumbers(page_, image, page);
}

uint32_t Context::OfTags(uint64_t file, uint64_t offset) const noexcept {
  return WithNumbers(tags_, file, offset);
}

}  // namespace drey::file
