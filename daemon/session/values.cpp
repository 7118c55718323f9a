// Scopes, variables, expressions: eval's answers in the front ends' words.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "daemon/eval/dynamic_type.hpp"
#include "daemon/eval/format_suffix.hpp"
#include "daemon/session/session_impl.hpp"

namespace trapline::session {
namespace {

Result<eval::Options> options_of(const proto::ValueFormat& format) {
  eval::Options options;
  TL_TRY(const auto parsed, eval::parse_format(format.specifiers));
  options.format = parsed.format;
  if (!parsed.count.empty()) {
    std::uint64_t count = 0;
    const auto [rest, problem] = std::from_chars(parsed.count.data(), parsed.count.data() + parsed.count.size(), count);
    if (problem != std::errc{} || rest != parsed.count.data() + parsed.count.size())
      return fail(Errc::bad_request, fmt::format("format: `{}` is no number of elements", parsed.count));
    options.format.count = count;
  }
  if (format.hex && options.format.radix == eval::Format::Radix::natural)
    options.format.radix = eval::Format::Radix::hexadecimal;
  return options;
}

std::string name_of(proto::ScopeKind kind) {
  switch (kind) {
    case proto::ScopeKind::arguments: return "Arguments";
    case proto::ScopeKind::locals: return "Locals";
    case proto::ScopeKind::globals: return "Globals";
    case proto::ScopeKind::registers: return "Registers";
  }
  return "Scope";
}

std::string group_title(const std::string& group) {
  if (group == "x87" || group == "sse" || group == "avx" || group == "avx512") {
    std::string upper;
    for (const char c : group) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return group == "x87" ? group : upper;
  }
  return static_cast<char>(std::toupper(static_cast<unsigned char>(group.front()))) + group.substr(1);
}

template <class T>
std::vector<T> page_of(std::vector<T> all, std::uint64_t start, std::uint64_t count) {
  if (start >= all.size()) return {};
  const auto end = count == 0 ? all.size() : std::min<std::uint64_t>(all.size(), start + count);
  return {std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(start)),
          std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(end))};
}

// Unique within a scope: inner blocks come first, and what an inner one hides has no expression and says so.
std::vector<std::string> shown_names(const std::vector<eval::Variable>& variables) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const auto& variable : variables) {
    std::string name = variable.expression.empty() ? variable.name + " (outer)" : variable.name;
    for (int n = 2; !taken.insert(name).second; ++n) name = fmt::format("{} (outer {})", variable.name, n);
    names.push_back(std::move(name));
  }
  return names;
}

proto::ValueKind kind_of(const eval::Child& child) {
  if (child.virtual_base) return proto::ValueKind::virtual_base;
  if (child.base_class) return proto::ValueKind::base_class;
  if (child.static_member) return proto::ValueKind::static_member;
  return proto::ValueKind::data;
}

}  // namespace

Result<std::vector<proto::ScopeInfo>> Session::scopes(FrameId id) {
  TL_TRY_VOID(require_stopped());
  TL_TRY(const auto place, views_->place_of(id));
  TL_TRY(const auto* frame, views_->frame(place));
  std::vector<proto::ScopeInfo> list;
  const auto add = [&](proto::ScopeKind kind, std::size_t named, bool expensive) {
    list.push_back({.name = name_of(kind),
                    .kind = kind,
                    .ref = views_->keep(ScopeNode{.frame = place, .kind = kind}),
                    .named = static_cast<std::uint32_t>(named),
                    .indexed = 0,
                    .expensive = expensive});
  };
  if (frame->kind != stack::FrameKind::broken) {
    TL_TRY(const auto view, views_->view(place));
    if (frame->scope) {
      // Arguments first, as they are written; a function without any shows no empty scope.
      if (const auto count = eval::arguments(view).size()) add(proto::ScopeKind::arguments, count, false);
      add(proto::ScopeKind::locals, eval::locals(view).size() + (returned_to(place) ? 1 : 0), false);
      add(proto::ScopeKind::globals, 0, true);
    }
    add(proto::ScopeKind::registers, 0, true);
  }
  return list;
}

proto::ValueInfo Session::describe(const eval::FrameView& view, FramePlace place, std::string name,
                                   std::string expression, const eval::Value& value, const eval::Options& options) {
  proto::ValueInfo info;
  info.name = std::move(name);
  info.value = eval::summary(view, value, options);
  info.type = eval::shown_type(view, value);
  info.evaluate_name = expression;
  info.memory = eval::address_of(value);
  const auto count = eval::child_count(view, value);
  tell_complaints();  // looking at a type for the first time binds its visualiser
  info.named = count.named;
  info.indexed = count.indexed;
  if (count.named + count.indexed > 0)
    info.ref = views_->keep(ValueNode{
        .frame = place, .value = value, .expression = std::move(expression), .format = options.format.inherited()});
  return info;
}

