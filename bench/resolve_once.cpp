// A function breakpoint on a file, resolved as a session resolves it, by a process that does nothing else: what
// symbol_load holds against `gdb -batch` and `lldb -b`.
//
//   resolve_once FILE FUNCTION [INDEX_FOLDER]
#include <fmt/format.h>

#include "daemon/sym/module.hpp"

int main(int argc, char** argv) {
  using namespace trapline;
  if (argc != 3 && argc != 4) {
    fmt::print(stderr, "usage: resolve_once FILE FUNCTION [INDEX_FOLDER]\n");
    return 2;
  }
  sym::SearchOptions options{.index_comes = true};  // a session builds it behind
  if (argc == 4) options.index_folder = argv[3];
  const auto module = sym::Module::open(argv[1], ModuleId{1}, options);
  if (!module) {
    fmt::print(stderr, "{}\n", module.error().message);
    return 1;
  }
  const auto functions = (*module)->functions_named(argv[2]);
  for (const auto& function : functions) {
    const auto at = (*module)->after_prologue(function.entry);
    const auto row = (*module)->line_at(at);
    fmt::print("{:#x} in {} at {}:{}\n", at, function.name, row ? row->file : "?", row ? row->line.value : 0);
  }
  return functions.empty() ? 1 : 0;
}
