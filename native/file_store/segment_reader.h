#pragma once

#include <cstdint>
#include <vector>

#include "core/status.h"
#include "file_store/format/context.h"
#include "file_store/format/record.h"
#include "io/file.h"

namespace drey::file {

// Goes through the records of a segment in their order, and finds its way again behind damage.
//
// Invariant: memory is bounded by a window of the file, whatever the file says of lengths.
class SegmentReader {
 public:
  // Reads records from offset `from` to at most `end`.
  SegmentReader(const File& file, const Context& context, uint64_t number, uint64_t from,
                uint64_t end);

  enum class Found : uint8_t {
    // head() and position() say which.
    kRecord,
    // There are only zeros, or the file ends.
    kEnd,
    // At offset() is something that is no record. Next finds the one behind it, if any.
    kDamage,
    // The disk does not give it: status() says why.
    kFailed
  };
  Found Next();
  // After kDamage: goes to the next whole record, which Next then gives. False when there is none.
  bool Skip();

  // Its slices are valid until the next call.
  const RecordHead& head() const noexcept { return head_; }
  Position position() const noexcept { return {number_, at_}; }
  // Of the record, padding included; after kDamage or kEnd, where that begins.
  uint64_t offset() const noexcept { return at_; }
  // Where the last record that was given ends.
  uint64_t record_end() const noexcept { return next_; }
  // After kRecord: all of it with its data; head() points into that. Empty when the file ends
  // before.
  Result<Slice> Record();
  Status TakeStatus() noexcept { return std::move(status_); }

 private:
  // The bytes from `offset` on, as many as there are up to `bytes`; empty with a status on failure.
  Slice Window(uint64_t offset, uint64_t bytes);
  bool OnlyZerosFrom(uint64_t offset);

  const File& file_;
  const Context& context_;
  const uint64_t number_;
  const uint64_t end_;
  uint64_t at_;
  uint64_t next_;
  RecordHead head_;
  Status status_;
  std::vector<uint8_t> buffer_;
  uint64_t buffer_at_ = 0;
  uint64_t buffer_size_ = 0;
};

}  // namespace drey::file
