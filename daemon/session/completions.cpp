// Completion and assignment of expressions: eval's answers in the front ends' words.
#include <fmt/format.h>

#include "daemon/eval/completion.hpp"
#include "daemon/eval/format_suffix.hpp"
#include "daemon/session/session_impl.hpp"

namespace trapline::session {

namespace {

std::string name_of(eval::Candidate::Kind kind) {
  switch (kind) {
    case eval::Candidate::Kind::name: return "name";
    case eval::Candidate::Kind::member: return "member";
    case eval::Candidate::Kind::type: return "type";
    case eval::Candidate::Kind::enumerator: return "enumerator";
    case eval::Candidate::Kind::register_: return "register";
  }
  return "name";
}

}  // namespace

Result<proto::CompletionInfo> Session::completions(const proto::CompletionSpec& spec) {
  constexpr std::size_t most = 200;  // more than that nobody reads
  TL_TRY_VOID(require_stopped());
  FramePlace place{.thread = stop_ ? stop_->thread : Tid{process_->pid.value}, .level = 0};
  if (spec.frame) {
    TL_TRY(place, views_->place_of(*spec.frame));
  }
  TL_TRY(const auto view, views_->view(place));
  auto found = eval::complete(view, spec.text, static_cast<std::size_t>(spec.cursor), most);
  proto::CompletionInfo info{.start = found.start, .length = found.length, .items = {}};
  for (auto& item : found.items)
    info.items.push_back({.text = std::move(item.text), .kind = name_of(item.kind), .type = std::move(item.type)});
  return info;
}

Result<proto::ValueInfo> Session::set_expression(const proto::EvaluateSpec& target, const std::string& text) {
  TL_TRY_VOID(require_stopped());
  FramePlace place{.thread = stop_ ? stop_->thread : Tid{process_->pid.value}, .level = 0};
  if (target.frame) {
    TL_TRY(place, views_->place_of(*target.frame));
  }
  eval::Options options;
  TL_TRY(const auto parsed, eval::parse_format(target.format.specifiers));
  options.format = parsed.format;
  if (target.format.hex && options.format.radix == eval::Format::Radix::natural)
    options.format.radix = eval::Format::Radix::hexadecimal;
  TL_TRY(const auto view, views_->view(place));
  const auto split = eval::split_format(target.expression);
  TL_TRY(const auto value, eval::evaluate(view, split.expression, options));
  options.format = eval::merged(split.format, options.format);
  options.allow_side_effects = true;
  return assign(place, target.expression, std::string(split.expression), value, text, options);
}

}  // namespace trapline::session
