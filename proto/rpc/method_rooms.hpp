#pragma once
// How the files of methods/ put their entries into the table. Internal to proto/rpc.
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "proto/rpc/methods.hpp"

namespace trapline::rpc {

struct Nothing {};
template <>
struct Shape<Nothing> {
  static constexpr std::string_view name = "";
  static constexpr std::tuple<> fields{};
};

class Registry {
 public:
  explicit Registry(MethodTable& table) : table_(table) {}

  // A method with an answer at once.
  template <class Params, class Value>
  Method& add(std::string name, std::string summary, Result<Value> (*handler)(Desk&, const Params&)) {
    auto& method = describe<Params, Value>(std::move(name), std::move(summary));
    method.run = [handler](Desk& desk, const Json& raw, const Answer& answer) {
      const auto params = read_as<Params>(raw, Reading::strict);
      if (!params) return answer(std::unexpected(params.error()));
      auto value = handler(desk, *params);
      if (!value) return answer(std::unexpected(value.error()));
      answer(write_value(*value));
    };
    return method;
  }
  // A method whose answer may come later.
  template <class Params, class Value>
  Method& add_later(std::string name, std::string summary, void (*handler)(Desk&, const Params&, Reply<Value>)) {
    auto& method = describe<Params, Value>(std::move(name), std::move(summary));
    method.run = [handler](Desk& desk, const Json& raw, Answer answer) {
      const auto params = read_as<Params>(raw, Reading::strict);
      if (!params) return answer(std::unexpected(params.error()));
      handler(desk, *params, [answer = std::move(answer)](Result<Value> value) {
        if (!value) return answer(std::unexpected(value.error()));
        answer(write_value(*value));
      });
    };
    return method;
  }

 private:
  template <class Value>
  static Json write_value(const Value& value) {
    return Codec<Value>::write(value);
  }
  template <class Params, class Value>
  Method& describe(std::string name, std::string summary) {
    auto& method = table_.methods.emplace_back();
    method.name = std::move(name);
    method.summary = std::move(summary);
    if constexpr (std::is_same_v<Params, Json>)
      method.params = {{"type", "object"}};
    else
      method.params = Codec<Params>::own_schema(table_.components);
    method.result = Codec<Value>::schema(table_.components);
    return method;
  }
  MethodTable& table_;
};

void add_session_methods(Registry& registry);
void add_breakpoint_methods(Registry& registry);
void add_execution_methods(Registry& registry);
void add_look_methods(Registry& registry);
void add_memory_methods(Registry& registry);
void add_symbol_methods(Registry& registry);

// The thread that a call means: the one it names, else the one of the present stop, else the only one.
// Errors: no_debuggee, not_stopped.
Result<Tid> thread_or_current(proto::Control& control, const std::optional<Tid>& named);
// The frame that a call means: the one it names, else the innermost of thread_or_current.
Result<FrameId> frame_or_current(proto::Control& control, const std::optional<FrameId>& named,
                                 const std::optional<Tid>& thread);

}  // namespace trapline::rpc
