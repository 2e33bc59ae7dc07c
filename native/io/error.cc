#include "io/error.h"

#include <cerrno>
#include <cstring>

namespace drey {
namespace {

const char* NameOf(int error) noexcept {
  switch (error) {
#define DREY_ERROR(name) \
  case name:             \
    return #name
    DREY_ERROR(EACCES);
    DREY_ERROR(EADDRINUSE);
    DREY_ERROR(EAGAIN);
    DREY_ERROR(EBADF);
    DREY_ERROR(EBUSY);
    DREY_ERROR(ECONNREFUSED);
    DREY_ERROR(EDQUOT);
    DREY_ERROR(EEXIST);
    DREY_ERROR(EFBIG);
    DREY_ERROR(EINTR);
    DREY_ERROR(EINVAL);
    DREY_ERROR(EIO);
    DREY_ERROR(EISDIR);
    DREY_ERROR(ELOOP);
    DREY_ERROR(EMFILE);
    DREY_ERROR(ENAMETOOLONG);
    DREY_ERROR(ENFILE);
    DREY_ERROR(ENODEV);
    DREY_ERROR(ENOENT);
    DREY_ERROR(ENOMEM);
    DREY_ERROR(ENOSPC);
    DREY_ERROR(ENOSYS);
    DREY_ERROR(ENOTDIR);
    DREY_ERROR(ENOTEMPTY);
    DREY_ERROR(ENXIO);
    DREY_ERROR(EOPNOTSUPP);
    DREY_ERROR(EOVERFLOW);
    DREY_ERROR(EPERM);
    DREY_ERROR(EROFS);
    DREY_ERROR(ESPIPE);
    DREY_ERROR(ESTALE);
    DREY_ERROR(ETIMEDOUT);
#undef DREY_ERROR
    default:
      return nullptr;
  }
}

// There are two strerror_r: one returns the text, the other fills it in.
[[maybe_unused]] const char* TextOf(const char* text, const char* /*buffer*/) { return text; }
[[maybe_unused]] const char* TextOf(int failed, const char* buffer) {
  return failed == 0 ? buffer : "";
}

}  // namespace

Status::Code CodeOf(int error) noexcept {
  switch (error) {
    case 0:
      return Status::Code::kOk;
    case ENOSPC:
    case EDQUOT:
      return Status::Code::kNoSpace;
    case ENOENT:
      return Status::Code::kNotFound;
    case EEXIST:
      return Status::Code::kExists;
    case EMFILE:
    case ENFILE:
      return Status::Code::kTooManyFiles;
    case EROFS:
      return Status::Code::kReadOnly;
    case EACCES:
    case EPERM:
      return Status::Code::kPermission;
    // ELOOP is what a link gives that is not followed.
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
      return Status::Code::kWrongKind;
    default:
      return Status::Code::kIo;
  }
}

Status SystemError(int error, const std::string& what) {
  char buffer[128] = "";
  const char* const name = NameOf(error);
  std::string message = what + ": " + TextOf(::strerror_r(error, buffer, sizeof buffer), buffer);
  message += " (" + (name != nullptr ? std::string(name) : "errno " + std::to_string(error)) + ")";
  return Status::Failed(error == 0 ? Status::Code::kIo : CodeOf(error), std::move(message), error);
}

}  // namespace drey
