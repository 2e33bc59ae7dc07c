#pragma once

#include <string>

#include "io/env.h"

namespace drey::test {

// A folder of a test's own, which is gone with it, and everything in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

// Of a file, or of a folder and all that is in it; links are removed and not followed.
bool RemoveAll(Env& env, const std::string& path);

// Descriptors that this process has open; -1 where the system does not tell.
int OpenDescriptors();

}  // namespace drey::test