Result<std::vector<eval::Variable>> Session::scope_variables(const ScopeNode& scope) {
  TL_TRY(const auto view, views_->view(scope.frame));
  switch (scope.kind) {
    case proto::ScopeKind::arguments: return eval::arguments(view);
    case proto::ScopeKind::locals: return eval::locals(view);
    case proto::ScopeKind::globals: return eval::globals(view);
    case proto::ScopeKind::registers: break;
  }
  return std::vector<eval::Variable>{};
}

Result<std::vector<proto::ValueInfo>> Session::scope_children(const ScopeNode& scope, const eval::Options& options) {
  std::vector<proto::ValueInfo> list;
  if (scope.kind == proto::ScopeKind::registers) {
    TL_TRY(const auto all, registers_of(scope.frame));
    std::vector<std::string> groups;
    for (const auto& one : all)
      if (std::ranges::find(groups, one.group) == groups.end()) groups.push_back(one.group);
    for (const auto& group : groups) {
      proto::ValueInfo info;
      info.name = group_title(group);
      info.ref = views_->keep(RegisterGroupNode{.frame = scope.frame, .group = group});
      info.named = static_cast<std::uint64_t>(std::ranges::count(all, group, &proto::RegisterInfo::group));
      info.kind = proto::ValueKind::register_;
      info.read_only = true;
      list.push_back(std::move(info));
    }
    return list;
  }
  TL_TRY(const auto variables, scope_variables(scope));
  TL_TRY(const auto view, views_->view(scope.frame));
  const auto names = shown_names(variables);
  if (scope.kind == proto::ScopeKind::locals && returned_to(scope.frame)) {
    list.push_back(describe(view, scope.frame, "Return value", {}, returned_->value, options));
    list.back().kind = proto::ValueKind::return_value;
    list.back().read_only = true;
  }
  for (std::size_t i = 0; i < variables.size(); ++i) {
    list.push_back(describe(view, scope.frame, names[i], variables[i].expression, variables[i].value, options));
    if (variables[i].not_yet_constructed) list.back().value = "<not yet constructed>";
  }
  return list;
}

Result<std::vector<proto::ValueInfo>> Session::register_children(const FramePlace& frame, const std::string& group) {
  TL_TRY(const auto all, registers_of(frame));
  TL_TRY(const auto* physical, views_->frame(frame));
  std::vector<proto::ValueInfo> list;
  for (const auto& one : all) {
    if (one.group != group) continue;
    proto::ValueInfo info;
    info.name = one.name;
    info.value = one.value;
    info.evaluate_name = "$" + one.name;
    info.kind = proto::ValueKind::register_;
    info.read_only = !physical->innermost;
    list.push_back(std::move(info));
  }
  return list;
}

Result<std::vector<proto::ValueInfo>> Session::value_children(const ValueNode& node, std::uint64_t start,
                                                              std::uint64_t count, eval::Options options) {
  TL_TRY(const auto view, views_->view(node.frame));
  options.format = eval::merged(node.format, options.format);
  TL_TRY(const auto page, eval::children(view, node.value, node.expression, start, count));
  std::vector<proto::ValueInfo> list;
  for (const auto& child : page) {
    eval::Options each = options;
    if (child.format) each.format = eval::merged(*child.format, options.format);
    list.push_back(describe(view, node.frame, child.name, child.evaluate_name, child.value, each));
    list.back().kind = kind_of(child);
  }
  return list;
}

Result<std::vector<proto::ValueInfo>> Session::children(ValueRef ref, std::uint64_t start, std::uint64_t count,
                                                        proto::ValueFormat format) {
  TL_TRY_VOID(require_stopped());
  TL_TRY(const auto* node, views_->node(ref));
  TL_TRY(const auto options, options_of(format));
  if (const auto* value = std::get_if<ValueNode>(node)) return value_children(*value, start, count, options);
  auto all = std::holds_alternative<ScopeNode>(*node) ? scope_children(std::get<ScopeNode>(*node), options)
                                                      : register_children(std::get<RegisterGroupNode>(*node).frame,
                                                                          std::get<RegisterGroupNode>(*node).group);
  if (!all) return all;
  return page_of(*std::move(all), start, count);
}

