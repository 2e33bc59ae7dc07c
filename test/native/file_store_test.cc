// What a file store keeps, and what of it is there again.

#include "file_fixture.h"

using namespace drey;
using namespace drey::test;

TEST_CASE("file store: what is set is found, after an end of whatever kind") {
  for (const bool close : {true, false}) {
    TempFolder folder;
    std::map<std::string, std::vector<uint8_t>> model;
    Random random(close ? 1 : 2);
    for (int round = 0; round < 4; round++) {
      Store store(PosixEnv(), folder.path() + "/s", {.max_bytes = 64 * kMiB});
      REQUIRE_MESSAGE(store.ok(), store.error());
      CHECK(store->recovered().clean == (close || round == 0));
      CHECK(store->recovered().damages == 0);
      CHECK(store->recovered().torn_bytes == 0);
      CHECK(store->stats().entries == model.size());
      for (const auto& [key, value] : model) {
        const auto got = store.Get(key);
        REQUIRE(got);
        CHECK(got->value == value);
        CHECK(!got->doubtful);
      }
      for (int at = 0; at < 200; at++) {
        const std::string key = "key " + std::to_string(random.Below(80));
        const uint64_t what = random.Below(10);
        if (what == 0) {
          const Wrote wrote = store.Delete(key);
          CHECK(wrote.kind == Written::kDone);
          CHECK(wrote.existed == (model.erase(key) == 1));
        } else if (what == 1 && random.Below(20) == 0) {
          CHECK(store.Clear().kind == Written::kDone);
          model.clear();
        } else {
          const uint64_t size = what == 2 ? random.Below(400'000) : random.Below(5000);
          const auto value = ValueOf(random.Next(), size);
          const Wrote wrote = store.Set(key, value);
          REQUIRE_MESSAGE(wrote.kind == Written::kDone, wrote.message);
          model[key] = value;
        }
        CHECK(store.Get(key).has_value() == model.contains(key));
      }
      CHECK(BlocksOf(PosixEnv(), folder.path() + "/s") <= store->stats().bytes);
      if (close) CHECK_MESSAGE(store.Close(), store.error());
    }
  }
}
