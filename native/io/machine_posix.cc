#include "io/machine_posix.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

namespace drey::posix {
namespace {

// 32 hexadecimal digits, with anything between them.
bool ParseUuid(std::string_view text, BootId* id) noexcept {
  size_t digits = 0;
  for (const char letter : text) {
    uint8_t digit = 0;
    if (letter >= '0' && letter <= '9') {
      digit = static_cast<uint8_t>(letter - '0');
    } else if (letter >= 'a' && letter <= 'f') {
      digit = static_cast<uint8_t>(letter - 'a' + 10);
    } else if (letter >= 'A' && letter <= 'F') {
      digit = static_cast<uint8_t>(letter - 'A' + 10);
    } else {
      continue;
    }
    if (digits == 32) return false;
    uint8_t& byte = id->bytes[digits / 2];
    byte = static_cast<uint8_t>(digits % 2 == 0 ? digit << 4 : byte | digit);
    digits += 1;
  }
  return digits == 32;
}

}  // namespace

Outcome Boot(BootId* id) noexcept {
  std::array<char, 64> text{};
  size_t length = 0;
#if defined(__APPLE__)
  length = text.size();
  if (::sysctlbyname("kern.bootsessionuuid", text.data(), &length, nullptr, 0) != 0) {
    return Outcome::Failed(errno);
  }
#else
  const int file = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (file < 0) return Outcome::Failed(errno);
  const ssize_t read = ::read(file, text.data(), text.size());
  const int error = errno;
  ::close(file);
  if (read < 0) return Outcome::Failed(error);
  length = static_cast<size_t>(read);
#endif
  return ParseUuid({text.data(), length}, id) ? Outcome::Of(0) : Outcome::Failed(EINVAL);
}

Outcome Entropy(std::span<uint8_t> bytes) noexcept {
  return ::getentropy(bytes.data(), bytes.size()) == 0 ? Outcome::Of(0) : Outcome::Failed(errno);
}

}  // namespace drey::posix
