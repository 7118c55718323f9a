#include "daemon/lobby/visitor.hpp"

#include <fmt/format.h>

#include <asio/post.hpp>
#include <chrono>

#include "daemon/lobby/token.hpp"
#include "daemon/util/log.hpp"
#include "proto/dap/events.hpp"

namespace trapline::lobby {
namespace {

// A lobby serves small messages: launch arguments with a large environment are the largest.
constexpr wire::Limits lobby_limits{.message = 64ULL << 20, .headers = 8ULL << 10};
constexpr wire::Limits stranger_limits{.message = 4ULL << 20, .headers = 8ULL << 10};  // before the token was seen
// An editor speaks as soon as it is connected.
constexpr std::chrono::seconds first_message_limit{30};

Error token_error(std::string how) {
  return {.code = Errc::no_permission,
          .message = "this connection needs the daemon's token",
          .os_errno = 0,
          .hint = std::move(how)};
}

}  // namespace

Visitor::Visitor(Reception& reception, std::shared_ptr<util::Stream> stream, About about)
    : reception_(reception),
      stream_(std::move(stream)),
      about_(std::move(about)),
      patience_(stream_->executor()),
      sniffer_(about_.needs_token ? stranger_limits : lobby_limits),
      authenticated_(!about_.needs_token) {}

void Visitor::start() {
  auto self = shared_from_this();
  stream_->start({.bytes = [self](std::string_view bytes) { self->received(bytes); },
                  .end = [self] { self->ended(); },
                  .sent = [self] { self->sent(); },
                  .gone =
                      [self] {
                        self->patience_.cancel();
                        self->reception_.left(*self);
                      }});
  patience_.expires_after(first_message_limit);
  patience_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto still_there = weak.lock();
    if (cancelled || !still_there || still_there->gone_) return;
    still_there->refuse({.code = Errc::timeout,
                         .message = fmt::format("no whole message came within {} seconds", first_message_limit.count()),
                         .os_errno = 0,
                         .hint = {}});
  });
}

void Visitor::received(std::string_view bytes) {
  if (gone_) return;
  if (reader_) {
    reader_->feed(bytes);
    return next_messages();
  }
  sniffer_.feed(bytes);
  first_message();
}

void Visitor::ended() {
  const bool half = reader_ ? reader_->mid_message() : sniffer_.mid_message();
  if (!half || gone_) return stream_->close_after_sending();
  refuse({.code = Errc::bad_request,
          .message = "the connection ended in the middle of a message",
          .os_errno = 0,
          .hint = "send Content-Length bytes, or end the line"});
}

void Visitor::first_message() {
  auto first = sniffer_.next();
  framing_ = sniffer_.framing().value_or(wire::Framing::lines);
  if (!first) return refuse(first.error());
  if (!*first) return;
  protocol_ = (*first)->protocol;
  framing_ = (*first)->framing;
  reader_ = sniffer_.take_reader();
  // An unauthenticated client keeps its time limit: it has not said anything worth waiting for.
  if (authenticated_) patience_.cancel();
  message((*first)->body);
  next_messages();
}

void Visitor::next_messages() {
  const auto until = std::chrono::steady_clock::now() + util::Stream::slice;
  while (!gone_ && !move_) {
    // Others want the loop, too; and a client that does not read its answers asks for no more of them.
    if (stream_->queued() >= util::Stream::slow_at) return stream_->pause_reading();  // sent() goes on
    if (std::chrono::steady_clock::now() > until) {
      stream_->pause_reading();
      return asio::post(stream_->executor(), [self = shared_from_this()] {
        if (self->moving_ || self->gone_) return;
        self->next_messages();
      });
    }
    auto body = reader_->next();
    if (!body && reader_->broken()) return refuse(body.error());
    if (!body) {
      // One message was over the limit and skipped; the stream goes on.
      if (protocol_ == wire::Protocol::rpc)
        rpc_send(rpc::error(nullptr, body.error()));
      else
        return refuse(body.error());
      continue;
    }
    if (!*body) return stream_->resume_reading();
    message(**body);
  }
}

