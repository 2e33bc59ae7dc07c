#pragma once

#include <array>
#include <cstdint>

#include "core/slice.h"

// Checksums in context (docs/disk-format.md, section 2): a checksum takes in the place where its
// bytes belong, so what is moved, swapped or copied elsewhere is damaged there (F3).
namespace drey::file {

using Bytes16 = std::array<uint8_t, 16>;

uint32_t Checksum(Slice bytes, uint32_t seed = 0) noexcept;

// The seeds of one store's checksums.
class Context {
 public:
  Context() noexcept = default;
  explicit Context(const Bytes16& store_id) noexcept;

  const Bytes16& store_id() const noexcept { return store_id_; }

  uint32_t OfSegment(uint64_t segment) const noexcept;
  uint32_t OfHead(uint64_t segment, uint64_t offset) const noexcept;
  uint32_t OfTablePage(const Bytes16& hash, uint64_t blob_sequence, uint64_t page) const noexcept;
  uint32_t OfImage(uint64_t image) const noexcept;
  uint32_t OfImagePage(uint64_t image, uint64_t page) const noexcept;
  uint32_t OfTags(uint64_t file, uint64_t offset) const noexcept;

 private:
  Bytes16 store_id_{};
  // The checksums of the store id and each word: where the numbers go on from.
  uint32_t segment_ = 0;
  uint32_t head_ = 0;
  uint32_t blob_ = 0;
  uint32_t image_ = 0;
  uint32_t page_ = 0;
  uint32_t tags_ = 0;
};

}  // namespace drey::file
