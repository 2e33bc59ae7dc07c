#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"
#include "file_store/format/context.h"
#include "file_store/format/record.h"
#include "io/file.h"

namespace drey::file {

// The head of the record at `position`, whose slices point into `buffer`. kCorrupt when it is not
// whole.
inline Status ReadHead(const File& file, const Context& context, Position position,
                       uint32_t record_length, std::vector<uint8_t>& buffer, RecordHead* head) {
  buffer.resize(std::min<uint64_t>(record_length, kMostHead));
  const Result<uint64_t> read = file.ReadUpTo(position.offset, buffer);
  if (!read.ok()) {
    return Status::Failed(read.status().code(), read.status().message(), read.status().error());
  }
  if (ParseHead(Slice(buffer).first(read.value()), context, position, head) == Parsed::kWhole) {
    return {};
  }
  return Status::Failed(Status::Code::kCorrupt,
                        file.name() + ": no whole record at " + std::to_string(position.offset));
}

inline Status CopyOf(const Status& status) {
  return status.ok() ? Status() : Status::Failed(status.code(), status.message(), status.error());
}

}  // namespace drey::file