void Visitor::message(const std::string& body) {
  const auto json = wire::parse_json(body);
  if (!json) {
    reception_.wire_log().write_raw(util::WireLog::Direction::in, about_.name, body);
    if (protocol_ == wire::Protocol::dap) return refuse(json.error());
    return rpc_send(rpc::error_with_code(nullptr, rpc::parse_error, json.error()));
  }
  log_incoming(*json);
  if (protocol_ == wire::Protocol::dap)
    dap_message(*json, body);
  else if (about_.refusal)
    rpc_refuse(*json, *about_.refusal);
  else
    rpc_message(*json, body);
}

// The token is a secret that a wire log must not keep.
void Visitor::log_incoming(const rpc::Json& json) const {
  if (!reception_.wire_log().on()) return;
  rpc::Json shown = json;
  for (auto* object : {&shown, shown.is_array() && !shown.empty() ? &shown.front() : &shown})
    for (const char* inner : {"params", "arguments"})
      for (const char* secret : {"token", "__token"})
        if (object->is_object() && object->contains(inner) && (*object)[inner].is_object() &&
            (*object)[inner].contains(secret))
          (*object)[inner][secret] = "***";
  reception_.wire_log().write(util::WireLog::Direction::in, about_.name, wire::encode(shown));
}

bool Visitor::known_token(const rpc::Json& value) const {
  return value.is_string() && same_token(value.get_ref<const std::string&>(), reception_.token());
}

// ---- DAP

void Visitor::dap_message(rpc::Json json, const std::string& body) {
  const auto incoming = proto::dap::parse_incoming(json);
  if (!incoming) return refuse(incoming.error());
  const auto* request = std::get_if<proto::dap::IncomingRequest>(&*incoming);
  if (request == nullptr) return log::debug("lobby", "{}: a response to nothing that was asked", about_.name);
  if (about_.refusal) {
    dap_error(request->seq, request->command, *about_.refusal);
    gone_ = true;
    return stream_->close_after_sending();
  }
  if (request->command == "initialize") return dap_initialize(*request, std::move(json));
  if (!initialize_)
    return dap_error(request->seq, request->command,
                     {.code = Errc::wrong_state,
                      .message = fmt::format("'{}' came before 'initialize'", request->command),
                      .os_errno = 0,
                      .hint = "send 'initialize' first"});
  if (request->command == "disconnect") {
    dap_send(proto::dap::success_envelope(request->seq, request->command, nullptr));
    gone_ = true;
    return stream_->close_after_sending();
  }
  dap_move(*request, body);
}

void Visitor::dap_initialize(const proto::dap::IncomingRequest& request, rpc::Json json) {
  if (!json.contains("arguments") || !json["arguments"].is_object()) json["arguments"] = rpc::Json::object();
  auto& arguments = json["arguments"];
  if (!authenticated_) {
    const auto named = arguments.contains("token") ? "token" : "__token";
    if (!arguments.contains(named) || !known_token(arguments[named])) {
      dap_error(request.seq, request.command,
                token_error("put it into the arguments of initialize, as \"token\" or \"__token\""));
      gone_ = true;
      return stream_->close_after_sending();
    }
    authenticated_ = true;
    patience_.cancel();
  }
  arguments.erase("token");
  arguments.erase("__token");
  if (initialize_)
    return dap_error(request.seq, request.command,
                     {.code = Errc::wrong_state, .message = "'initialize' came twice", .os_errno = 0, .hint = {}});
  const auto greeting = reception_.greet(json, sent_);
  if (!greeting) return dap_error(request.seq, request.command, greeting.error());
  for (const auto& message : greeting->messages) {
    ++sent_;
    dap_write(message);
  }
  if (greeting->accepted) initialize_ = std::move(arguments);
}

void Visitor::dap_move(const proto::dap::IncomingRequest& request, const std::string& body) {
  std::optional<std::string> session;
  if (request.command == "attach" && request.arguments.is_object()) {
    const auto named = request.arguments.find("session");
    if (named != request.arguments.end() && named->is_string()) session = named->get<std::string>();
    if (named != request.arguments.end() && named->is_number_integer()) session = named->dump();
  }
  move(std::move(session), body,
       [this, seq = request.seq, command = request.command](const Error& error) { dap_error(seq, command, error); });
}

