// The room's face: variables of a frame, evaluate, conditions, log text, assignment.
#include "daemon/eval/evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/binder.hpp"
#include "daemon/eval/format.hpp"
#include "daemon/eval/format_suffix.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/lifetimes.hpp"
#include "daemon/eval/rust_expression.hpp"
#include "daemon/eval/scope.hpp"

namespace trapline::eval {

namespace {

std::vector<Variable> values_of(const FrameView& frame, const std::vector<sym::Variable>& variables) {
  std::vector<Variable> out;
  out.reserve(variables.size());
  for (const sym::Variable& variable : variables) {
    if (variable.name.empty()) continue;  // a parameter that nobody names, a bound that the compiler keeps
    Variable each;
    each.name = variable.name;
    if (!variable.shadowed) each.expression = variable.name;
    each.value = variable_value(frame, variable.die, variable.type, variable.gone);
    each.artificial = variable.artificial;
    if (variable.shadowed) each.scope_note = "shadowed";
    out.push_back(std::move(each));
  }
  return out;
}

// A value that cannot be read is no answer: better the error now than a line of text that looks like one.
Result<void> probe(const FrameView& frame, const Value& value) {
  if (value.is_problem()) return std::unexpected(value.problem);
  const sym::TypeKind kind = value.type->strip()->kind();
  if (kind == sym::TypeKind::function || kind == sym::TypeKind::void_ || kind == sym::TypeKind::unknown ||
      value.place != Value::Place::memory)
    return {};
  const std::uint64_t size = size_of(frame, value.type).value_or(0);
  if (size == 0) return {};
  const bool scalar = kind != sym::TypeKind::record && kind != sym::TypeKind::array;
  TL_TRY_VOID(read_bytes(*frame.memory, value, 0, scalar ? std::min<std::uint64_t>(size, 64) : 1));
  return {};
}

}  // namespace

std::vector<Variable> arguments(const FrameView& frame) {
  const FramePlace place = place_of(frame);
  std::vector<sym::Variable> parameters = sym::parameters_of(place.scope);
  const std::vector<sym::Variable> inner = sym::locals_of(place.scope, place.file_pc);
  for (sym::Variable& parameter : parameters)
    parameter.shadowed = std::ranges::find(inner, parameter.name, &sym::Variable::name) != inner.end();
  return values_of(frame, parameters);
}

std::vector<Variable> locals(const FrameView& frame) {
  const FramePlace place = place_of(frame);
  const std::vector<sym::Variable> variables = sym::locals_of(place.scope, place.file_pc);
  std::vector<Variable> out = values_of(frame, variables);
  Lifetimes lifetimes(place);
  std::size_t n = 0;
  for (const sym::Variable& variable : variables) {
    if (variable.name.empty()) continue;
    Variable& each = out[n++];
    if (each.value.type->strip()->kind() != sym::TypeKind::record || !lifetimes.not_yet(variable)) continue;
    each.not_yet_constructed = true;
    each.value.raw = true;  // what a visualiser would say of such bytes means nothing
    each.scope_note += each.scope_note.empty() ? "not yet constructed" : ", not yet constructed";
  }
  return out;
}

std::vector<Variable> globals(const FrameView& frame) {
  std::vector<Variable> all = values_of(frame, sym::globals_of(place_of(frame).scope));
  for (Variable& each : all) each.expression = "::" + each.name;  // a local may have the same name
  return all;
}

namespace {

Result<Value> evaluate_rust(const FrameView& frame, const FramePlace& place, std::string_view expression,
                            const Options& options) {
  const FrameScope scope = scope_of(frame, place);
  const auto assignment = rust_assignment(expression);
  if (!assignment) return rust_evaluate(frame, scope, place.scope, expression);
  if (!options.allow_side_effects)
    return fail_hint(Errc::bad_expression, fmt::format("`{}` would change the program", expression),
                     "assignments are for the console");
  TL_TRY(const Value target, rust_evaluate(frame, scope, place.scope, assignment->first));
  TL_TRY(const Value source, rust_evaluate(frame, scope, place.scope, assignment->second));
  const Value at = rust_peeled(frame, target);
  TL_TRY(const auto bytes, rust_bytes_for(frame, at.type, source));
  return Interpreter(frame).store(at, bytes);
}

}  // namespace

Result<Value> evaluate(const FrameView& frame, std::string_view expression, const Options& options) {
  const FramePlace place = place_of(frame);
  if (reads_as_rust(place, expression)) return evaluate_rust(frame, place, expression, options);
  const FrameScope scope = scope_of(frame, place);
  TL_TRY(const SyntaxPtr syntax, parse(expression, scope));
  TL_TRY(const NodePtr node, bind(*syntax, expression, scope, {.side_effects = options.allow_side_effects}));
  Interpreter interpreter(frame);
  TL_TRY(Value value, interpreter.run(*node));
  if (auto readable = probe(frame, value); !readable) {
    Error error = readable.error();
    if (error.message.find('`') == std::string::npos)
      error.message = fmt::format("`{}`: {}", expression, error.message);
    return std::unexpected(std::move(error));
  }
  return value;
}

// ---- formats

Result<Value> counted(const FrameView& frame, Value value, std::uint64_t count, Format& format) {
  for (int hops = 0; hops < 4 && value.type->is_reference(); ++hops) {
    TL_TRY(const std::uint64_t at, pointer_bits(*frame.memory, value));
    value = in_memory(value.type->strip()->target(), LoadAddr{at});
  }
  const sym::Type* plain = value.type->strip();
  if (count > std::uint64_t{1} << 40)
    return fail(Errc::too_large, fmt::format("{} elements are more than any array has", count));
  const bool text = format.text != Format::Text::natural;
  if (plain->kind() == sym::TypeKind::record || (text && plain->kind() == sym::TypeKind::array)) {
    format.count = count;
    return value;
  }
  if (plain->kind() == sym::TypeKind::pointer) {
    const sym::Type* target = plain->target();
    if (text) {
      format.count = count;
      return value;
    }
    if (!size_of(frame, target))
      return fail_hint(Errc::bad_expression,
                       fmt::format("`{}` points to what has no size, so there are no elements", value.type->name()),
                       "cast it to a pointer to what is there");
    TL_TRY(const std::uint64_t at, pointer_bits(*frame.memory, value));
    if (at == 0 && count != 0) return fail(Errc::bad_address, "null pointer: there is nothing to read at 0x0");
    format.count = count;
    return in_memory(target->array_of(count), LoadAddr{at});
  }
  if (plain->kind() != sym::TypeKind::array)
    return fail(Errc::bad_expression,
                fmt::format("a number of elements needs a pointer or an array, and this is `{}`", value.type->name()));
  format.count = count;
  return part_of(value, 0, plain->target()->array_of(count));
}

Result<Formatted> evaluate_formatted(const FrameView& frame, std::string_view text, const Options& options) {
  const SplitExpression split = split_format(text);
  Formatted out;
  out.format = merged(split.format, options.format);
  out.expression = std::string(split.expression);
  TL_TRY(out.value, evaluate(frame, split.expression, options));
  if (!split.count.empty()) {
    Options looking = options;
    looking.allow_side_effects = false;
    TL_TRY(const Value number, evaluate(frame, split.count, looking));
    if (!is_integral(number.type) && !is_enumeration(number.type))
      return fail(Errc::bad_expression,
                  fmt::format("`{}`: a number of elements is an integer, not `{}`", split.count, number.type->name()));
    TL_TRY(const auto bytes, scalar_bytes(*frame.memory, number));
    const Number count = load_number(number.type, bytes);
    if (count.integer < 0)
      return fail(Errc::bad_expression,
                  fmt::format("`{}` is {}: no number of elements", split.count, text_of(count.integer)));
    auto seen = counted(frame, std::move(out.value),
                        static_cast<std::uint64_t>(std::min<Int128>(count.integer, Int128{1} << 62)), out.format);
    if (!seen) return std::unexpected(seen.error());
    out.value = *std::move(seen);
  } else if (options.format.count) {
    TL_TRY(out.value, counted(frame, std::move(out.value), *options.format.count, out.format));
  }
  out.value.raw = out.value.raw || out.format.raw;
  out.value.as_declared = out.value.as_declared || out.format.no_derived;
  if (!out.format.view.empty()) out.value.view_name = out.format.view;
  return out;
}

// ---- log text

std::string log_text(const FrameView& frame, std::string_view message, const Options& options) {
  std::string out;
  for (std::size_t i = 0; i < message.size();) {
    const char c = message[i];
    if ((c == '{' || c == '}') && i + 1 < message.size() && message[i + 1] == c) {
      out += c;
      i += 2;
      continue;
    }
    const std::size_t end = c == '{' ? closed(message, i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += c;
      ++i;
      continue;
    }
    const std::string_view expression = message.substr(i + 1, end - i - 2);
    if (expression.find_first_not_of(" \t") == std::string_view::npos) {
      out += message.substr(i, end - i);
    } else {
      const auto value = evaluate_formatted(frame, expression, options);
      Options shown = options;
      if (value) shown.format = value->format;
      out += value ? summary(frame, value->value, shown) : fmt::format("<error: {}>", value.error().message);
    }
    i = end;
  }
  return out;
}

// ---- assignment

namespace {

// What a user edits is mostly what summary() showed: `97 'a'`, `0x5555... "text"`, `0x401136 <main>`, `@0x7ffe...: 5`.
std::string without_decoration(std::string_view text, bool pointer) {
  // `(Derived) 0x5555...`: no C++, and only what kind of object the address leads to.
  if (const std::size_t close = text.find(") 0x"); pointer && text.starts_with('(') &&
                                                   close != std::string_view::npos &&
                                                   text.substr(0, close).find('*') == std::string_view::npos) {
    const std::string_view digits = text.substr(close + 4);
    const std::size_t end = std::min(digits.find_first_not_of("0123456789abcdef"), digits.size());
    if (end > 0 && (end == digits.size() || digits.substr(end).starts_with(" <"))) text.remove_prefix(close + 2);
  }
  if (text.starts_with('@'))
    if (const std::size_t colon = text.find(": "); colon != std::string_view::npos) text.remove_prefix(colon + 2);
  const std::size_t space = text.find(' ');
  if (space != std::string_view::npos && space > 0 &&
      (std::isdigit(static_cast<unsigned char>(text[0])) != 0 || text[0] == '-')) {
    const std::string_view rest = text.substr(space + 1);
    const bool decorated = rest.starts_with('"') || rest.starts_with('<') || rest.starts_with('\'') ||
                           rest.starts_with("L'") || rest.starts_with("u'") || rest.starts_with("U'") ||
                           rest.starts_with("u8'") || rest.starts_with("L\"") || rest.starts_with("u\"") ||
                           rest.starts_with("U\"");
    if (decorated) text = text.substr(0, space);
  }
  return std::string(text);
}

std::optional<Quad> special_float(std::string_view text) {
  if (text == "nan") return static_cast<Quad>(__builtin_nan(""));
  if (text == "-nan") return -static_cast<Quad>(__builtin_nan(""));
  if (text == "inf" || text == "+inf") return static_cast<Quad>(__builtin_inf());
  if (text == "-inf") return -static_cast<Quad>(__builtin_inf());
  return std::nullopt;
}

}  // namespace

Result<Value> assign(const FrameView& frame, const Value& value, std::string_view text, const Options& options) {
  Value target = value;
  if (target.is_problem())
    return fail(target.problem.code, fmt::format("it cannot be set: {}", target.problem.message));
  if (target.type->is_reference()) {
    TL_TRY(const std::uint64_t at, pointer_bits(*frame.memory, target));
    target = in_memory(target.type->strip()->target(), LoadAddr{at});
  }
  Interpreter interpreter(frame);
  const FramePlace here = place_of(frame);
  if (reads_as_rust(here, text)) {
    target = rust_peeled(frame, std::move(target));
    TL_TRY(const Value source, rust_evaluate(frame, scope_of(frame, here), here.scope, text));
    TL_TRY(const auto written, rust_bytes_for(frame, target.type, source));
    TL_TRY(Value changed, interpreter.store(target, written));
    return value.type->is_reference() ? value : changed;
  }
  const std::string plain = without_decoration(text, target.type->strip()->kind() == sym::TypeKind::pointer);
  std::vector<std::byte> bytes;
  if (const auto special = special_float(plain); special && is_floating(target.type)) {
    bytes = store_number(target.type, {.floating = true, .integer = 0, .real = *special});
  } else {
    const FrameScope scope = scope_of(frame, place_of(frame));
    TL_TRY(const SyntaxPtr syntax, parse(plain, scope));
    TL_TRY(const NodePtr node,
           bind_as(*syntax, plain, target.type, scope, {.side_effects = options.allow_side_effects}));
    TL_TRY(const Value source, interpreter.run(*node));
    TL_TRY(bytes, interpreter.bytes_for(target, source));
  }
  TL_TRY(Value now, interpreter.store(target, bytes));
  if (value.type->is_reference()) return value;
  return now;
}

}  // namespace trapline::eval
