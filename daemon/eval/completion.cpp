#include "daemon/eval/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "daemon/eval/binder.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/intrinsics.hpp"
#include "daemon/eval/scope.hpp"
#include "daemon/eval/visualizer.hpp"

namespace trapline::eval {

using sym::Member;
using sym::Type;
using sym::TypeKind;

namespace {

bool in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0; }

// The cursor stands within a string or character literal.
bool in_literal(std::string_view before) {
  char quote = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const char c = before[i];
    if (quote != 0) {
      if (c == '\\')
        ++i;
      else if (c == quote)
        quote = 0;
    } else if (c == '"' || (c == '\'' && (i == 0 || std::isdigit(static_cast<unsigned char>(before[i - 1])) == 0))) {
      quote = c;
    }
  }
  return quote != 0;
}

std::size_t without_blanks(std::string_view text, std::size_t end) {
  while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
  return end;
}

using Found = std::map<std::string, Candidate>;

void add(Found& found, std::string_view prefix, Candidate candidate) {
  if (candidate.text.empty() || !candidate.text.starts_with(prefix)) return;
  if (!std::ranges::all_of(candidate.text, [](char c) { return in_word(c) || c == '$' || c == '~'; })) return;
  std::string name = candidate.text;
  found.try_emplace(std::move(name), std::move(candidate));
}

void add_members(const Scope& scope, const Type* record, std::string_view prefix, Found& found, int depth) {
  if (depth > 16) return;
  for (const Member& member : scope.complete(record->strip())->members()) {
    const bool base = member.kind == Member::Kind::base || member.kind == Member::Kind::virtual_base;
    if (!base && !member.artificial) add(found, prefix, {member.name, Candidate::Kind::member, member.type->name()});
    if (base || member.name.empty()) add_members(scope, member.type, prefix, found, depth + 1);
  }
}

void after_dot(const FrameScope& scope, std::string_view operand, bool arrow, std::string_view prefix, Found& found) {
  const std::string text = arrow ? fmt::format("*({})", operand) : std::string(operand);
  const auto syntax = parse(text, scope);
  if (!syntax) return;
  const auto node = bind(**syntax, text, scope, {.side_effects = false});
  if (!node) return;
  const Type* type = (*node)->type;
  if (type->is_reference()) type = type->strip()->target();
  // A dot after a pointer is read as the arrow.
  if (!arrow && type->strip()->kind() == TypeKind::pointer) type = type->strip()->target();
  if (type->strip()->kind() != TypeKind::record) return;
  add_members(scope, type, prefix, found, 0);
  if (Intrinsics* known = scope.intrinsics())
    for (const std::string& name : known->names(scope.complete(type->strip())))
      add(found, prefix, {name, Candidate::Kind::member, ""});
}

void after_scope(const FrameScope& scope, std::string_view outer, std::string_view prefix, Found& found) {
  sym::QualifiedName name;
  for (std::size_t at = 0; at < outer.size();) {
    int depth = 0;
    std::size_t end = at;
    for (; end < outer.size() && (depth > 0 || outer.substr(end, 2) != "::"); ++end) {
      if (outer[end] == '<') ++depth;
      if (outer[end] == '>') --depth;
    }
    if (end == 0)
      name.global = true;
    else
      name.parts.emplace_back(outer.substr(at, end - at));
    at = end + 2;
  }
  for (const sym::Symbol& symbol : scope.find(name)) {
    if (symbol.kind != sym::Symbol::Kind::type) continue;
    const Type* type = scope.complete(symbol.type->strip());
    for (const sym::Enumerator& e : type->enumerators())
      add(found, prefix, {e.name, Candidate::Kind::enumerator, type->name()});
    if (type->kind() == TypeKind::record) add_members(scope, type, prefix, found, 0);
  }
  for (const std::string& inner : scope.within(name, 10000)) add(found, prefix, {inner, Candidate::Kind::name, ""});
}

