#include "daemon/serve/serve.hpp"

#include <fmt/format.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/serve/host.hpp"
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
            [&](asio::io_context& loop, const os::TracerThread& tracer, const std::filesystem::path& journals) {
              return session::make_session(
                  {.loop = loop, .tracer = tracer, .journal_dir = journals, .exec_helper = setup.executable});
            });
  host.run();
  return {};
}

namespace {

Error terminal_error(std::string text, int err) {
  return {.code = Errc::os,
          .message = err == 0 ? std::move(text) : fmt::format("{}: {}", text, strerror(err)),
          .os_errno = err,
          .hint = {}};
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
  if (waiting.no_aslr) ::personality(ADDR_NO_RANDOMIZE);
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
