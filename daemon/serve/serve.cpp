#include "daemon/serve/serve.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "daemon/serve/host.hpp"
#include "daemon/serve/warm.hpp"
#include "daemon/session/session.hpp"
#include "daemon/util/log.hpp"
#include "dap/launch_arguments.hpp"
#include "dap/session.hpp"

namespace trapline::serve {

Result<void> run_session(const SessionSetup& setup) {
  util::WireLog wire_log;
  if (!setup.wire_log.empty()) {
    TL_TRY(wire_log, util::WireLog::open(setup.wire_log));
  }
  Host host(util::Fd(setup.channel), std::move(wire_log),
            [&](asio::io_context& loop, const os::TracerThread& tracer, const std::filesystem::path& journals,
                std::shared_ptr<const bool> output_held) {
              return session::make_session({.loop = loop,
                                            .tracer = tracer,
                                            .journal_dir = journals,
                                            .exec_helper = setup.executable,
                                            .index_folder = setup.index_folder,
                                            .output_held = std::move(output_held)});
            });
  warm_up();
  host.run();
  return {};
}

int index_ahead(const std::vector<std::string>& files, const std::string& folder) {
  const auto tell = [](const rpc::Json& line) {
    fmt::print("{}\n", line.dump(-1, ' ', false, rpc::Json::error_handler_t::replace));
    std::fflush(stdout);
  };
  int code = 0;
  for (const auto& file : files) {
    const auto made = session::index_ahead(file, folder, [&](std::uint64_t done, std::uint64_t all) {
      tell({{"file", file}, {"done", done}, {"of", all}});
    });
    if (made) {
      tell({{"file", file},
            {"debugFile", made->debug_file},
            {"index", made->index},
            {"bytes", made->bytes},
            {"built", made->built}});
    } else {
      code = 1;
      tell({{"file", file}, {"error", made.error().message}, {"hint", made.error().hint}});
    }
  }
  return code;
}

namespace {

Error terminal_error(std::string text, int err) {
  return {.code = Errc::os,
          .message = err == 0 ? std::move(text) : fmt::format("{}: {}", text, strerror(err)),
          .os_errno = err,
          .hint = {}};
}

Result<void> replace(int stream, const std::string& path, int flags) {
  const util::Fd file(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0666));
  if (!file || ::dup2(file.get(), stream) < 0)
    return std::unexpected(terminal_error(fmt::format("cannot open '{}' for stream {}", path, stream), errno));
  return {};
}

Result<void> redirect(const Waiting& waiting) {
  constexpr int writing = O_WRONLY | O_CREAT | O_TRUNC;
  if (!waiting.in.empty()) TL_TRY_VOID(replace(STDIN_FILENO, waiting.in, O_RDONLY));
  if (!waiting.out.empty()) TL_TRY_VOID(replace(STDOUT_FILENO, waiting.out, writing));
  if (waiting.err.empty()) return {};
  // One file for both is opened once, so that neither writes over the other.
  if (waiting.err != waiting.out) return replace(STDERR_FILENO, waiting.err, writing);
  if (::dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
    return std::unexpected(terminal_error("cannot join stderr and stdout", errno));
  return {};
}

// Yama (kernel.yama.ptrace_scope = 1) lets only an ancestor trace us, and that is the terminal's shell here: name the
// session process, which holds the other end of the socket. Without Yama it is an EINVAL that means nothing.
void permit(const util::Fd& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
    ::prctl(PR_SET_PTRACER, static_cast<unsigned long>(peer.pid), 0, 0, 0);
}

}  // namespace

Error wait_for_tracer(const Waiting& waiting) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (waiting.socket.size() >= sizeof name.sun_path || waiting.argv.empty())
    return terminal_error("--wait-for-tracer needs a socket and a program", 0);
  std::memcpy(name.sun_path, waiting.socket.c_str(), waiting.socket.size() + 1);
  const util::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return terminal_error("the debugger that asked for this terminal is gone", errno);
  if (auto opened = redirect(waiting); !opened) return std::move(opened).error();
  permit(fd);
  // For people who look at the traffic; the debugger believes the kernel (SO_PEERCRED) alone.
  const std::string own = fmt::format("{}\n", ::getpid());
  if (::send(fd.get(), own.data(), own.size(), MSG_NOSIGNAL) < 0)
    return terminal_error("the debugger that asked for this terminal is gone", errno);
  char go = 0;
  ssize_t got = 0;
  do got = ::read(fd.get(), &go, 1);
  while (got < 0 && errno == EINTR);
  if (got != 1) return terminal_error("the debugger gave up before the program was started", 0);
  // A refusal is no reason not to run; the debugger warns by looking at the process.
  constexpr unsigned long query = 0xffffffff;
  if (waiting.no_aslr) ::personality(static_cast<unsigned long>(::personality(query)) | ADDR_NO_RANDOMIZE);
  std::vector<std::string> words = waiting.argv;
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv.front(), argv.data());
  return terminal_error(fmt::format("cannot run {}", words.front()), errno);
}

Result<Answered> answer_initialize(const rpc::Json& request, std::int64_t last_seq) {
  TL_TRY(auto answer, dap::answer_initialize(request, last_seq));
  return Answered{.messages = std::move(answer.messages), .accepted = answer.initialized.has_value()};
}

rpc::Json launch_schema() { return dap::launch_schema(); }
rpc::Json attach_schema() { return dap::attach_schema(); }

}  // namespace trapline::serve
