// A value as one line of text: its <DisplayString>, its <StringView>.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/eval/format_suffix.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/natvis/inside.hpp"

namespace trapline::natvis {

using eval::Format;
using eval::Value;
using sym::TypeKind;

namespace {

constexpr int max_nesting = 6;  // lines within lines
constexpr std::size_t max_line = 8192;
constexpr std::uint64_t max_elements = 10;      // of a container in its line
constexpr std::size_t max_elements_text = 200;  // bytes; the element that passes it is the last
constexpr std::string_view items_word = "$items";
constexpr std::string_view values_word = "$values";

std::unexpected<Error> uninitialised(std::string why) {
  return fail(Errc::bad_address, "not initialised?: " + std::move(why));
}

bool is_suspicion(const Error& error) {
  return error.message.starts_with("not initialised?: ") || error.message.starts_with("corrupt: ");
}

}  // namespace

bool stands_for_children(const Expression& expression) {
  return expression.text == items_word || expression.text == values_word;
}

bool in_view(const Guard& guard, const std::string& view) {
  if (!guard.include_views.empty() && std::ranges::find(guard.include_views, view) == guard.include_views.end())
    return false;
  return view.empty() || std::ranges::find(guard.exclude_views, view) == guard.exclude_views.end();
}

std::optional<Reading> Engine::Inside::applies(const Reading& on, const Guard& guard, const Value& subject,
                                               Error* wrong) {
  if (!in_view(guard, subject.view_name) || !of_module(on.use.record, guard.module)) return std::nullopt;
  TypeUse* use = &on.use;
  if (!guard.symbol.empty() && (use = by_symbol(on, guard, subject)) == nullptr) return std::nullopt;
  const Reading through = reading(*use);
  if (guard.condition.empty()) return through;
  const auto holds = through.truth(guard.condition, subject);
  if (!holds && wrong != nullptr && !guard.optional && guard.symbol.empty()) *wrong = holds.error();
  if (!holds || !*holds) return std::nullopt;
  return through;
}

Result<Engine::Inside::Specified> Engine::Inside::specified(const Reading& on, const Expression& expression,
                                                            const Value& subject, const std::vector<Local>& locals,
                                                            std::vector<Value>* slots) {
  Specified out;
  out.format = expression.format;
  TL_TRY(out.value, on.run(expression, subject, locals, slots));
  if (expression.count) {
    TL_TRY(const std::int64_t count, on.integer(*expression.count, subject, locals, slots));
    if (count < 0) return uninitialised(fmt::format("`{}` is {}", expression.count->text, count));
    if (count > std::int64_t{1} << 40)
      return uninitialised(fmt::format("`{}` is {}, more than memory holds", expression.count->text, count));
    if (count == 0 && out.value.type->strip()->kind() == TypeKind::pointer &&
        out.format.text == Format::Text::natural) {
      // An empty string or array may have any pointer.
      const sym::Type* element = out.value.type->strip()->target();
      out.format.count = 0;
      out.value = eval::computed(element->array_of(0), {});
    } else {
      TL_TRY(out.value, eval::counted(on.view, std::move(out.value), static_cast<std::uint64_t>(count), out.format));
    }
  }
  out.value.raw = out.value.raw || out.format.raw;
  if (!out.format.view.empty()) out.value.view_name = out.format.view;
  return out;
}

// A string of as many characters as the specifier says.
Result<std::string> Engine::Inside::characters(const Specified& what, std::size_t limit, eval::Quotes quotes) {
  const sym::Type* plain = what.value.type->strip();
  const sym::Type* element = plain->target();
  const std::size_t unit = std::max<std::size_t>(static_cast<std::size_t>(element->size().value_or(1)), 1);
  if (plain->kind() == TypeKind::pointer) {
    TL_TRY(const std::uint64_t at, eval::pointer_bits(*view_.memory, what.value));
    const eval::StringRead read = eval::read_string(*view_.memory, element, LoadAddr{at}, limit, quotes);
    if (!read.readable) return uninitialised(fmt::format("the text at {:#x} cannot be read", at));
    return read.text;
  }
  const std::uint64_t bytes = plain->count().value_or(0) * unit;
  const std::uint64_t wanted = std::min<std::uint64_t>(bytes, std::max<std::size_t>(limit / unit * unit, unit));
  auto held = eval::read_bytes(*view_.memory, what.value, 0, wanted);
  // The last character too: a length that leads out of the mapped memory is none.
  if (held && bytes > wanted)
    if (auto last = eval::read_bytes(*view_.memory, what.value, bytes - unit, unit); !last)
      held = std::unexpected(last.error());
  if (!held && what.value.place == Value::Place::memory)
    return uninitialised(
        fmt::format("{} characters at {:#x} cannot be read", plain->count().value_or(0), what.value.address.value));
  if (!held) return std::unexpected(held.error());
  if (quotes == eval::Quotes::without && unit == 1)  // as they are, zeros and all
    return std::string(reinterpret_cast<const char*>(held->data()), held->size());
  return eval::string_of(element, *held, wanted < bytes, eval::Ending::counted, quotes).text;
}

Result<std::string> Engine::Inside::shown(const Specified& what, const eval::Options& options, std::size_t depth) {
  const sym::Type* plain = what.value.type->strip();
  if (what.format.count && what.format.text == Format::Text::natural && what.format.radix == Format::Radix::natural &&
      plain->kind() == TypeKind::array && eval::is_character(plain->target()))
    return characters(what, options.limits.max_string, eval::Quotes::with);
  if (what.format.count && *what.format.count > 0 && plain->kind() == TypeKind::pointer) {
    TL_TRY(const std::uint64_t at, eval::pointer_bits(*view_.memory, what.value));
    const std::uint64_t unit = plain->target()->size().value_or(1);
    std::byte last{};
    if (view_.memory->read_some(LoadAddr{at + *what.format.count * unit - 1}, std::span(&last, 1)) != 1)
      return uninitialised(fmt::format("{} characters at {:#x} cannot be read", *what.format.count, at));
  }
  eval::Options below = options;
  below.format = eval::merged(what.format, options.format.inherited());
  return eval::summary_within(view_, what.value, below, depth);
}

// The first of the children that the type's <Expand> makes: elements as ", [0]=1, [1]=2", or every child's value alone.
std::string Engine::Inside::first_children(const Reading& on, bool named_elements, const Value& subject,
                                           const eval::Options& options, std::size_t depth, std::string_view before) {
  if (named_elements && (within_elements || depth >= options.limits.summary_depth)) return {};
  Seen seen;
  seen.use = &on.use.without_symbols();
  seen.subject = subject;
  if (seen.expand() == nullptr) return {};
  const auto expansion = expand(seen);
  const bool outer = std::exchange(within_elements, within_elements || named_elements);
  const std::uint64_t start = named_elements ? expansion->named : 0;
  const std::uint64_t all = expansion->named + expansion->indexed - start;
  std::string out;
  const auto add = [&](std::string_view text) {
    if (!out.empty() || (!before.empty() && before.back() != '{' && before.back() != '(')) out += ", ";
    out += text;
  };
  std::uint64_t shown = 0;
  // One more than is shown tells that there are more; one may be the raw view.
  for (const eval::Child& child : page(seen, *expansion, "", start, std::min(all, max_elements + 2))) {
    if (child.name == "[Raw View]") continue;  // last of the named ones
    if (shown++ == max_elements || out.size() > max_elements_text) {
      add("...");
      break;
    }
    eval::Options below = options;
    below.format = eval::merged(child.format.value_or(Format{}), options.format.inherited());
    const std::string value = eval::summary_within(view_, child.value, below, depth);
    add(named_elements ? child.name + "=" + value : value);
  }
  within_elements = outer;
  return out;
}

std::string Engine::Inside::text(const Reading& on, const Interpolated& text, const Value& subject,
                                 const eval::Options& options, std::size_t depth, const std::vector<Local>& locals,
                                 std::vector<Value>* slots) {
  std::string out;
  for (const auto& segment : text.segments) {
    if (!segment.expression) {
      out += segment.literal;
      continue;
    }
    if (stands_for_children(*segment.expression)) {
      out += first_children(on, segment.expression->text == items_word, subject, options, depth, out);
      if (out.size() > max_line) return out + "...";
      continue;
    }
    if (const Capture* name = on.use.symbol_of(*segment.expression)) {
      out += name->text;
      continue;
    }
    auto value = specified(on, *segment.expression, subject, locals, slots);
    auto each = value ? shown(*value, options, depth) : Result<std::string>(std::unexpected(value.error()));
    if (each)
      out += *each;
    else if (is_suspicion(each.error()))
      return fmt::format("<{}>", each.error().message);  // no part of it can be trusted
    else
      out += fmt::format("<error: {}>", each.error().message);
    if (out.size() > max_line) return out + "...";
  }
  return out;
}

std::optional<std::string> Engine::Inside::line(const Value& value, const eval::Options& options, std::size_t depth) {
  const auto seen = see(value);
  if (!seen) return std::nullopt;
  if (nesting >= max_nesting) return "{...}";
  const Deeper deeper(nesting);
  const Reading on = reading(*seen->use);
  if (seen->expand() != nullptr)
    if (const auto expansion = expand(*seen); !expansion->trouble.empty())
      return fmt::format("<{}>", expansion->trouble);
  Error wrong;
  Value subject = seen->subject;
  if (!options.format.view.empty()) subject.view_name = options.format.view;
  for (const DisplayString& each :
       seen->synthetic != nullptr ? seen->synthetic->displays : seen->use->visual.displays) {
    const auto through = applies(on, each.guard, subject, &wrong);
    if (!through && !wrong.message.empty()) return fmt::format("<error: {}>", wrong.message);
    if (!through) continue;
    const bool may_fail = each.guard.optional || !each.guard.symbol.empty();
    if (may_fail && !check(*through, each.text, seen->use->record, {})) continue;
    return text(*through, each.text, subject, options, depth);
  }
  if (seen->synthetic != nullptr) return "";
  return std::nullopt;
}

namespace {

using Look = eval::Visualizer::Look;

// Elements by number, or by names of their own; none: it has none.
Look look_of(const Group& group) {
  const auto named = [](const Interpolated& name) { return !name.segments.empty(); };
  switch (group.item->kind) {
    case Item::Kind::item:
    case Item::Kind::synthetic:
    case Item::Kind::expanded: return Look::none;
    case Item::Kind::array: return Look::list;
    case Item::Kind::custom_list:
      return std::ranges::any_of(group.item->code, named, &Instruction::name) ? Look::map : Look::list;
    default: return std::ranges::any_of(group.item->values, named, &Alternative::name) ? Look::map : Look::list;
  }
}

}  // namespace

Look Engine::Inside::look(const Value& value) {
  const auto seen = see(value);
  if (!seen || nesting >= max_nesting) return Look::none;
  const Deeper deeper(nesting);
  if (seen->synthetic == nullptr && !seen->use->visual.string_views.empty()) return Look::text;
  if (seen->expand() == nullptr) return line(value, {}, 0) ? Look::line : Look::none;
  const auto expansion = expand(*seen);
  for (const Group& group : expansion->groups) {
    const Look own = group.item->kind == Item::Kind::expanded ? look(group.value) : look_of(group);
    if (own == Look::list || own == Look::map) return own;
  }
  if (expansion->groups.empty() && line(value, {}, 0)) return Look::line;
  return Look::parts;
}

std::optional<Result<std::string>> Engine::Inside::string(const Value& value, std::size_t limit) {
  const auto seen = see(value);
  if (!seen) return std::nullopt;
  if (nesting >= max_nesting)
    return Result<std::string>(
        fail(Errc::unsupported, fmt::format("<StringView> of {} leads back to itself", value.type->name())));
  const Deeper deeper(nesting);
  const Reading on = reading(*seen->use);
  for (const StringView& each :
       seen->synthetic != nullptr ? seen->synthetic->string_views : seen->use->visual.string_views) {
    const auto through = applies(on, each.guard, seen->subject);
    if (!through) continue;
    auto what = specified(*through, each.expression, seen->subject);
    if (!what) return Result<std::string>(std::unexpected(what.error()));
    const sym::Type* plain = what->value.type->strip();
    const bool text = plain->target() != nullptr && eval::is_character(plain->target()) &&
                      (plain->kind() == TypeKind::array || (plain->kind() == TypeKind::pointer && !what->format.count));
    if (text) return characters(*what, limit, eval::Quotes::without);
    // <StringView>other</StringView>: the other's.
    if (plain->kind() == TypeKind::record) return string(what->value, limit);
    eval::Options options;
    options.limits.max_string = limit;
    what->format.quoted = false;
    if (what->format.text == Format::Text::natural) what->format.text = Format::Text::bytes;
    return shown(*what, options, 0);
  }
  return std::nullopt;
}

}  // namespace trapline::natvis
