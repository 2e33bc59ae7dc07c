// Runs a target where libFuzzer is not: over its corpus, and over so many mutations of it, always
// the same ones.
//
//   TARGET CORPUS [ROUNDS]     runs
//   TARGET --write CORPUS      writes the seeds there

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "fuzz.h"
#include "io/env_posix.h"
#include "io/folder.h"
#include "support/random.h"

namespace {

using drey::test::Random;
using Input = std::vector<uint8_t>;

int Write(const std::string& corpus) {
  size_t number = 0;
  drey::Result<drey::Folder> folder =
      drey::OpenFolderAt(drey::PosixEnv(), corpus, drey::Folder::Missing::kMake);
  if (!folder.ok()) return 1;
  for (const Input& seed : Seeds()) {
    const std::string path = corpus + "/" + std::to_string(number++);
    std::FILE* const file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) return 1;
    const bool done = std::fwrite(seed.data(), 1, seed.size(), file) == seed.size();
    if (std::fclose(file) != 0 || !done) return 1;
  }
  return 0;
}

std::vector<Input> ReadAll(const std::string& corpus) {
  std::vector<Input> inputs;
  drey::Result<drey::Folder> opened =
      drey::OpenFolderAt(drey::PosixEnv(), corpus, drey::Folder::Missing::kRefuse);
  if (!opened.ok()) return inputs;
  std::vector<std::string> names;
  static_cast<void>(opened.value()
                        .List([&](const drey::Listed& entry) {
                          names.emplace_back(entry.name);
                          return true;
                        })
                        .ok());
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    drey::Result<drey::File> file = opened.value().OpenFile(name, drey::Env::Access::kRead);
    if (!file.ok()) continue;
    const drey::Result<drey::NodeInfo> info = file.value().Stat();
    Input input(info.ok() ? info.value().size : 0);
    if (file.value().ReadFull(0, input).ok()) inputs.push_back(std::move(input));
  }
  return inputs;
}

Input Mutate(const std::vector<Input>& inputs, Random& random) {
  Input input = inputs[random.Below(inputs.size())];
  constexpr uint8_t kEdges[] = {0, 1, 0x7F, 0x80, 0xFF};
  for (uint64_t times = 1 + random.Below(4); times > 0; times--) {
    const uint64_t at = input.empty() ? 0 : random.Below(input.size());
    switch (random.Below(6)) {
      case 0:
        if (!input.empty()) input[at] ^= static_cast<uint8_t>(1U << random.Below(8));
        break;
      case 1:
        if (!input.empty()) input[at] = kEdges[random.Below(5)];
        break;
      case 2:
        input.resize(at);
        break;
      case 3:
        input.insert(input.begin() + static_cast<long>(at), 1 + random.Below(40),
                     static_cast<uint8_t>(random.Next()));
        break;
      case 4: {
        const Input& other = inputs[random.Below(inputs.size())];
        const uint64_t from = other.empty() ? 0 : random.Below(other.size());
        input.insert(input.begin() + static_cast<long>(at), other.begin() + static_cast<long>(from),
                     other.end());
        break;
      }
      default:
        for (uint64_t byte = 0; byte < 4 && at + byte < input.size(); byte++) {
          input[at + byte] = static_cast<uint8_t>(random.Next());
        }
        break;
    }
  }
  return input;
}

}  // namespace

int main(int count, char** given) {
  if (count >= 3 && std::strcmp(given[1], "--write") == 0) return Write(given[2]);
  if (count < 2) return 2;
  const std::vector<Input> inputs = ReadAll(given[1]);
  if (inputs.empty()) {
    std::fprintf(stderr, "%s: no corpus in %s\n", given[0], given[1]);
    return 2;
  }
  const long rounds = count > 2 ? std::atol(given[2]) : 2000;
  for (const Input& input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());
  Random random(1);
  for (long round = 0; round < rounds; round++) {
    const Input input = Mutate(inputs, random);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%s: %zu inputs, %ld mutations of them\n", given[0], inputs.size(), rounds);
  return 0;
}
