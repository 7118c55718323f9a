#include "dap/session.hpp"

#include <fmt/format.h>

#include <utility>

#include "dap/dispatch.hpp"

namespace trapline::dap {

namespace spec = proto::dap;

Session::Session(proto::Control& control, Sender sender, SessionOptions options)
    : control_(control),
      sender_(std::move(sender)),
      options_(std::move(options)),
      client_(options_.initialized ? options_.initialized->client : spec::InitializeArguments{}),
      coordinates_(client_),
      breakpoints_(control_, sources_, coordinates_),
      starter_(*this),
      last_seq_(options_.initialized ? options_.initialized->last_seq : 0),
      initialized_(options_.initialized.has_value()),
      subscription_(control_.subscribe([this](const proto::Event& event) { on_event(event); })) {}

Session::~Session() = default;

Result<void> Session::initialize(const spec::InitializeArguments& client) {
  if (initialized_) return fail(Errc::wrong_state, "initialize was answered already");
  client_ = client;
  coordinates_ = Coordinates(client_);
  initialized_ = true;
  return {};
}

void Session::on_message(const nlohmann::json& message) {
  if (ended_) return;
  const auto incoming = spec::parse_incoming(message);
  if (!incoming) {
    if (const auto seq = message.is_object() ? message.find("seq") : message.end();
        seq != message.end() && seq->is_number_integer() && message.value("type", nlohmann::json()) == "request")
      return send(error_answer(seq->get<spec::Seq>(), "", incoming.error()));
    return on_garbage(incoming.error());
  }
  if (const auto* response = std::get_if<spec::IncomingResponse>(&*incoming)) return on_response(*response);
  on_request(std::get<spec::IncomingRequest>(*incoming));
}

void Session::on_request(const spec::IncomingRequest& request) {
  if (waiting_.contains(request.seq)) {
    const auto error = fail(Errc::bad_request, fmt::format("request.seq: {} is used already", request.seq)).error();
    return send(error_answer(request.seq, request.command, error));
  }
  waiting_[request.seq] = {request.command, nullptr};
  current_ = request.seq;
  const auto route = find_route(request.command);
  if (!route) {
    answer(request.seq, std::unexpected(route.error()));
  } else if (!initialized_ && (*route)->command != spec::Initialize::command) {
    answer(request.seq, fail(Errc::wrong_state, fmt::format("{}: initialize comes first", request.command)));
  } else if (auto met = check_needs(**route, control_, starter_.waiting()); !met) {
    answer(request.seq, std::unexpected(std::move(met).error()));
  } else {
    // The border: what throws below (the JSON library, memory) is answered as a bug and travels no further.
    try {
      (*route)->run(*this, request.seq, request.arguments);
    } catch (const std::exception& e) {
      answer(request.seq, fail(Errc::internal, fmt::format("{}: {}", request.command, e.what())));
    }
  }
  current_ = 0;
  run_after_reply();
}

void Session::answer(spec::Seq request, Result<nlohmann::json> body) {
  const auto waiting = waiting_.extract(request);
  if (waiting.empty()) return;  // cancelled meanwhile
  const auto& command = waiting.mapped().command;
  send(body ? spec::success_envelope(request, command, *std::move(body))
            : error_answer(request, command, body.error()));
}

void Session::run_after_reply() {
  for (auto& work : std::exchange(after_reply_, {})) work();
}

void Session::when_cancelled(std::function<void()> work) {
  if (const auto waiting = waiting_.find(current_); waiting != waiting_.end())
    waiting->second.cancelled = std::move(work);
}

bool Session::cancel(spec::Seq request) {
  const auto waiting = waiting_.find(request);
  if (waiting == waiting_.end() || !waiting->second.cancelled) return false;
  const auto undo = std::move(waiting->second.cancelled);
  answer(request, fail(Errc::cancelled, "cancelled"));
  undo();
  return true;
}

void Session::cancel_starts() {
  std::vector<spec::Seq> starts;
  for (const auto& [seq, waiting] : waiting_)
    if (waiting.command == spec::Launch::command || waiting.command == spec::Attach::command) starts.push_back(seq);
  for (const auto seq : starts) cancel(seq);
}

void Session::on_garbage(const Error& error) {
  if (!ended_) sender_(error_event_for_garbage(error, ++last_seq_));
}

void Session::on_response(const spec::IncomingResponse& response) {
  const auto asked = asked_.extract(response.request_seq);
  if (asked.empty()) return;  // an answer to nothing: late, after it was given up
  if (response.success) return asked.mapped()(response.body);
  asked.mapped()(fail(Errc::unsupported, response.message.empty() ? "refused" : response.message));
}

void Session::ask(std::string_view command, nlohmann::json arguments, Reply<nlohmann::json> reply) {
  if (ended_) return reply(fail(Errc::connection, "the editor is gone"));
  asked_[last_seq_ + 1] = std::move(reply);
  send(spec::request_envelope(command, std::move(arguments)));
}

void Session::fail_asked(const Error& error) {
  for (auto& [seq, reply] : std::exchange(asked_, {})) reply(std::unexpected(error));
}

void Session::on_closed(Others others) {
  ended_ = true;  // nobody is there to be told anything
  fail_asked(Error{.code = Errc::connection, .message = "the editor is gone", .os_errno = 0, .hint = {}});
  waiting_.clear();
  if (starter_.waiting()) return starter_.cancel();
  if (!starter_.following() || others == Others::some) return breakpoints_.clear();
  const auto process = control_.process();
  const auto state = control_.state();
  if (!process || state == proto::RunState::none || state == proto::RunState::exited) return;
  const bool launched_here = !starter_.joined() && process->start_method == proto::StartMethod::launch;
  // Whoever is gone cannot be told of a failure; the debuggee's end is reported to the log by the Control itself.
  // One that was never let go from its first instruction has nothing to go on with.
  if (launched_here && (state == proto::RunState::held || !starter_.request().launch.detach_on_error))
    static_cast<void>(control_.kill());
  else
    static_cast<void>(control_.detach());
}

void Session::when_gone(std::function<void()> work) {
  if (control_.state() == proto::RunState::exited || control_.state() == proto::RunState::none) return work();
  when_gone_.push_back(std::move(work));
}

void Session::resumed_by_us() {
  handles_.drop();
  ++own_resumes_;
}

void Session::say(proto::OutputCategory category, std::string text) {
  send_event(spec::OutputBody{.category = std::string(shape_category(category)), .output = std::move(text) + "\n"});
}

void Session::send(nlohmann::json message) {
  if (ended_) return;
  message["seq"] = ++last_seq_;
  sender_(std::move(message));
}

nlohmann::json error_event_for_garbage(const Error& error, spec::Seq seq) {
  std::string text = fmt::format("trapline could not read a message: {}", error.message);
  if (!error.hint.empty()) text += "; " + error.hint;
  auto message =
      spec::event_envelope(spec::OutputBody::event, spec::OutputBody{.category = "important", .output = text + "\n"});
  message["seq"] = seq;
  return message;
}

nlohmann::json error_response(const nlohmann::json& request, const Error& error, spec::Seq seq) {
  const auto incoming = spec::parse_incoming(request);
  const auto* parsed = incoming ? std::get_if<spec::IncomingRequest>(&*incoming) : nullptr;
  auto message = error_answer(parsed ? parsed->seq : 0, parsed ? parsed->command : "", error);
  message["seq"] = seq;
  return message;
}

}  // namespace trapline::dap
