#include "node/sockets.h"

#include <sys/stat.h>
#include <unistd.h>

namespace drey::node {

Sockets::~Sockets() {
  for (const Given& given : given_) {
    if (IsOpen(given)) close(given.descriptor);
  }
}

void Sockets::Add(int descriptor) {
  std::erase_if(given_, [](const Given& given) { return !IsOpen(given); });
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || status.st_ino == 0) return;
  given_.push_back({descriptor, status.st_dev, status.st_ino});
}

bool Sockets::IsOpen(const Given& given) noexcept {
  struct stat status {};
  return fstat(given.descriptor, &status) == 0 && S_ISSOCK(status.st_mode) &&
         status.st_dev == given.device && status.st_ino == given.number;
}

}  // namespace drey::node
