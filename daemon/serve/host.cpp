#include "daemon/serve/host.hpp"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <asio/post.hpp>
#include <csignal>
#include <utility>

#include "daemon/util/log.hpp"

namespace trapline::serve {
namespace {

constexpr std::chrono::milliseconds report_pause{100};
constexpr std::chrono::milliseconds let_go_time{2000};
constexpr std::size_t most_clients = 64;

}  // namespace

Host::Host(util::Fd channel, util::WireLog wire_log, MakeControl make_control)
    : wire_log_(std::move(wire_log)),
      make_control_(std::move(make_control)),
      channel_(loop_, channel.release()),
      lobbies_(loop_),
      signals_(loop_, SIGTERM),
      program_(loop_),
      report_timer_(loop_),
      let_go_limit_(loop_) {}

Host::~Host() = default;

void Host::run() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGINT, SIG_IGN);  // ^C in the daemon's terminal is for the lobby, which tells us
  signals_.async_wait([this](const asio::error_code& error, int) {
    if (!error && stage_ != Stage::keeping) shut_down();
  });
  receive();
  loop_.run();
}

// ---- clients

void Host::visit(const rpc::Visit& visit, std::vector<util::Fd> fds) {
  if (fds.size() != 2 || control_ == nullptr || stage_ == Stage::ending)
    return log::warn("serve", "a connection came that cannot be served");
  auto bytes = util::read_memory_file(fds[1].get());
  auto stream = util::Stream::adopt(loop_, std::move(fds[0]));
  if (!bytes || !stream)
    return log::warn("serve", "{}: {}", visit.connection, bytes ? stream.error().message : bytes.error().message);
  if (clients_.size() >= most_clients)
    return refuse(*std::move(stream), visit, *bytes,
                  {.code = Errc::connection,
                   .message = fmt::format("session {} has {} clients already", session_, most_clients),
                   .os_errno = 0,
                   .hint = "close some of them"});
  auto connection = make_connection(*this, *std::move(stream), visit);
  if (!connection) return log::error("serve", "{}: {}", visit.connection, connection.error().message);
  log::debug("serve", "{} joined session {}", visit.connection, session_);
  stage_ = Stage::open;
  clients_.push_back(*connection);
  (*connection)->start(*std::move(bytes));
  report();
}

void Host::dropped(Connection& connection) {
  // Destroyed later: the call may come from within it.
  const auto found = std::ranges::find(clients_, connection.shared_from_this());
  if (found == clients_.end()) return;
  asio::post(loop_, [kept = *found] {});
  clients_.erase(found);
  output_flows();
  log::debug("serve", "{} left session {}", connection.name(), session_);
  report();
  if (clients_.empty() && stage_ == Stage::open) last_client_left();
}

void Host::broadcast(const proto::Event& event) {
  if (clients_.empty()) return;
  const auto text =
      wire::encode(rpc::notification(fmt::format("event.{}", rpc::event_name(event)), rpc::event_params(event)));
  for (const auto& client : std::vector(clients_)) client->notify(text);
}

void Host::output_flows() {
  *output_held_ = !clients_.empty() && std::ranges::all_of(clients_, [](const auto& client) { return client->slow(); });
}

void Host::event(const proto::Event& event) {
  broadcast(event);
  if (std::holds_alternative<proto::OutputEvent>(event)) output_flows();
  if (const auto* process = std::get_if<proto::ProcessEvent>(&event))
    launched_ = process->process.start_method == proto::StartMethod::launch ? std::optional(process->process.pid)
                                                                            : std::nullopt;
  if (std::holds_alternative<proto::ExitedEvent>(event)) launched_.reset();
  if (std::holds_alternative<proto::StoppedEvent>(event)) {
    // The event may be of a stop that a client has ended meanwhile; who waits, waits for the next one then.
    if (const auto now = control_->current_stop(); now && control_->state() == proto::RunState::stopped)
      answer_waiters(rpc::stop_answer(*now));
  } else if (const auto* exited = std::get_if<proto::ExitedEvent>(&event))
    answer_waiters(rpc::stop_answer(exited->status));
  else if (std::holds_alternative<proto::DetachedEvent>(event))
    answer_waiters(fail(Errc::process_gone, "the debuggee was detached and runs on; no stop will come"));
  if (!std::holds_alternative<proto::OutputEvent>(event) && !std::holds_alternative<proto::ModuleEvent>(event) &&
      !std::holds_alternative<proto::ProgressEvent>(event))
    report();
  const bool over =
      std::holds_alternative<proto::ExitedEvent>(event) || std::holds_alternative<proto::DetachedEvent>(event);
  if (over && let_go_) {
    let_go_limit_.cancel();
    asio::post(loop_, std::exchange(let_go_, nullptr));
  }
}

// ---- execution.wait

