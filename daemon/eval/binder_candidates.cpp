// Which function a call means: candidates by name, in the class or by argument-dependent lookup, and the best of them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Member;
using sym::Method;
using sym::Symbol;
using sym::Type;
using sym::TypeKind;

// Parameters as the user writes them: without `this`.
std::vector<const Type*> written_parameters(const Type* function) {
  std::vector<const Type*> types;
  for (const sym::Parameter& parameter : function->parameters())
    if (!parameter.artificial) types.push_back(parameter.type);
  return types;
}

std::string signature(const std::string& name, const Type* function) {
  std::vector<std::string> parameters;
  for (const Type* type : written_parameters(function)) parameters.push_back(type->name());
  if (function->variadic()) parameters.emplace_back("...");
  return fmt::format("{}({})", name, fmt::join(parameters, ", "));
}

namespace {

// "ns::inner::Class<a::b>" -> {"ns", "inner"}
std::vector<std::string> namespaces_of(const std::string& name) {
  std::vector<std::string> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 1 < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (name[i] == '>' || name[i] == ')') --depth;
    if (depth == 0 && name[i] == ':' && name[i + 1] == ':') {
      parts.push_back(name.substr(begin, i - begin));
      begin = ++i + 1;
    }
  }
  return parts;
}

const Type* record_behind(const Type* type) {
  type = type->strip();
  if (type->kind() == TypeKind::pointer) type = type->target()->strip();
  return is_record(type) || is_enumeration(type) ? type : nullptr;
}

}  // namespace

Binder::Candidate Binder::candidate_of(const Symbol& symbol) const {
  Candidate made;
  made.name = symbol.name;
  made.type = symbol.type;
  made.die = symbol.die;
  made.linkage = sym::linkage_name_of(symbol.die);
  return made;
}

// Of that name in the class, or in the bases that it inherits it from; a derived class's hide its bases'.
void Binder::methods_named(const Type* record, const std::string& name, std::vector<const Member*>& path,
                           std::vector<Candidate>& out, int depth) const {
  if (depth > 32) return;
  record = complete(record);
  const std::size_t before = out.size();
  for (const Method& method : sym::methods_of(record)) {
    const bool instance =
        method.name.starts_with(name + "<") && name.find('<') == std::string::npos && !name.starts_with("operator");
    if ((method.name != name && !instance) || method.deleted) continue;
    Candidate made;
    made.instance = instance;
    made.name = record->name() + "::" + method.name;
    made.type = method.type;
    made.die = method.die;
    made.linkage = method.linkage_name;
    made.object = method.object;
    made.record = record;
    made.path = path;
    if (method.is_virtual) made.slot = method.slot;
    if (method.object) {
      const Type* self = method.type->parameters()[0].type->strip();
      made.constant = self->kind() == TypeKind::pointer && self->target()->is_const();
    }
    out.push_back(std::move(made));
  }
  if (out.size() > before) return;
  for (const Member& member : record->members()) {
    if (member.kind == Member::Kind::field && member.name == name) return;
    if (member.kind != Member::Kind::base && member.kind != Member::Kind::virtual_base) continue;
    path.push_back(&member);
    methods_named(member.type, name, path, out, depth + 1);
    path.pop_back();
  }
}

// Free functions of that name: where the name is looked up, and in the namespaces of the arguments' types.
void Binder::functions_named(const sym::QualifiedName& name, const std::vector<NodePtr>& arguments,
                             std::vector<Candidate>& out) const {
  const auto add = [&](const std::vector<Symbol>& found) {
    for (const Symbol& symbol : found) {
      if (symbol.kind != Symbol::Kind::function || symbol.type == nullptr || sym::member_of(symbol.die).object)
        continue;
      Candidate made = candidate_of(symbol);
      made.instance = name.parts.back().find('<') == std::string::npos && !name.parts.back().starts_with("operator") &&
                      symbol.name.ends_with('>');
      const auto same = std::ranges::find_if(out, [&](const Candidate& known) {
        return known.linkage.empty() && made.linkage.empty()
                   ? known.name == made.name && same_type(known.type, made.type)
                   : known.linkage == made.linkage;
      });
      if (same == out.end())
        out.push_back(std::move(made));
      else if (!sym::code_address(same->die) && sym::code_address(made.die))
        *same = std::move(made);
    }
  };
  add(scope_.find(name));
  if (name.parts.size() != 1 || name.global || !name.file.empty()) return;
  for (const NodePtr& argument : arguments) {
    const Type* record = record_behind(argument->type);
    if (record == nullptr) continue;
    sym::QualifiedName there{.parts = namespaces_of(record->name()), .global = true, .file = {}};
    if (there.parts.empty()) continue;
    there.parts.push_back(name.parts[0]);
    add(scope_.find(there));
  }
}

// ---- resolution

namespace {

// Whether a parameter may be of a type that a template's arguments decide: then no conversion was meant
// ([temp.deduct]), and another instance would be. DWARF has the arguments and not the template, so what looks like one
// counts as one.
bool is_deduced(const Type* parameter, const std::string& instance) {
  const Type* plain = parameter->strip();
  while (plain->kind() == TypeKind::pointer || plain->is_reference() || plain->kind() == TypeKind::array)
    plain = plain->target()->strip();
  const std::string name = plain->name();
  const std::string arguments =
      instance.substr(std::min(instance.find('<', instance.rfind("::") + 1), instance.size()));
  return arguments.find(name) != std::string::npos || name.find('<') != std::string::npos;
}

std::string given(const std::vector<NodePtr>& arguments) {
  std::vector<std::string> types;
  for (const NodePtr& argument : arguments) types.push_back(argument->type->name());
  return fmt::format("({})", fmt::join(types, ", "));
}

}  // namespace

