#include "proto/rpc/shapes.hpp"

#include <csignal>
#include <cstring>

namespace trapline::rpc {

// Events whose control word has no flat shape of its own.
struct ContinuedParams {
  std::optional<Tid> thread;
  bool all_threads = true;
};
template <>
struct Shape<ContinuedParams> {
  using C = ContinuedParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{maybe("thread", &C::thread), field("allThreads", &C::all_threads)};
};
struct ThreadParams {
  Tid thread;
  std::string reason;
};
template <>
struct Shape<ThreadParams> {
  using T = ThreadParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("thread", &T::thread), must("reason", &T::reason, "started or exited")};
};
template <>
struct Shape<proto::ModuleEvent> {
  using M = proto::ModuleEvent;
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("reason", &M::change), must("module", &M::module)};
};
struct BreakpointEventParams {
  proto::Change reason = proto::Change::changed;
  BreakpointAnswer breakpoint;
};
template <>
struct Shape<BreakpointEventParams> {
  using B = BreakpointEventParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("reason", &B::reason), must("breakpoint", &B::breakpoint)};
};
template <>
struct Shape<proto::OutputEvent> {
  using O = proto::OutputEvent;
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("category", &O::category), must("text", &O::text),
                                            maybe("file", &O::file), maybe("line", &O::line)};
};
template <>
struct Shape<proto::InvalidatedEvent> {
  using I = proto::InvalidatedEvent;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("threads", &I::threads, "they may stand elsewhere; ids of frames and values are gone")};
};
template <>
struct Shape<proto::ProgressEvent> {
  using P = proto::ProgressEvent;
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("phase", &P::phase),
                                            must("id", &P::id),
                                            must("title", &P::title),
                                            maybe("message", &P::message),
                                            maybe("percentage", &P::percentage),
                                            maybe("cancellable", &P::cancellable)};
};
struct NoParams {};
template <>
struct Shape<NoParams> {
  static constexpr std::string_view name = "";
  static constexpr std::tuple<> fields{};
};

namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

template <class T>
Result<proto::Event> as_event(Result<T> read, auto&& convert) {
  if (!read) return std::unexpected(read.error());
  return proto::Event{convert(*std::move(read))};
}

}  // namespace

std::string signal_name(int signal) {
  if (const char* name = ::sigabbrev_np(signal); name != nullptr) return std::string("SIG") + name;
  return fmt::format("SIG{}", signal);
}

std::optional<int> signal_number(std::string_view name) {
  for (int signal = 1; signal <= 64; ++signal)
    if (signal_name(signal) == name) return signal;
  return std::nullopt;
}

StopAnswer stop_answer(const proto::Stop& stop) {
  StopAnswer answer;
  answer.reason = Codec<proto::StopReason>::name(stop.reason);
  answer.thread = stop.thread;
  answer.breakpoints = stop.breakpoints;
  answer.file = stop.file;
  answer.line = stop.line;
  answer.function = stop.function;
  answer.address = stop.pc;
  answer.description = stop.description;
  answer.text = stop.text;
  if (stop.signal != 0) answer.signal = signal_name(stop.signal);
  answer.returned = stop.returned;
  answer.returned_function = stop.returned_function;
  return answer;
}

StopAnswer stop_answer(const proto::ExitStatus& status) {
  StopAnswer answer;
  answer.reason = "exited";
  if (status.signal != 0)
    answer.signal = signal_name(status.signal);
  else
    answer.exit_code = status.code;
  answer.core_dumped = status.core_dumped;
  return answer;
}

Result<std::variant<proto::Stop, proto::ExitStatus>> read_stop(const StopAnswer& answer) {
  const int signal = answer.signal.empty() ? 0 : signal_number(answer.signal).value_or(0);
  if (answer.reason == "exited")
    return proto::ExitStatus{.code = answer.exit_code.value_or(0), .signal = signal, .core_dumped = answer.core_dumped};
  proto::Stop stop;
  TL_TRY(stop.reason, read_as<proto::StopReason>(answer.reason));
  stop.thread = answer.thread.value_or(Tid{});
  stop.breakpoints = answer.breakpoints;
  stop.description = answer.description;
  stop.text = answer.text;
  stop.signal = signal;
  stop.file = answer.file;
  stop.line = answer.line;
  stop.function = answer.function;
  stop.pc = answer.address.value_or(LoadAddr{});
  stop.returned = answer.returned;
  stop.returned_function = answer.returned_function;
  return stop;
}

