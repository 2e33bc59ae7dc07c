#include "node/error.h"

namespace drey::node {

const char* ErrorCode(Status::Code code) noexcept {
  switch (code) {
    case Status::Code::kInvalidArgument:
      return "ERR_DREY_CONFIG";
    case Status::Code::kInvalidKey:
      return "ERR_DREY_KEY";
    case Status::Code::kClosed:
      return "ERR_DREY_CLOSED";
    case Status::Code::kOverloaded:
      return "ERR_DREY_OVERLOADED";
    case Status::Code::kCorrupt:
      return "ERR_DREY_CORRUPT";
    case Status::Code::kFormat:
      return "ERR_DREY_FORMAT";
    case Status::Code::kLocked:
      return "ERR_DREY_LOCKED";
    case Status::Code::kNoSpace:
      return "ERR_DREY_NO_SPACE";
    // What a user does about these is the same: look at the cause, which the message names.
    case Status::Code::kNotFound:
    case Status::Code::kExists:
    case Status::Code::kTooManyFiles:
    case Status::Code::kReadOnly:
    case Status::Code::kPermission:
    case Status::Code::kWrongKind:
    case Status::Code::kIo:
      return "ERR_DREY_IO";
    case Status::Code::kOk:
      break;
  }
  return "ERR_DREY_NATIVE";
}

napi_value Throw(napi_env env, const Status& status) noexcept {
  // Should Node refuse to make the error, then because another one is pending already, and that one
  // is reported.
  const Status::Code code = status.code();
  const bool argument = code == Status::Code::kInvalidArgument || code == Status::Code::kInvalidKey;
  const auto raise = argument ? napi_throw_type_error : napi_throw_error;
  raise(env, ErrorCode(code), status.message());
  return nullptr;
}

}  // namespace drey::node