void registers(std::string_view prefix, Found& found) {
  std::vector<std::string> names{"pc",  "sp",  "fp",  "rip", "rax",    "rbx",     "rcx",     "rdx",  "rsi",
                                 "rdi", "rbp", "rsp", "r8",  "r9",     "r10",     "r11",     "r12",  "r13",
                                 "r14", "r15", "eax", "ebx", "eflags", "fs_base", "gs_base", "mxcsr"};
  for (int i = 0; i < 16; ++i)
    for (const char* bank : {"xmm", "ymm"}) names.push_back(fmt::format("{}{}", bank, i));
  for (const std::string& name : names)
    if (const auto facts = register_facts(name))
      add(found, prefix, {"$" + name, Candidate::Kind::register_, facts->type->name()});
}

}  // namespace

std::size_t operand_begin(std::string_view text, std::size_t end) {
  std::size_t at = without_blanks(text, end);
  bool wants_operand = true;  // `.` and `->` go on to the left
  while (at > 0) {
    const char c = text[at - 1];
    if (c == ')' || c == ']') {
      const char open = c == ')' ? '(' : '[';
      int depth = 0;
      std::size_t from = at;
      for (; from > 0; --from) {
        if (text[from - 1] == c) ++depth;
        if (text[from - 1] == open && --depth == 0) break;
      }
      if (from == 0) return end;
      at = from - 1;
      // f(x) and v[i] go on with what they apply to; (x) may stand alone.
      const std::size_t left = without_blanks(text, at);
      wants_operand = left > 0 && (in_word(text[left - 1]) || text[left - 1] == ']' || text[left - 1] == ')');
      if (!wants_operand && c == ']') return end;
      if (wants_operand) continue;
    } else if (wants_operand && in_word(c)) {
      while (at > 0 && (in_word(text[at - 1]) || text[at - 1] == '$')) --at;
      wants_operand = false;
    } else if (wants_operand) {
      return end;
    }
    const std::string_view left = text.substr(0, at);
    if (left.ends_with("->") || left.ends_with("::"))
      at -= 2;
    else if (left.ends_with("."))
      --at;
    else
      break;
    wants_operand = true;
    if (at == 0) break;
  }
  return at;
}

Completions complete(const FrameView& frame, std::string_view text, std::size_t cursor, std::size_t limit) {
  cursor = std::min(cursor, text.size());
  const std::string_view before = text.substr(0, cursor);
  std::size_t start = cursor;
  while (start > 0 && in_word(before[start - 1])) --start;
  if (start > 0 && before[start - 1] == '$') --start;
  Completions out{.start = start, .length = cursor - start, .items = {}};
  const std::string_view prefix = before.substr(start);
  if (in_literal(before) || (!prefix.empty() && std::isdigit(static_cast<unsigned char>(prefix[0])) != 0)) return out;
  const FramePlace place = place_of(frame);
  const FrameScope scope(*frame.modules, place.scope, place.module, place.file_pc,
                         frame.visualizers != nullptr ? frame.visualizers->intrinsics(frame) : nullptr);
  Found found;
  const std::size_t end = without_blanks(before, start);
  const std::string_view left = before.substr(0, end);
  if (prefix.starts_with('$')) {
    registers(prefix, found);
  } else if (left.ends_with("::")) {
    const std::size_t from = operand_begin(left, end - 2);
    after_scope(scope, left.substr(from, end - 2 - from), prefix, found);
  } else if (left.ends_with("->") || (left.ends_with('.') && end > 1)) {
    const bool arrow = left.ends_with("->");
    const std::size_t operand = end - (arrow ? 2 : 1), from = operand_begin(left, operand);
    if (from < operand) after_dot(scope, left.substr(from, operand - from), arrow, prefix, found);
  } else {
    for (const std::string& name : scope.visible(prefix, 10000)) add(found, prefix, {name, Candidate::Kind::name, ""});
    for (const char* word :
         {"sizeof", "static_cast", "reinterpret_cast", "dynamic_cast", "const_cast", "nullptr", "true", "false"})
      if (!prefix.empty()) add(found, prefix, {word, Candidate::Kind::name, ""});
    if (scope.this_variable()) add(found, prefix, {"this", Candidate::Kind::name, ""});
  }
  for (auto& [name, candidate] : found)
    if (out.items.size() < limit) out.items.push_back(std::move(candidate));
  return out;
}

}  // namespace trapline::eval
