#include "daemon/eval/rust_parts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/rust_view.hpp"
#include "daemon/sym/module.hpp"

namespace trapline::eval {

using sym::Type;
using sym::TypeKind;
using Shape = RustView::Shape;

namespace {

constexpr std::uint64_t most_entries = 100'000;  // of a map, looked through for a key

Error unknown_field(const Value& object, std::string_view name, const std::vector<std::string>& known) {
  std::string nearest;
  std::size_t least = 3;
  for (const auto& each : known)
    if (const auto distance = sym::edit_distance(name, each, 2); distance < least) {
      least = distance;
      nearest = each;
    }
  return {.code = Errc::bad_expression,
          .message = fmt::format("no field `{}` on `{}`{}", name, object.type->name(),
                                 nearest.empty() ? "" : fmt::format("; did you mean `{}`?", nearest)),
          .os_errno = 0,
          .hint = {}};
}

Value number(std::string_view type, std::uint64_t value) {
  return rust_from(rust_primitive(type), {.floating = false, .integer = static_cast<Int128>(value), .real = 0});
}

Result<RustView> list_of(const FrameView& frame, const Value& object) {
  auto view = rust_content(frame, object);
  if (view && view->shape == Shape::word && view->word.starts_with("<error"))
    return fail(Errc::bad_address, view->word);
  if (!view || (view->shape != Shape::list && view->shape != Shape::map))
    return fail(Errc::bad_expression, fmt::format("a `{}` has no elements", object.type->name()));
  return *std::move(view);
}

}  // namespace

Result<Value> rust_field(const FrameView& frame, const Value& object, std::string_view name) {
  Value value = object;
  std::vector<std::string> known;
  const std::string numbered = fmt::format("__{}", name);
  for (int hops = 0; hops < 16; ++hops) {
    if (value.is_problem()) return std::unexpected(value.problem);
    for (const auto& written : {std::string(name), numbered})
      if (auto member = rust_member(frame, value, written)) return *std::move(member);
    const auto view = rust_view(frame, value);
    if (view && view->shape != Shape::inner && view->shape != Shape::list)
      for (const auto& [part, each] : view->parts) {
        if (part == name) return each;
        known.push_back(part);
      }
    for (const auto& member : rust_whole(frame, value.type)->members()) known.push_back(member.name);
    const Type* type = rust_whole(frame, value.type);
    if (view && view->shape == Shape::inner) {
      value = view->parts[0].second;
    } else if (view && view->shape == Shape::fields && !view->parts.empty() && view->parts[0].first == "value" &&
               rust_pointer(frame, value)) {
      value = view->parts[0].second;  // Rc and Arc
    } else if (type->kind() == TypeKind::pointer) {
      TL_TRY(value, rust_dereference(frame, value));
    } else {
      break;
    }
  }
  return std::unexpected(unknown_field(object, name, known));
}

Result<Value> rust_method(const FrameView& frame, const Value& object, std::string_view name) {
  const auto view = rust_content(frame, object);
  if (view && (name == "len" || name == "is_empty")) {
    std::optional<std::uint64_t> count;
    if (view->shape == Shape::list || view->shape == Shape::map) count = view->count;
    if (!count && view->word.starts_with('"'))  // text: its bytes
      for (const auto* member : {"length", "len"})
        for (Value at = rust_peeled(frame, object); !count;) {
          if (const auto found = rust_member(frame, at, member)) count = rust_number(frame, *found);
          std::optional<Value> within;
          for (const auto* inner : {"vec", "inner"})
            if (!within) within = rust_member(frame, at, inner);
          if (!within) break;
          at = *within;
        }
    if (count) return name == "len" ? number("usize", *count) : number("bool", *count == 0 ? 1 : 0);
  }
  if (view && view->shape != Shape::inner)
    for (const auto& [method, variant] :
         {std::pair{"is_some", "Some"}, {"is_none", "None"}, {"is_ok", "Ok"}, {"is_err", "Err"}})
      if (name == method && rust_whole(frame, rust_peeled(frame, object).type)->variants() != nullptr)
        return number("bool", view->word == variant ? 1 : 0);
  return fail_hint(Errc::bad_expression, fmt::format("`{}()` is not called: expressions of Rust call nothing", name),
                   "len, is_empty, is_some, is_none, is_ok and is_err are read off the value");
}

Result<Value> rust_dereference(const FrameView& frame, const Value& pointer) {
  if (pointer.is_problem()) return std::unexpected(pointer.problem);
  const Type* type = pointer.type->strip();
  if (type->kind() == TypeKind::pointer) {
    TL_TRY(const auto at, pointer_bits(*frame.memory, pointer));
    const Type* target = type->target();
    if (target->strip()->kind() == TypeKind::void_ || target->strip()->kind() == TypeKind::function)
      return fail(Errc::bad_expression, fmt::format("`*` of a `{}`", pointer.type->name()));
    return in_memory(target, LoadAddr{at});
  }
  const auto view = rust_view(frame, pointer);
  if (view && view->shape == Shape::inner) return view->parts[0].second;
  if (view && view->shape == Shape::fields && view->parts.size() == 3 && view->parts[0].first == "value")
    return view->parts[0].second;
  return fail(Errc::bad_expression, fmt::format("`*` of a `{}`", pointer.type->name()));
}

Result<Value> rust_address(const Value& object) {
  if (object.is_problem()) return std::unexpected(object.problem);
  if (object.place != Value::Place::memory || object.bit_size != 0)
    return fail(Errc::bad_expression, fmt::format("`&` of what is {}", where(object)));
  return rust_from(object.type->pointer_to(),
                   {.floating = false, .integer = static_cast<Int128>(object.address.value), .real = 0});
}

Result<Value> rust_element(const FrameView& frame, const Value& object, const Value& index) {
  TL_TRY(const auto list, list_of(frame, object));
  const Value key = rust_peeled(frame, index);
  if (list.shape == Shape::map) {
    const std::string wanted = summary(frame, key);
    if (wanted.find("...") != std::string::npos)
      return fail(Errc::unsupported, fmt::format("the key {} is too long to be compared", wanted));
    for (std::uint64_t at = 0; at < std::min(list.count, most_entries); at += 1000) {
      TL_TRY(const auto page, list.page(at, std::min<std::uint64_t>(1000, list.count - at)));
      for (const RustView::Entry& entry : page)
        if (entry.key == wanted) return entry.value;
    }
    return fail(Errc::not_found,
                fmt::format("no entry for {}{}", wanted, list.count > most_entries ? " among the first 100000" : ""));
  }
  if (!is_integral(key.type->strip()))
    return fail(Errc::bad_expression, fmt::format("a `{}` is no index", key.type->name()));
  TL_TRY(const auto bytes, scalar_bytes(*frame.memory, key));
  const Int128 at = load_number(key.type->strip(), bytes).integer;
  if (at < 0 || at >= static_cast<Int128>(list.count))
    return fail(Errc::bad_expression, fmt::format("index {} is out of bounds: there are {}", text_of(at), list.count));
  TL_TRY(auto page, list.page(static_cast<std::uint64_t>(at), 1));
  if (page.empty()) return fail(Errc::not_available, "the element was not found");
  return std::move(page[0].value);
}

Result<Value> rust_slice(const FrameView& frame, const Value& object, std::optional<std::uint64_t> begin,
                         std::optional<std::uint64_t> end, bool inclusive) {
  TL_TRY(const auto list, list_of(frame, object));
  if (list.shape != Shape::list) return fail(Errc::bad_expression, "a map has no ranges");
  const std::uint64_t from = begin.value_or(0);
  const std::uint64_t to = end ? *end + (inclusive ? 1 : 0) : list.count;
  if (from > to || to > list.count)
    return fail(Errc::bad_expression, fmt::format("{}..{} is out of bounds: there are {}", from, to, list.count));
  const std::uint64_t count = to - from;
  if (list.count == 0) return fail(Errc::bad_expression, "there are no elements");
  TL_TRY(const auto first, list.page(count == 0 ? 0 : from, 1));
  if (first.empty() || first[0].value.place != Value::Place::memory)
    return fail(Errc::bad_expression, "elements that do not lie in a row have no ranges");
  const auto size = rust_whole(frame, first[0].value.type)->size().value_or(0);
  if (count > 1) {
    TL_TRY(const auto last, list.page(to - 1, 1));
    if (last.empty() || last[0].value.address.value - first[0].value.address.value != (count - 1) * size)
      return fail(Errc::bad_expression, "elements that do not lie in a row have no ranges");
  }
  return in_memory(first[0].value.type->array_of(count), first[0].value.address);
}

Result<Value> rust_path(const FrameView& frame, const FrameScope& scope, sym::DieRef function,
                        std::vector<std::string> parts) {
  sym::QualifiedName name;
  std::vector<std::string> module;  // of the function: its scopes without the function itself
  {
    const std::string whole = sym::qualified_name(function);
    std::size_t begin = 0;
    for (std::size_t at = whole.find("::"); at != std::string::npos && whole.find('<') > at;
         at = whole.find("::", begin)) {
      const auto part = whole.substr(begin, at - begin);
      if (!part.starts_with('{')) module.push_back(part);
      begin = at + 2;
    }
  }
  if (parts.size() > 1 && (parts[0] == "crate" || parts[0] == "self" || parts[0] == "super")) {
    std::vector<std::string> outer = module;
    if (parts[0] == "crate") outer.resize(std::min<std::size_t>(outer.size(), 1));
    if (parts[0] == "super" && !outer.empty()) outer.pop_back();
    parts.erase(parts.begin());
    parts.insert(parts.begin(), outer.begin(), outer.end());
  }
  name.parts = std::move(parts);
  const auto symbols = scope.find(name);
  for (const auto& symbol : symbols) {
    if (symbol.kind == sym::Symbol::Kind::variable)
      return symbol.declaration && !symbol.gone
                 ? Result<Value>(
                       fail(Errc::not_available, fmt::format("`{}` is declared here and defined nowhere", name.text())))
                 : variable_value(frame, symbol.die, symbol.type, symbol.gone);
    if (symbol.kind == sym::Symbol::Kind::enumerator && symbol.value)
      return rust_from(symbol.type, {.floating = false, .integer = static_cast<Int128>(*symbol.value), .real = 0});
  }
  // `Color::Green`: the enum is a type, and its variants are its own.
  if (name.parts.size() > 1) {
    sym::QualifiedName owner = name;
    const std::string last = owner.parts.back();
    owner.parts.pop_back();
    for (const auto& symbol : scope.find(owner)) {
      if (symbol.kind != sym::Symbol::Kind::type || symbol.type == nullptr) continue;
      for (const auto& each : symbol.type->strip()->enumerators())
        if (each.name == last)
          return rust_from(symbol.type, {.floating = false, .integer = static_cast<Int128>(each.value), .real = 0});
    }
  }
  if (!symbols.empty())
    return fail(Errc::bad_expression,
                fmt::format("`{}` is {}, not a value", name.text(),
                            symbols[0].kind == sym::Symbol::Kind::function ? "a function" : "a type"));
  const auto near = scope.similar(name.parts.back());
  return fail(Errc::not_found, fmt::format("no `{}` {}{}", name.text(), scope.place(),
                                           near.empty() ? "" : fmt::format("; did you mean `{}`?", near[0])));
}

}  // namespace trapline::eval