void Visitor::dap_error(proto::dap::Seq seq, std::string_view command, const Error& error) {
  const auto text = error.hint.empty() ? error.message : fmt::format("{}; {}", error.message, error.hint);
  dap_send(proto::dap::error_envelope(seq, command, name_of(error.code),
                                      {.id = static_cast<std::int32_t>(error.code),
                                       .format = text,
                                       .show_user = blame_for(error.code) != Blame::nobody}));
}

void Visitor::dap_send(rpc::Json message) {
  message["seq"] = ++sent_;
  dap_write(message);
}

void Visitor::dap_write(const rpc::Json& message) {
  const auto text = wire::encode(message);
  reception_.wire_log().write(util::WireLog::Direction::out, about_.name, text);
  stream_->send(wire::frame_body(text));
}

// ---- JSON-RPC

namespace {

// The lobby's part of the methods: those that need no debuggee.
class LobbyDesk final : public rpc::Desk {
 public:
  explicit LobbyDesk(const Reception& reception) : reception_(reception) {}
  // Visitor asks for methods of Place::anywhere only, and none of them touches these.
  proto::Control& control() override { assertion_failed("the lobby has no control", std::source_location::current()); }
  std::string session() const override { return {}; }
  Result<proto::LaunchSpec> launch_spec(const rpc::Json&) override { return nothing_here(); }
  Result<proto::AttachSpec> attach_spec(const rpc::Json&) override { return nothing_here(); }
  void await_stop(std::optional<std::chrono::milliseconds>, Reply<rpc::StopAnswer> reply) override {
    reply(nothing_here());
  }
  Result<void> subscribe_stats(std::chrono::milliseconds) override { return nothing_here(); }
  void sessions(Reply<std::vector<rpc::SessionInfo>> reply) override { reply(reception_.sessions()); }
  std::map<std::string, double> stats() override { return reception_.stats(); }
  rpc::Json discover() override { return reception_.discover(); }

 private:
  static std::unexpected<Error> nothing_here() { return fail(Errc::no_debuggee, "the lobby has no debuggee"); }
  const Reception& reception_;
};

}  // namespace

void Visitor::rpc_message(rpc::Json json, std::string body) {
  if (!authenticated_) {
    if (!rpc_authenticated(json)) return;
    body = wire::encode(json);
  }
  const auto message = rpc::read_message(json);
  if (rpc_moves(message, body)) return;
  std::vector<rpc::Json> answers;
  for (const auto& incoming : message.calls) {
    if (!incoming.call)
      answers.push_back(rpc::error_with_code(incoming.id, rpc::invalid_request, incoming.error));
    else
      rpc_answer(*incoming.call, answers);
  }
  if (answers.empty()) return;
  rpc_send(message.batch ? rpc::Json(std::move(answers)) : answers.front());
}

// The first call must show the token, which is taken off. A wrong one ends the connection: guessing costs a connection
// each.
bool Visitor::rpc_authenticated(rpc::Json& json) {
  rpc::Json& first = json.is_array() && !json.empty() ? json.front() : json;
  if (first.is_object() && first.contains("params") && first["params"].is_object()) {
    auto& params = first["params"];
    if (params.contains("token") && known_token(params["token"])) {
      if (first.value("method", rpc::Json()) != "session.authenticate") params.erase("token");
      authenticated_ = true;
      patience_.cancel();
      return true;
    }
  }
  rpc_refuse(json, token_error("call session.authenticate {\"token\": ...} first"));
  return false;
}

// Moves the connection where one of the calls opens or joins a session; the whole message goes along.
bool Visitor::rpc_moves(const rpc::Message& message, const std::string& body) {
  for (const auto& incoming : message.calls) {
    if (!incoming.call) continue;
    const auto& call = *incoming.call;
    const auto* method = rpc::method_table().find(call.method);
    if (method == nullptr || method->place != rpc::Place::opens) continue;
    std::optional<std::string> session;
    if (call.method == "session.join") {
      const auto named = call.params.is_object() ? call.params.find("session") : call.params.end();
      if (named == call.params.end() || !named->is_string()) return false;  // dispatch says what is wrong with it
      session = named->get<std::string>();
    }
    move(std::move(session), body,
         [this, id = call.id.value_or(nullptr)](const Error& error) { rpc_send(rpc::error(id, error)); });
    return true;
  }
  return false;
}

