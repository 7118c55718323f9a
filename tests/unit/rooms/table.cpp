#include "tests/unit/rooms/rooms.hpp"

namespace trapline::rooms {

const std::vector<Room>& table() {
  static const std::vector<Room> rooms = {
      {"proto/words", {}, {}},
      {"proto/wire", {"proto/words"}, {"json"}},
      {"proto/dap", {"proto/wire", "proto/words"}, {"json"}},
      // JSON-RPC is the serialisation of Control's words.
      {"proto/rpc", {"proto/wire", "proto/words", "proto/control.hpp"}, {"json"}},
      {"proto/control.hpp", {"proto/words"}, {}},
      {"dap", {"proto/words", "proto/wire", "proto/dap", "proto/rpc", "proto/control.hpp"}, {"json"}},
      {"client",
       {"proto/words", "proto/wire", "proto/dap", "proto/rpc", "proto/control.hpp", "dap"},
       {"json", "asio", "CLI11", "libedit"}},

      {"daemon/util", {"proto/words"}, {"spdlog", "asio"}},
      {"daemon/arch", {"proto/words", "daemon/util"}, {"zydis"}},
      // Register sets are arch's vocabulary, and ptrace reads and writes them.
      {"daemon/os", {"proto/words", "daemon/util", "daemon/arch"}, {"ptrace"}},
      {"daemon/index", {"proto/words", "daemon/util"}, {}},
      {"daemon/sym", {"proto/words", "daemon/util", "daemon/index"}, {"elfutils"}},
      {"daemon/image", {"proto/words", "daemon/util", "daemon/os", "daemon/sym"}, {}},
      {"daemon/stack", {"proto/words", "daemon/util", "daemon/image", "daemon/sym", "daemon/arch"}, {"zydis"}},
      {"daemon/trap", {"proto/words", "daemon/util", "daemon/arch"}, {"zydis"}},
      {"daemon/guard", {"proto/words", "daemon/util", "daemon/os"}, {}},
      // Ends in a process of its own; nothing of a debuggee is known to it.
      {"daemon/fetch", {"proto/words", "daemon/util"}, {"asio", "debuginfod"}},
      {"daemon/run",
       {"proto/words", "daemon/util", "daemon/os", "daemon/arch", "daemon/image", "daemon/stack", "daemon/trap",
        "daemon/guard"},
       {}},
      {"daemon/eval", {"proto/words", "daemon/util", "daemon/stack", "daemon/image", "daemon/sym", "daemon/arch"}, {}},
      {"daemon/natvis",
       {"proto/words", "daemon/util", "daemon/eval", "daemon/stack", "daemon/image", "daemon/sym", "daemon/arch"},
       {"pugixml"}},
      {"daemon/pad",
       {"proto/words", "daemon/util", "daemon/eval", "daemon/image", "daemon/arch", "daemon/trap"},
       {"zydis"}},
      {"daemon/trace", {"proto/words", "daemon/util", "daemon/run", "daemon/eval", "daemon/pad"}, {}},
      {"daemon/record", {"proto/words", "daemon/util", "daemon/run"}, {}},
      {"daemon/capture", {"proto/words", "daemon/util", "daemon/run", "daemon/eval", "daemon/record"}, {}},
      {"daemon/session",
       {"proto/words", "proto/control.hpp", "daemon/util", "daemon/os", "daemon/arch", "daemon/index", "daemon/sym",
        "daemon/image", "daemon/stack", "daemon/trap", "daemon/guard", "daemon/fetch", "daemon/run", "daemon/eval",
        "daemon/natvis", "daemon/pad", "daemon/trace", "daemon/record", "daemon/capture"},
       {"asio", "zydis"}},
      {"daemon/serve",
       {"proto/words", "proto/wire", "proto/dap", "proto/rpc", "proto/control.hpp", "dap", "daemon/util",
        "daemon/session"},
       {"asio", "json"}},
      {"daemon/lobby",
       {"proto/words", "proto/wire", "proto/dap", "proto/rpc", "proto/control.hpp", "daemon/util", "daemon/os",
        "daemon/guard"},
       {"asio", "json", "systemd"}},
      {"daemon/main.cpp",
       {"proto/words", "daemon/util", "daemon/fetch", "daemon/lobby", "daemon/serve"},
       {"asio", "CLI11", "systemd"}},
  };
  return rooms;
}

const std::vector<PackageRule>& package_rules() {
  static const std::vector<PackageRule> rules = {
      {"ptrace", "sys/ptrace.h"},
      {"ptrace", "linux/ptrace.h"},
      {"debuginfod", "elfutils/debuginfod.h"},
      {"elfutils", "elfutils/"},
      {"elfutils", "dwarf.h"},
      {"elfutils", "gelf.h"},
      {"elfutils", "libelf.h"},
      {"asio", "asio"},
      {"zydis", "Zydis/"},
      {"zydis", "Zycore/"},
      {"json", "nlohmann/"},
      {"spdlog", "spdlog/"},
      {"CLI11", "CLI/"},
      {"pugixml", "pugixml.hpp"},
      {"libedit", "editline/"},
      {"libedit", "histedit.h"},
      {"systemd", "systemd/"},
      {"python", "Python.h"},
  };
  return rules;
}

}  // namespace trapline::rooms
