#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

int main(int count, char** arguments) {
  // What was said is said, even if the process dies of a signal behind it.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  doctest::Context context(count, arguments);
  return context.run();
}