std::optional<std::vector<Conversion>> Binder::conversions(const Candidate& candidate, const Node* object,
                                                           const std::vector<NodePtr>& arguments) const {
  const Classes classes{
      .complete = [this](const Type* type) { return complete(type); },
      .steps_to_base = [this](const Type* derived, const Type* base) { return path_to_base(derived, base).size(); },
      .holds_text = [this](const Type* record,
                           const Type* character) { return holds_text(complete(record), character); }};
  const auto parameters = written_parameters(candidate.type);
  const bool open = candidate.type->variadic() || (!candidate.type->prototyped() && parameters.empty());
  if (arguments.size() < parameters.size() || (arguments.size() > parameters.size() && !open)) return std::nullopt;
  std::vector<Conversion> row;
  if (object != nullptr) {
    Conversion self;
    if (candidate.object) {
      if (object->type->is_const() && !candidate.constant) return std::nullopt;
      self.worse = static_cast<std::uint8_t>((candidate.constant && !object->type->is_const() ? 1 : 0) +
                                             std::min<std::size_t>(candidate.path.size() * 2, 100));
    }
    row.push_back(self);
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i >= parameters.size()) {
      row.push_back(ellipsis_conversion());
      continue;
    }
    const auto way = conversion_to(*arguments[i], parameters[i], classes);
    if (!way || (candidate.instance && way->rank != Rank::exact && is_deduced(parameters[i], candidate.name)))
      return std::nullopt;
    row.push_back(*way);
  }
  return row;
}

std::unexpected<Error> Binder::none_fits(const std::string& name, const std::vector<Candidate>& all,
                                         const std::vector<NodePtr>& arguments, const Syntax& syntax) const {
  std::vector<std::string> shown;
  bool too_few = false, needs_class = false;
  for (const Candidate& each : all) {
    const auto parameters = written_parameters(each.type);
    too_few = too_few || arguments.size() < parameters.size();
    for (std::size_t i = 0; i < std::min(parameters.size(), arguments.size()); ++i) {
      const Type* wanted = parameters[i]->is_reference() ? parameters[i]->strip()->target() : parameters[i];
      needs_class = needs_class || (is_record(wanted) && !is_record(arguments[i]->type));
    }
    if (shown.size() < 8) shown.push_back(signature(each.name, each.type));
  }
  std::string message =
      all.size() == 1 ? fmt::format("`{}`: {} cannot be called with {}", written(syntax), shown[0], given(arguments))
                      : fmt::format("`{}`: no `{}` can be called with {}: {}", written(syntax), name, given(arguments),
                                    fmt::join(shown, "; "));
  std::string hint;
  if (too_few)
    hint = "give every argument: debug information does not hold default ones";
  else if (needs_class)
    hint = "an object of class type would need its constructor, which is not run from here: name one of the program's";
  return fail_hint(Errc::bad_expression, std::move(message), std::move(hint));
}

// Among equals a function that is no template's instance is meant ([over.match.best]).
std::optional<std::size_t> Binder::best_without_templates(const std::vector<std::vector<Conversion>>& rows,
                                                          const std::vector<const Candidate*>& viable) {
  std::vector<std::vector<Conversion>> plain;
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!viable[i]->instance) {
      plain.push_back(rows[i]);
      which.push_back(i);
    }
  const auto best = best_of(plain);
  if (!best) return std::nullopt;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t at = 0; at < rows[i].size(); ++at)
      if (viable[i]->instance && rows[i][at] < plain[*best][at]) return std::nullopt;
  return which[*best];
}

Result<NodePtr> Binder::resolved_call(const std::string& name, const std::vector<Candidate>& all, NodePtr object,
                                      std::vector<NodePtr> arguments, bool direct, const Syntax& syntax) {
  std::vector<std::vector<Conversion>> rows;
  std::vector<const Candidate*> viable;
  for (const Candidate& each : all)
    if (auto row = conversions(each, object.get(), arguments)) {
      rows.push_back(*std::move(row));
      viable.push_back(&each);
    }
  if (viable.empty()) return none_fits(name, all, arguments, syntax);
  auto best = best_of(rows);
  if (!best && viable.size() > 1) {
    // Declarations of one function in several units are one.
    const bool one = std::ranges::all_of(
        viable, [&](const Candidate* each) { return !each->linkage.empty() && each->linkage == viable[0]->linkage; });
    if (one) best = 0;
  }
  if (!best) best = best_without_templates(rows, viable);
  if (!best) {
    std::vector<std::string> shown;
    for (const Candidate* each : viable) shown.push_back(signature(each->name, each->type));
    return bad(syntax, fmt::format("the call is ambiguous: {}", fmt::join(shown, "; ")));
  }
  return call_of(*viable[*best], std::move(object), std::move(arguments), direct, syntax);
}

}  // namespace trapline::eval
