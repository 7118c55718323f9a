#include "bench/daemon.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace trapline::bench {

Daemon::Daemon(const std::string& program, const std::vector<std::string>& arguments)
    : folder_(fmt::format("/tmp/trapline-bench-{}", ::getpid())) {
  std::filesystem::create_directories(folder_);
  ::setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
  std::vector<std::string> argv{program, "--listen", "unix:" + socket()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  channel_.emplace(Channel::program(argv));
  if (!channel_->read_line().starts_with("listening on")) throw std::runtime_error("traplined does not listen");
}

Daemon::~Daemon() {
  channel_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string in_path(const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (std::filesystem::exists("/usr/bin/" + name)) return "/usr/bin/" + name;
  return {};
}

}  // namespace trapline::bench