PlaceFields place_fields(const proto::BreakpointPlace& place) {
  PlaceFields fields;
  std::visit(Overloaded{[&](const proto::LinePlace& p) {
                          fields.file = p.file;
                          fields.line = p.line;
                          fields.column = p.column;
                        },
                        [&](const proto::FunctionPlace& p) { fields.function = p.name; },
                        [&](const proto::AddressPlace& p) { fields.address = p.address; }},
             place);
  return fields;
}

Result<proto::BreakpointPlace> place_of(const PlaceFields& fields) {
  const bool by_line = !fields.file.empty() || fields.line.value != 0;
  const int named = (by_line ? 1 : 0) + (fields.function.empty() ? 0 : 1) + (fields.address ? 1 : 0);
  if (named == 0)
    return fail(Errc::bad_request, "no place: give \"file\" and \"line\", or \"function\", or \"address\"");
  if (named > 1)
    return fail(Errc::bad_request, "more than one place: give \"file\" and \"line\", or \"function\", or \"address\"");
  if (!fields.function.empty()) return proto::FunctionPlace{fields.function};
  if (fields.address) return proto::AddressPlace{*fields.address};
  if (fields.file.empty()) return fail(Errc::bad_request, "\"line\" needs \"file\"");
  if (fields.line.value == 0) return fail(Errc::bad_request, "\"file\" needs \"line\", and lines count from 1");
  return proto::LinePlace{.file = fields.file, .line = fields.line, .column = fields.column};
}

BreakpointParams breakpoint_params(const proto::BreakpointSpec& spec) {
  auto place = place_fields(spec.place);
  return {.file = std::move(place.file),
          .line = place.line,
          .column = place.column,
          .function = std::move(place.function),
          .address = place.address,
          .condition = spec.condition,
          .hit_condition = spec.hit_condition,
          .log_message = spec.log_message,
          .mode = spec.mode,
          .thread = spec.thread,
          .temporary = spec.temporary};
}

Result<proto::BreakpointSpec> breakpoint_spec(const BreakpointParams& params) {
  TL_TRY(auto place, place_of({.file = params.file,
                               .line = params.line,
                               .column = params.column,
                               .function = params.function,
                               .address = params.address}));
  return proto::BreakpointSpec{.place = std::move(place),
                               .condition = params.condition,
                               .hit_condition = params.hit_condition,
                               .log_message = params.log_message,
                               .mode = params.mode,
                               .thread = params.thread,
                               .temporary = params.temporary};
}

BreakpointAnswer breakpoint_answer(const proto::BreakpointInfo& info) {
  return {.id = info.id,
          .verified = info.verified,
          .pending = info.pending,
          .message = info.message,
          .locations = info.locations,
          .hits = info.hits,
          .evaluations = info.evaluations,
          .nanoseconds_per_evaluation = info.nanoseconds_per_evaluation,
          .asked = breakpoint_params(info.spec)};
}

Result<proto::BreakpointInfo> breakpoint_info(const BreakpointAnswer& answer) {
  TL_TRY(auto spec, breakpoint_spec(answer.asked));
  return proto::BreakpointInfo{.id = answer.id,
                               .spec = std::move(spec),
                               .verified = answer.verified,
                               .pending = answer.pending,
                               .message = answer.message,
                               .locations = answer.locations,
                               .hits = answer.hits,
                               .evaluations = answer.evaluations,
                               .nanoseconds_per_evaluation = answer.nanoseconds_per_evaluation};
}

std::string_view event_name(const proto::Event& event) {
  return std::visit(
      Overloaded{
          [](const proto::ProcessEvent&) { return "process"; }, [](const proto::StoppedEvent&) { return "stopped"; },
          [](const proto::ContinuedEvent&) { return "continued"; }, [](const proto::ExitedEvent&) { return "exited"; },
          [](const proto::DetachedEvent&) { return "detached"; }, [](const proto::ThreadEvent&) { return "thread"; },
          [](const proto::ModuleEvent&) { return "module"; },
          [](const proto::BreakpointEvent&) { return "breakpoint"; },
          [](const proto::OutputEvent&) { return "output"; },
          [](const proto::InvalidatedEvent&) { return "invalidated"; },
          [](const proto::ProgressEvent&) { return "progress"; }},
      event);
}

