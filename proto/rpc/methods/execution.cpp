// execution.*
#include "proto/rpc/method_rooms.hpp"

namespace trapline::rpc {
namespace {

struct ThreadParams {
  std::optional<Tid> thread;
};
struct StepParams {
  std::optional<Tid> thread;
  proto::StepUnit unit = proto::StepUnit::line;
  bool single_thread = false;
};
struct UntilParams {
  std::optional<Tid> thread;
  std::string file;
  Line line;
  std::uint32_t column = 0;
  std::string function;
  std::optional<LoadAddr> address;
};
struct WaitParams {
  std::optional<std::chrono::milliseconds> timeout;
};

}  // namespace

template <>
struct Shape<ThreadParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{maybe("thread", &ThreadParams::thread, "only this one; else all")};
};
template <>
struct Shape<StepParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{maybe("thread", &StepParams::thread, "else the one of the present stop"),
                 field("unit", &StepParams::unit), field("singleThread", &StepParams::single_thread)};
};
template <>
struct Shape<UntilParams> {
  using U = UntilParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{maybe("thread", &U::thread), maybe("file", &U::file),         maybe("line", &U::line),
                 maybe("column", &U::column), maybe("function", &U::function), maybe("address", &U::address)};
};
template <>
struct Shape<WaitParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{maybe("timeoutMs", &WaitParams::timeout, "none: as long as it takes")};
};

namespace {

Result<Nothing> done(Result<void> result) {
  if (!result) return std::unexpected(result.error());
  return Nothing{};
}

Result<Nothing> resume(Desk& desk, const ThreadParams& params) {
  if (desk.control().state() == proto::RunState::held) return done(desk.control().start());
  return done(desk.control().resume({.only = params.thread}));
}

Result<Nothing> pause(Desk& desk, const Nothing&) { return done(desk.control().pause()); }

template <proto::StepKind kind>
Result<Nothing> step(Desk& desk, const StepParams& params) {
  TL_TRY(const auto thread, thread_or_current(desk.control(), params.thread));
  return done(desk.control().step(
      {.thread = thread, .kind = kind, .unit = params.unit, .single_thread = params.single_thread}));
}

Result<Nothing> until(Desk& desk, const UntilParams& params) {
  TL_TRY(const auto place, place_of({.file = params.file,
                                     .line = params.line,
                                     .column = params.column,
                                     .function = params.function,
                                     .address = params.address}));
  TL_TRY(const auto thread, thread_or_current(desk.control(), params.thread));
  return done(desk.control().run_to(thread, place));
}

void wait(Desk& desk, const WaitParams& params, Reply<StopAnswer> reply) {
  desk.await_stop(params.timeout, std::move(reply));
}

}  // namespace

void add_execution_methods(Registry& registry) {
  registry.add("execution.continue", "Let the debuggee run.", resume);
  registry.add("execution.pause", "Stop all threads; event.stopped follows.", pause);
  registry.add("execution.next", "Step over the line; event.stopped follows.", step<proto::StepKind::over>);
  registry.add("execution.stepIn", "Step into the call on this line.", step<proto::StepKind::into>);
  registry.add("execution.stepOut", "Run until the function returns.", step<proto::StepKind::out>);
  registry.add("execution.until", "Run until a place is reached, or the frame returns.", until);
  registry.add_later("execution.wait", "The next stop or exit; at once where the debuggee stands still.", wait);
}

}  // namespace trapline::rpc
