#include "core/crc32c/crc32c.h"

#include <array>

#include "core/crc32c/update.h"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace drey::crc32c {
namespace {

#if defined(__aarch64__)
bool HasCrc32() noexcept {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#elif defined(__APPLE__)
  int there = 0;
  size_t size = sizeof there;
  return sysctlbyname("hw.optional.armv8_crc32", &there, &size, nullptr, 0) == 0 && there != 0;
#else
  return false;
#endif
}
#endif

class Registry {
 public:
  Registry() noexcept {
#if defined(__x86_64__)
    // The compiler's run-time library reads CPUID, and XGETBV too: it reports a set of instructions
    // only where the operating system saves its registers, which for AVX-512 not every one does.
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
      if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq")) {
        Add({"avx512", UpdateAvx512});
      }
      Add({"sse4.2", UpdateSse42});
    }
#elif defined(__aarch64__)
    if (HasCrc32()) Add({"armv8", UpdateArmv8});
#endif
    Add({"portable", UpdatePortable});
  }

  std::span<const Implementation> All() const noexcept { return {all_.data(), count_}; }

 private:
  void Add(Implementation implementation) noexcept { all_[count_++] = implementation; }

  std::array<Implementation, 3> all_{};
  size_t count_ = 0;
};

}  // namespace

std::span<const Implementation> Implementations() noexcept {
  // A constant that is made on first use, whichever thread comes first; nothing ever changes it.
  static const Registry registry;
  return registry.All();
}

}  // namespace drey::crc32c
