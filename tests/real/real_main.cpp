// The real programs' cases need programs that tests/real/build.sh builds; without them all are skipped, with the
// reason.
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/real/real_support.hpp"

int main(int argc, char** argv) {
  for (const char* level : {"O0", "O2"})
    for (const char* program : {"lua", "sqlite3", "redis-server", "redis-benchmark"})
      if (const auto path = trapline::test::real(level, program); ::access(path.c_str(), X_OK) != 0) {
        fmt::print("no {}: run tests/real/build.sh\n", path);
        return 77;  // Meson's word for skipped
      }
  doctest::Context context(argc, argv);
  return context.run();
}
