#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <iostream>

int main(int argc, char** argv) {
  // A process that dies takes what was not written yet with it, and with that, which case it was.
  std::cout << std::unitbuf;
  return doctest::Context(argc, argv).run();
}
