#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace drey {

// The outcome of what can fail. There are no exceptions here: an outcome is returned, and
// [[nodiscard]] makes dropping it an error of compilation.
//
// Success is a null pointer, so that the path that is taken a million times a second costs one
// register and no allocation; only a failure, which is rare, pays for its words. The words say what
// was given, what is allowed and what to do, because they reach the user as they are.
class [[nodiscard]] Status {
 public:
  // Each code becomes one stable ERR_DREY_* code at the border: native/node/error.cc is the only
  // place that knows which.
  enum class Code : uint8_t {
    kOk,
    kInvalidArgument,
    kInvalidKey,
    // What was used is closed, or is closing.
    kClosed,
    // More is waiting than may wait.
    kOverloaded,
    // Bytes on a disk are not what was written there, or end too early.
    kCorrupt,
    // A disk has something of another format, or of nobody's.
    kFormat,
    // Somebody else owns it.
    kLocked,
    // What a system call says; error() has its number.
    kNoSpace,
    kNotFound,
    kExists,
    kTooManyFiles,
    kReadOnly,
    kPermission,
    // A link, a file or a folder where something else should be.
    kWrongKind,
    kIo,
  };

  Status() noexcept = default;

  static Status InvalidArgument(std::string message) {
    return Status(Code::kInvalidArgument, std::move(message));
  }
  static Status InvalidKey(std::string message) {
    return Status(Code::kInvalidKey, std::move(message));
  }

  // The ways to fail that have no words of their own above; `error` is the errno behind it, if any.
  static Status Failed(Code code, std::string message, int error = 0) {
    assert(code != Code::kOk);
    return Status(code, std::move(message), error);
  }

  bool ok() const noexcept { return failure_ == nullptr; }
  Code code() const noexcept { return ok() ? Code::kOk : failure_->code; }
  // The errno of the system call that failed; 0 when it was none.
  int error() const noexcept { return ok() ? 0 : failure_->error; }
  const char* message() const noexcept { return ok() ? "" : failure_->message.c_str(); }

 private:
  struct Failure {
    Code code;
    int error;
    std::string message;
  };

  Status(Code code, std::string message, int error = 0)
      : failure_(std::make_unique<const Failure>(Failure{code, error, std::move(message)})) {}

  std::unique_ptr<const Failure> failure_;
};

// A value, or the status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose: `return value;` and `return Status::...;` both read as what they are.
  Result(T value) noexcept : value_(std::move(value)) {}
  Result(Status status) noexcept : status_(std::move(status)) { assert(!status_.ok()); }

  bool ok() const noexcept { return status_.ok(); }
  const Status& status() const noexcept { return status_; }
  const T& value() const noexcept {
    assert(ok());
    return value_;
  }
  // The value itself, once: for what can be moved only.
  T Take() noexcept {
    assert(ok());
    return std::move(value_);
  }
  // Why there is none, to be handed on.
  Status TakeStatus() noexcept { return std::move(status_); }

 private:
  Status status_;
  T value_{};
};

}  // namespace drey