Json event_params(const proto::Event& event) {
  return std::visit(
      Overloaded{[](const proto::ProcessEvent& e) { return write(e.process); },
                 [](const proto::StoppedEvent& e) {
                   auto answer = stop_answer(e.stop);
                   answer.all_threads = e.all_threads;
                   return write(answer);
                 },
                 [](const proto::ContinuedEvent& e) {
                   return write(ContinuedParams{.thread = e.thread.value != 0 ? std::optional(e.thread) : std::nullopt,
                                                .all_threads = e.all_threads});
                 },
                 [](const proto::ExitedEvent& e) { return write(stop_answer(e.status)); },
                 [](const proto::DetachedEvent&) { return write(NoParams{}); },
                 [](const proto::ThreadEvent& e) {
                   return write(ThreadParams{.thread = e.thread, .reason = e.started ? "started" : "exited"});
                 },
                 [](const proto::ModuleEvent& e) { return write(e); },
                 [](const proto::BreakpointEvent& e) {
                   return write(
                       BreakpointEventParams{.reason = e.change, .breakpoint = breakpoint_answer(e.breakpoint)});
                 },
                 [](const proto::OutputEvent& e) { return write(e); },
                 [](const proto::InvalidatedEvent& e) { return write(e); },
                 [](const proto::ProgressEvent& e) { return write(e); }},
      event);
}

Result<proto::Event> read_event(std::string_view name, const Json& params) {
  if (name == "process")
    return as_event(read_as<proto::ProcessInfo>(params), [](auto p) { return proto::ProcessEvent{std::move(p)}; });
  if (name == "stopped") {
    TL_TRY(const auto answer, read_as<StopAnswer>(params));
    TL_TRY(auto stop, read_stop(answer));
    if (!std::holds_alternative<proto::Stop>(stop)) return fail(Errc::bad_request, "a stop that is an exit");
    return proto::StoppedEvent{.stop = std::get<proto::Stop>(std::move(stop)),
                               .all_threads = answer.all_threads.value_or(true)};
  }
  if (name == "continued")
    return as_event(read_as<ContinuedParams>(params), [](auto c) {
      return proto::ContinuedEvent{.thread = c.thread.value_or(Tid{}), .all_threads = c.all_threads};
    });
  if (name == "exited") {
    TL_TRY(const auto answer, read_as<StopAnswer>(params));
    TL_TRY(auto stop, read_stop(answer));
    if (!std::holds_alternative<proto::ExitStatus>(stop)) return fail(Errc::bad_request, "an exit that is a stop");
    return proto::ExitedEvent{std::get<proto::ExitStatus>(stop)};
  }
  if (name == "detached") return proto::DetachedEvent{};
  if (name == "thread")
    return as_event(read_as<ThreadParams>(params),
                    [](auto t) { return proto::ThreadEvent{.thread = t.thread, .started = t.reason == "started"}; });
  if (name == "module") return as_event(read_as<proto::ModuleEvent>(params), [](auto m) { return m; });
  if (name == "breakpoint") {
    TL_TRY(const auto read, read_as<BreakpointEventParams>(params));
    TL_TRY(auto info, breakpoint_info(read.breakpoint));
    return proto::BreakpointEvent{.change = read.reason, .breakpoint = std::move(info)};
  }
  if (name == "output") return as_event(read_as<proto::OutputEvent>(params), [](auto o) { return o; });
  if (name == "invalidated") return as_event(read_as<proto::InvalidatedEvent>(params), [](auto i) { return i; });
  if (name == "progress") return as_event(read_as<proto::ProgressEvent>(params), [](auto p) { return p; });
  return fail(Errc::unknown_request, fmt::format("no event is called \"{}\"", name));
}

std::vector<std::pair<std::string, Json>> event_schemas(Components& components) {
  return {{"process", Codec<proto::ProcessInfo>::schema(components)},
          {"stopped", Codec<StopAnswer>::schema(components)},
          {"continued", Codec<ContinuedParams>::schema(components)},
          {"exited", Codec<StopAnswer>::schema(components)},
          {"detached", Codec<NoParams>::schema(components)},
          {"thread", Codec<ThreadParams>::schema(components)},
          {"module", Codec<proto::ModuleEvent>::schema(components)},
          {"breakpoint", Codec<BreakpointEventParams>::schema(components)},
          {"output", Codec<proto::OutputEvent>::schema(components)},
          {"invalidated", Codec<proto::InvalidatedEvent>::schema(components)},
          {"progress", Codec<proto::ProgressEvent>::schema(components)}};
}

}  // namespace trapline::rpc
