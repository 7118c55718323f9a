#pragma once
// The table behind launch_arguments.hpp: a row per key.
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dap/launch_arguments.hpp"

namespace trapline::dap {

enum class Where : std::uint8_t { launch, attach, both };

// What reading has come to. A row's `apply` writes `request`, or says that it cannot be.
struct Draft {
  StartRequest request;
  std::optional<Error> problem;  // the first one

  void note(std::string text) { request.notices.push_back({proto::OutputCategory::console, std::move(text)}); }
  void warn(std::string text) { request.notices.push_back({proto::OutputCategory::important, std::move(text)}); }
  void refuse(Errc code, std::string text, std::string hint = {});
  proto::SourceOptions& sources();
  std::map<std::string, proto::SignalPolicy>& signals();
  proto::EvaluationOptions& evaluation();
};

// The value fits the row's schema when a function here sees it.
using Apply = void (*)(Draft& draft, const nlohmann::json& value);
using Convert = nlohmann::json (*)(const nlohmann::json& value);

struct Alias {
  std::string_view name;
  std::string_view schema = {};  // JSON text; empty: the row's own
  Convert convert = nullptr;     // to what the row's apply takes; nullptr: the value as it is
};

struct Row {
  std::string_view name;
  Where where;
  std::string_view schema;    // JSON text: type, enum, items ...
  std::string_view fallback;  // JSON text of the default; empty: none
  std::string_view description;
  Apply apply;  // nullptr: known, but its feature is not in this version; a value other than the default is a warning
  std::vector<Alias> aliases = {};
};

const std::vector<Row>& rows();

// Keys of other debuggers that have no meaning here; named once in a note.
std::span<const std::string_view> foreign_keys();
// Keys that editors put into every configuration.
std::span<const std::string_view> editor_keys();

// POSIX quoting as `sh` reads it, without expansion. Errors: bad_request (a quote that does not end).
Result<std::vector<std::string>> split_words(std::string_view text);
// "SIGTERM", "TERM" and "15" to "SIGTERM". Errors: bad_request.
Result<std::string> signal_name(std::string_view text);

}  // namespace trapline::dap
