#include "daemon/serve/rpc_connection.hpp"

#include <fmt/format.h>

#include <chrono>

#include "daemon/serve/host.hpp"
#include "daemon/util/log.hpp"
#include "dap/launch_arguments.hpp"

namespace trapline::serve {
namespace {

constexpr std::chrono::milliseconds hang_up_look{200};
constexpr std::chrono::milliseconds shortest_interval{20};
constexpr std::size_t most_unanswered = 4096;  // calls that wait for another, or for a stop

}  // namespace

RpcConnection::RpcConnection(Host& host, std::shared_ptr<util::Stream> stream, const rpc::Visit& visit)
    : Connection(host, std::move(stream), visit), stats_timer_(stream_->executor()), hang_up_(stream_->executor()) {}

void RpcConnection::notify(std::string_view json) { send_text(json); }

void RpcConnection::message(rpc::Json message) {
  if (unanswered_ >= most_unanswered) {
    garbage({.code = Errc::wrong_state,
             .message = fmt::format("{} calls wait for their answers", unanswered_),
             .os_errno = 0,
             .hint = "read answers before you send more"},
            true);
    return stream_->close_after_sending();
  }
  auto read = rpc::read_message(message);
  auto answers = std::make_shared<Answers>();
  answers->batch = read.batch;
  answers->parts.resize(read.calls.size());
  answers->missing = read.calls.size();
  ++unanswered_;
  for (std::size_t i = 0; i < read.calls.size(); ++i) {
    auto& incoming = read.calls[i];
    if (incoming.call) {
      queue_.push_back({.call = *std::move(incoming.call), .answers = answers, .part = i});
      continue;
    }
    answers->parts[i] = rpc::error_with_code(incoming.id, rpc::invalid_request, incoming.error);
    if (--answers->missing == 0) complete(*answers);
  }
  work();
}

void RpcConnection::garbage(const Error& error, bool) {
  const int code = error.code == Errc::bad_request ? rpc::parse_error : static_cast<int>(error.code);
  send(rpc::error_with_code(nullptr, code, error));
}

void RpcConnection::work() {
  if (std::exchange(working_, true)) return;  // called by an answer from within: the loop below goes on
  while (!blocked_ && !queue_.empty()) {
    auto next = std::move(queue_.front());
    queue_.pop_front();
    run(std::move(next));
  }
  working_ = false;
}

void RpcConnection::run(Queued queued) {
  const log::TraceScope trace(
      fmt::format("{}:{}", name(), queued.call.id ? wire::encode(*queued.call.id) : queued.call.method));
  log::debug("rpc", "{}", queued.call.method);
  const auto* method = rpc::method_table().find(queued.call.method);
  const bool in_order = method != nullptr && method->in_order;
  if (in_order) blocked_ = true;
  const auto call = queued.call;
  // The answer holds us: a handler may keep the desk until it has answered.
  auto self = std::static_pointer_cast<RpcConnection>(shared_from_this());
  auto reply = [self, in_order, queued = std::move(queued)](Result<rpc::Json> value) {
    self->answer(queued, in_order, std::move(value));
  };
  try {
    rpc::dispatch(*this, call, reply);
  } catch (const std::exception& e) {  // the border: the JSON library, memory
    reply(fail(Errc::internal, fmt::format("{}: {}", call.method, e.what())));
  }
}

void RpcConnection::answer(const Queued& queued, bool in_order, Result<rpc::Json> value) {
  auto& answers = *queued.answers;
  if (!value && blame_for(value.error().code) == Blame::us)
    log::error("rpc", "{}: {} (at {}:{})", queued.call.method, value.error().message, value.error().where.file_name(),
               value.error().where.line());
  if (queued.call.id)
    answers.parts[queued.part] =
        value ? rpc::result(*queued.call.id, *std::move(value)) : rpc::error(*queued.call.id, value.error());
  if (--answers.missing == 0) complete(answers);
  if (!in_order) return;
  blocked_ = false;
  work();
}

void RpcConnection::complete(Answers& answers) {
  --unanswered_;
  rpc::Json list = rpc::Json::array();
  for (auto& part : answers.parts)
    if (part) list.push_back(*std::move(part));
  if (!gone_ && !list.empty()) send(answers.batch ? list : list.front());
  if (half_closed_ && unanswered_ == 0) stream_->close_after_sending();
}

// `printf ... | nc -N`: the client has said all it has to say and reads the answers. One that was killed looks the same
// at first; then nobody is there to read, which poll(2) tells.
void RpcConnection::ended() {
  if (mid_message())
    garbage({.code = Errc::bad_request,
             .message = "the connection ended in the middle of a message",
             .os_errno = 0,
             .hint = "end the line, or send Content-Length bytes"},
            true);
  half_closed_ = true;
  if (unanswered_ == 0 || stream_->hung_up()) return stream_->close_after_sending();
  wait_for_hang_up();
}

void RpcConnection::wait_for_hang_up() {
  hang_up_.expires_after(hang_up_look);
  hang_up_.async_wait([weak = weak_from_this(), this](const asio::error_code& cancelled) {
    const auto alive = weak.lock();
    if (!alive || cancelled || gone_) return;
    if (stream_->hung_up()) return stream_->close();
    wait_for_hang_up();
  });
}

void RpcConnection::closed() {
  gone_ = true;
  stats_timer_.cancel();
  hang_up_.cancel();
  queue_.clear();
}

// ---- rpc::Desk

proto::Control& RpcConnection::control() { return host_.control(); }
std::string RpcConnection::session() const { return host_.session(); }

namespace {

// JSON-RPC has no console to note things in: they go out as output events, to everybody.
void say(Host& host, const std::vector<dap::Notice>& notices) {
  for (const auto& notice : notices)
    host.broadcast(proto::OutputEvent{.category = notice.category, .text = notice.text + "\n", .file = {}, .line = {}});
}

}  // namespace

Result<proto::LaunchSpec> RpcConnection::launch_spec(const rpc::Json& arguments) {
  TL_TRY(auto request, dap::parse_start(dap::StartKind::launch, arguments));
  say(host_, request.notices);
  // No JSON-RPC client opens terminals: a pty of ours serves every console.
  request.launch.console = proto::Console::internal;
  host_.detach_when_left(request.launch.detach_on_error);
  return std::move(request.launch);
}

Result<proto::AttachSpec> RpcConnection::attach_spec(const rpc::Json& arguments) {
  TL_TRY(auto request, dap::parse_start(dap::StartKind::attach, arguments));
  say(host_, request.notices);
  host_.detach_when_left(true);
  return std::move(request.attach);
}

void RpcConnection::await_stop(std::optional<std::chrono::milliseconds> limit, Reply<rpc::StopAnswer> reply) {
  host_.await_stop(limit, std::move(reply));
}

void RpcConnection::sessions(Reply<std::vector<rpc::SessionInfo>> reply) { host_.ask_sessions(std::move(reply)); }

std::map<std::string, double> RpcConnection::stats() { return host_.stats(); }

Result<void> RpcConnection::subscribe_stats(std::chrono::milliseconds interval) {
  if (interval.count() != 0 && interval < shortest_interval)
    return fail(Errc::bad_request, fmt::format("intervalMs {} is too short; {} is the least, 0 ends the subscription",
                                               interval.count(), shortest_interval.count()));
  stats_interval_ = interval;
  stats_timer_.cancel();
  if (interval.count() != 0) send_stats();
  return {};
}

void RpcConnection::send_stats() {
  stats_timer_.expires_after(stats_interval_);
  stats_timer_.async_wait([weak = weak_from_this(), this](const asio::error_code& cancelled) {
    const auto alive = weak.lock();
    if (!alive || cancelled || gone_ || stats_interval_.count() == 0) return;
    send(rpc::notification("event.stats", rpc::write(host_.stats())));
    send_stats();
  });
}

rpc::Json RpcConnection::discover() { return rpc::discover(dap::launch_schema(), dap::attach_schema()); }

}  // namespace trapline::serve