Result<proto::ValueInfo> Session::evaluate(const proto::EvaluateSpec& spec) {
  TL_TRY_VOID(require_stopped());
  FramePlace place{.thread = stop_ ? stop_->thread : Tid{process_->pid.value}, .level = 0};
  if (spec.frame) {
    TL_TRY(place, views_->place_of(*spec.frame));
  }
  TL_TRY(auto view, views_->view(place));
  TL_TRY(auto options, options_of(spec.format));
  options.allow_side_effects =
      spec.context == proto::EvaluateContext::repl || spec.context == proto::EvaluateContext::watch;
  allow_calls(view, place, spec.context);
  const auto value = eval::evaluate_formatted(view, spec.expression, options);
  views_->settle();
  settle_calls(spec.context);
  index_soon();  // a name may have made it wanted
  if (!value) return std::unexpected(value.error());
  TL_TRY(const auto now, views_->view(place));
  if (spec.context == proto::EvaluateContext::clipboard) options.limits.max_string = std::size_t{1} << 20;
  options.format = value->format;
  auto info = describe(now, place, spec.expression, value->expression, value->value, options);
  info.evaluate_name = spec.expression;  // with its format
  return info;
}

Result<proto::ValueInfo> Session::assign(FramePlace place, const std::string& name, const std::string& expression,
                                         const eval::Value& target, const std::string& text,
                                         const eval::Options& options) {
  TL_TRY(const auto view, views_->view(place));
  const auto written = eval::assign(view, target, text, options);
  views_->settle();
  if (!written) return std::unexpected(written.error());
  TL_TRY(const auto now, views_->view(place));
  return describe(now, place, name, expression, *written, options);
}

Result<proto::ValueInfo> Session::set_value(ValueRef container, const std::string& name, const std::string& text,
                                            proto::ValueFormat format) {
  TL_TRY_VOID(require_stopped());
  TL_TRY(const auto* node, views_->node(container));
  TL_TRY(const auto options, options_of(format));
  if (const auto* group = std::get_if<RegisterGroupNode>(node))
    return evaluate({.expression = fmt::format("${} = {}", name, text),
                     .frame = views_->frame_id(group->frame),
                     .context = proto::EvaluateContext::repl,
                     .format = format});
  if (const auto* scope = std::get_if<ScopeNode>(node)) {
    TL_TRY(const auto variables, scope_variables(*scope));
    const auto names = shown_names(variables);
    if (const auto found = std::ranges::find(names, name); found != names.end()) {
      const auto& variable = variables[static_cast<std::size_t>(found - names.begin())];
      return assign(scope->frame, name, variable.expression, variable.value, text, options);
    }
    return fail(Errc::not_found, fmt::format("there is no variable `{}` in this scope", name));
  }
  const auto& value = std::get<ValueNode>(*node);
  TL_TRY(const auto view, views_->view(value.frame));
  TL_TRY(const auto child, child_named(view, value, name));
  return assign(value.frame, name, child.evaluate_name, child.value, text, options);
}

// The one child of that name. Containers name theirs by position or by key; keys may be there twice, and two long ones
// may look alike.
Result<eval::Child> Session::child_named(const eval::FrameView& view, const ValueNode& value, const std::string& name) {
  constexpr std::uint64_t page_size = 1024, most = 64 * page_size;
  const auto count = eval::child_count(view, value.value);
  const auto page = [&](std::uint64_t start, std::uint64_t length) {
    return eval::children(view, value.value, value.expression, start, length);
  };
  const auto ambiguous = [&] {
    return fail_hint(Errc::bad_request, fmt::format("more than one child of this value is named `{}`", name),
                     "assign to the expression of the one that is meant");
  };
  // "[17]" is found without reading the seventeen before it where names are positions.
  if (unsigned long long index = 0; std::sscanf(name.c_str(), "[%llu]", &index) == 1 && index < count.indexed) {
    TL_TRY(const auto there, page(count.named + index, 1));
    if (!there.empty() && there[0].by_position && there[0].name == name) {
      if (count.named == 0) return there[0];
      TL_TRY(const auto named, page(0, count.named));
      if (std::ranges::count(named, name, &eval::Child::name) > 0) return ambiguous();
      return there[0];
    }
  }
  std::optional<eval::Child> found;
  const std::uint64_t all = count.named + count.indexed;
  for (std::uint64_t start = 0; start < std::min(all, most); start += page_size) {
    TL_TRY(auto each, page(start, std::min(page_size, all - start)));
    for (auto& child : each) {
      if (child.name != name) continue;
      if (found) return ambiguous();
      found = std::move(child);
    }
  }
  if (all > most && (!found || name.starts_with('[')))
    return fail_hint(Errc::too_large, fmt::format("there are too many children to look for `{}` among", name),
                     "assign to its expression");
  if (!found) return fail(Errc::not_found, fmt::format("there is no member `{}` in this value", name));
  return *std::move(found);
}

}  // namespace trapline::session
