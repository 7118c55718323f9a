#include "proto/words/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace trapline {

void assertion_failed(const char* condition, std::source_location where) {
  std::fprintf(stderr,
               "trapline: broken promise: %s\n  at %s:%u in %s\n  This is a bug in trapline; please report it.\n",
               condition, where.file_name(), where.line(), where.function_name());
  std::abort();
}

}  // namespace trapline