void Visitor::rpc_answer(const rpc::Call& call, std::vector<rpc::Json>& answers) {
  const log::TraceScope trace(fmt::format("{}:{}", about_.name, call.id ? call.id->dump() : call.method));
  const auto answer = [&](Result<rpc::Json> value) {
    if (!call.id) return;
    answers.push_back(value ? rpc::result(*call.id, *std::move(value)) : rpc::error(*call.id, value.error()));
  };
  const auto* method = rpc::method_table().find(call.method);
  if (method == nullptr) return answer(std::unexpected(rpc::unknown_method(call.method)));
  if (method->place == rpc::Place::session)
    return answer(fail_hint(Errc::no_debuggee,
                            fmt::format("{} needs a session, and this connection has none", call.method),
                            "call session.launch, session.attach or session.join first"));
  LobbyDesk desk(reception_);
  if (method->place == rpc::Place::opens)  // only session.join without its parameter comes here
    return answer(fail(Errc::bad_request, "session.join: \"session\" must be the id of a session, a string"));
  rpc::dispatch(desk, call, answer);
}

void Visitor::rpc_refuse(const rpc::Json& json, const Error& error) {
  const auto first = rpc::read_message(json).calls.front();
  rpc_send(rpc::error(first.call ? first.call->id.value_or(nullptr) : first.id, error));
  gone_ = true;
  patience_.cancel();
  stream_->close_after_sending();
}

void Visitor::rpc_send(const rpc::Json& message) {
  const auto text = wire::encode(message);
  reception_.wire_log().write(util::WireLog::Direction::out, about_.name, text);
  stream_->send(framing_ == wire::Framing::headers ? wire::frame_body(text) : text + "\n");
}

void Visitor::notify(std::string_view event, const rpc::Json& params) {
  if (gone_ || moving_ || !reader_ || !authenticated_ || protocol_ != wire::Protocol::rpc) return;
  rpc_send(rpc::notification(fmt::format("event.{}", event), params));
}

// ---- both

void Visitor::move(std::optional<std::string> session, const std::string& body,
                   std::function<void(const Error&)> failed) {
  stream_->pause_reading();
  moving_ = true;
  move_ = [this, session = std::move(session), body, failed = std::move(failed)] {
    rpc::Visit visit{.connection = about_.name,
                     .protocol = protocol_,
                     .framing = framing_,
                     .sent = sent_,
                     .initialize = initialize_.value_or(nullptr)};
    std::string bytes = framing_ == wire::Framing::headers ? wire::frame_body(body) : body + "\n";
    const std::string rest = reader_->take_rest();
    bytes += rest;
    const auto moved = session ? reception_.join_with(*session, visit, stream_->socket(), bytes)
                               : reception_.open_with(visit, stream_->socket(), bytes);
    if (!moved) {
      reader_->feed(rest);
      return failed(moved.error());
    }
    // The session has its own descriptor of the connection now; closing ours is no end for the client.
    gone_ = true;
    patience_.cancel();
    stream_->release();
    reception_.left(*this);
  };
  if (stream_->queued() == 0) sent();
}

void Visitor::sent() {
  if (gone_) return;
  if (!move_) {
    if (reader_) next_messages();
    return;
  }
  const auto self = shared_from_this();
  const auto move = std::exchange(move_, nullptr);
  move();
  if (gone_) return;
  moving_ = false;
  next_messages();
}

void Visitor::refuse(const Error& error) {
  gone_ = true;
  patience_.cancel();
  log::info("lobby", "{}: refused: {}", about_.name, error.message);
  // Before a first body could tell, headers mean an editor: JSON-RPC's users write lines.
  if (reader_ ? protocol_ == wire::Protocol::dap : framing_ == wire::Framing::headers)
    dap_send(proto::dap::event_envelope(
        proto::dap::OutputBody::event,
        proto::dap::OutputBody{
            .category = "important",
            .output = fmt::format("trapline: {}{}{}\n", error.message, error.hint.empty() ? "" : "; ", error.hint)}));
  else
    rpc_send(rpc::error_with_code(
        nullptr, error.code == Errc::bad_request ? rpc::parse_error : static_cast<int>(error.code), error));
  stream_->close_after_sending();
}

}  // namespace trapline::lobby
