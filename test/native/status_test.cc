#include "core/status.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace drey {
namespace {

TEST_CASE("status: success carries nothing, and costs a pointer") {
  const Status status;
  CHECK(status.ok());
  CHECK(status.code() == Status::Code::kOk);
  CHECK(std::string(status.message()).empty());
  CHECK(sizeof(Status) == sizeof(void*));
}

TEST_CASE("status: a failure keeps its code and words, also when moved") {
  Status status = Status::InvalidKey("a key has at least one character");
  CHECK(!status.ok());
  const Status moved = std::move(status);
  CHECK(moved.code() == Status::Code::kInvalidKey);
  CHECK(std::string(moved.message()) == "a key has at least one character");
}

Result<int> Half(int number) {
  if (number % 2 != 0) return Status::InvalidArgument(std::to_string(number) + " is odd");
  return number / 2;
}

TEST_CASE("result: a value, or the status that says why there is none") {
  CHECK(Half(6).ok());
  CHECK(Half(6).value() == 3);
  const Result<int> none = Half(7);
  CHECK(!none.ok());
  CHECK(none.status().code() == Status::Code::kInvalidArgument);
  CHECK(std::string(none.status().message()) == "7 is odd");
}

}  // namespace
}  // namespace drey