void Host::await_stop(std::optional<std::chrono::milliseconds> limit, Reply<rpc::StopAnswer> reply) {
  switch (control_->state()) {
    case proto::RunState::none:
      return reply(fail_hint(Errc::no_debuggee, "there is no debuggee to wait for",
                             "call session.launch or session.attach first"));
    case proto::RunState::stopped:
      if (const auto stop = control_->current_stop()) return reply(rpc::stop_answer(*stop));
      break;
    case proto::RunState::exited:
      if (const auto status = control_->exit_status()) return reply(rpc::stop_answer(*status));
      break;
    case proto::RunState::held: {
      rpc::StopAnswer held;
      held.reason = "entry";
      held.description = "held until session.start or execution.continue";
      if (const auto process = control_->process()) held.thread = Tid{process->pid.value};
      return reply(held);
    }
    case proto::RunState::running: break;
  }
  const auto place = waiters_.insert(waiters_.end(), {.reply = std::move(reply), .limit = nullptr});
  if (!limit) return;
  place->limit = std::make_unique<asio::steady_timer>(loop_, *limit);
  place->limit->async_wait(
      [this, place, time = *limit, here = std::weak_ptr(place->here)](const asio::error_code& cancelled) {
        if (cancelled || here.expired()) return;
        const auto late = std::move(place->reply);
        waiters_.erase(place);
        late(fail_hint(Errc::timeout, fmt::format("the debuggee did not stop within {} ms", time.count()),
                       "call execution.pause to stop it"));
      });
}

void Host::answer_waiters(const Result<rpc::StopAnswer>& answer) {
  auto answered = std::exchange(waiters_, {});
  for (auto& waiter : answered) {
    if (waiter.limit) waiter.limit->cancel();
    waiter.reply(answer);
  }
}

// ---- the end

bool Host::debuggee_lives() const {
  const auto state = control_ ? control_->state() : proto::RunState::none;
  return state != proto::RunState::none && state != proto::RunState::exited;
}

void Host::when_let_go(std::chrono::milliseconds limit, std::function<void()> then) {
  if (!debuggee_lives()) return then();
  let_go_ = std::move(then);
  let_go_limit_.expires_after(limit);
  let_go_limit_.async_wait([this](const asio::error_code& cancelled) {
    if (cancelled || !let_go_) return;
    log::warn("serve", "session {}: the debuggee was not let go in time", session_);
    std::exchange(let_go_, nullptr)();
  });
}

// A DAP client's session has put its own debuggee right by now (Session::on_closed). What is left is one that JSON-RPC
// opened, or one that nobody claimed.
void Host::last_client_left() {
  const auto process = control_->process();
  if (debuggee_lives() && process) {
    const bool kill = process->start_method == proto::StartMethod::launch && !detach_when_left_;
    const auto done = kill ? control_->kill() : control_->detach();
    if (!done) log::debug("serve", "session {}: {}", session_, done.error().message);
  }
  when_let_go(let_go_time, [this] {
    if (clients_.empty()) leave();
  });
}

void Host::leave() {
  if (!channel_.is_open()) return finish();
  stage_ = Stage::leaving;
  send_to_lobby(rpc::house_packet("leaving"));
  report_timer_.expires_after(std::chrono::seconds(1));  // a lobby that does not answer keeps nobody
  report_timer_.async_wait([this](const asio::error_code& cancelled) {
    if (!cancelled && stage_ == Stage::leaving) finish();
  });
}

// The daemon ends: what we started ends with it, what we only visited is left as it was.
void Host::shut_down() {
  if (std::exchange(stage_, Stage::ending) == Stage::ending) return;
  if (debuggee_lives()) {
    const auto process = control_->process();
    const bool launched = process && process->start_method == proto::StartMethod::launch;
    const auto done = launched ? control_->kill() : control_->detach();
    if (!done) log::warn("serve", "session {}: {}", session_, done.error().message);
  }
  when_let_go(let_go_time, [this] { finish(); });
}

void Host::finish() {
  if (stage_ != Stage::ending && launched_) {
    // SIGHUP would end a program whose terminal goes with us.
    util::Fd program(static_cast<int>(::syscall(SYS_pidfd_open, launched_->value, 0)));
    if (program) return keep_terminal(std::move(program));
  }
  stage_ = Stage::ending;
  for (const auto& client : std::vector(clients_)) client->close_after_sending();
  subscription_.reset();
  // What clients were told last is with the kernel by now, or goes out in this one more turn of the loop.
  asio::post(loop_, [this] {
    std::error_code ignored;
    if (!lobby_socket_.empty()) std::filesystem::remove(lobby_socket_, ignored);
    loop_.stop();
  });
}

void Host::keep_terminal(util::Fd program) {
  stage_ = Stage::keeping;
  log::debug("serve", "session {} is over; process {} runs on", session_, launched_->value);
  asio::error_code ignored;
  channel_.close(ignored);
  lobbies_.close(ignored);
  program_.assign(program.release());
  program_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code&) { loop_.stop(); });
}

std::map<std::string, double> Host::stats() {
  auto all = control_->stats();
  all["clients"] = static_cast<double>(clients_.size());
  all["uptimeSeconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  return all;
}

}  // namespace trapline::serve
