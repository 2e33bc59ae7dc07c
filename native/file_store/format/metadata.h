#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "core/slice.h"

// Metadata as it is stored (docs/disk-format.md, section 10). To the log it is bytes; of what is in
// them it needs to know only whether they are right, and until when the entry is of use.
namespace drey::file {

struct Metadata {
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  double cached_at = 0;
  double fresh_until = kNever;
  // Counts where it is later than that.
  double stale_until = 0;
  double stale_if_error_until = kNever;
  bool negative = false;
  bool has_etag = false;
  bool has_user = false;
  bool has_codec = false;
  bool has_labels = false;
  Slice etag;
  Slice user;
  Slice codec;
  Slice labels;
};

// Its slices point into `bytes`. False when it is not as the format says.
[[nodiscard]] bool Parse(Slice bytes, Metadata* metadata) noexcept;

std::vector<uint8_t> Encode(const Metadata& metadata);

// As an index keeps it: epoch seconds, rounded up, after which the entry answers nobody.
constexpr uint32_t kExpiresNever = 0xFFFFFFFF;
uint32_t ExpiresOf(const Metadata& metadata) noexcept;

}  // namespace drey::file
