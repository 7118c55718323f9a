#include "daemon/natvis/type_use.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "daemon/eval/binder.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/parser.hpp"

namespace trapline::natvis {

namespace {

// `$T1` would be a register to the expression's lexer; it becomes a name that only this scope knows.
constexpr std::string_view marker = "__natvis_";

std::string restored(std::string text) {
  for (std::size_t at = 0; (at = text.find(marker, at)) != std::string::npos;) text.replace(at, marker.size(), "$");
  return text;
}

// 0: no number that counts something.
std::size_t ordinal(std::string_view digits) {
  std::size_t n = 0;
  for (const char c : digits) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0 || n > 1000) return 0;
    n = n * 10 + static_cast<std::size_t>(c - '0');
  }
  return n;
}

class VisualScope final : public eval::FrameScope {
 public:
  VisualScope(const eval::FrameView& frame, const sym::Type* subject, const std::vector<Local>& locals,
              const TypeUse& use, eval::Intrinsics* intrinsics, NamesFound& found)
      : FrameScope(*frame.modules, subject->die(), module_of(frame, subject), 0, intrinsics),
        subject_(subject),
        locals_(locals),
        use_(use),
        found_(found) {
    if (subject->strip()->kind() == sym::TypeKind::record) look_from(subject->strip());
  }

  std::vector<sym::Symbol> find(const sym::QualifiedName& name) const override {
    if (name.parts.size() == 1 && name.parts[0].starts_with(marker)) return captured(name.parts[0]);
    const bool inside =
        std::ranges::any_of(name.parts, [](const std::string& part) { return part.find(marker) != std::string::npos; });
    if (!inside) {
      const auto [known, fresh] = found_.try_emplace({subject_, name.text()});
      if (fresh) known->second = FrameScope::find(name);
      return known->second;
    }
    sym::QualifiedName plain = name;
    for (std::string& part : plain.parts) part = spelled(part);
    return FrameScope::find(plain);
  }
  // Most names are members: these are not looked for in the whole program.
  bool is_type(const sym::QualifiedName& name) const override {
    if (name.parts.size() == 1 && !name.global && no_type(name.parts[0])) return false;
    return FrameScope::is_type(name);
  }
  const sym::Type* subject() const override { return subject_; }
  std::optional<Slot> slot(std::string_view name) const override {
    for (std::size_t i = 0; i < locals_.size(); ++i)
      if (locals_[i].name == name) return Slot{i, locals_[i].type};
    return std::nullopt;
  }
  std::string place() const override { return fmt::format("in {}", subject_->name()); }

 private:
  static const image::MappedModule* module_of(const eval::FrameView& frame, const sym::Type* type) {
    return type->die() ? eval::mapped(frame, type->die().module) : nullptr;
  }
  bool no_type(const std::string& name) const {
    if (slot(name)) return true;
    const auto named = [&](const IntrinsicText& text) { return text.name == name; };
    if (std::ranges::any_of(use_.visual.intrinsics, named)) return true;
    if (std::ranges::any_of(use_.file.document.intrinsics, named)) return true;
    return subject_->strip()->kind() == sym::TypeKind::record && sym::has_field(subject_->strip(), name);
  }
  const Capture* capture(std::string_view name) const {
    if (!name.starts_with(marker) || name.size() <= marker.size() + 1) return nullptr;
    const char kind = name[marker.size()];
    if (kind != 'T' && kind != 'S') return nullptr;
    const std::vector<Capture>& from = kind == 'T' ? use_.captures : use_.symbols;
    const std::size_t n = ordinal(name.substr(marker.size() + 1));
    return n == 0 || n > from.size() ? nullptr : &from[n - 1];
  }
  std::vector<sym::Symbol> captured(const std::string& name) const {
    const Capture* what = capture(name);
    const sym::Type* type = what != nullptr ? what->type : base(std::string_view(name).substr(marker.size()));
    if (type == nullptr) return {};
    sym::Symbol symbol;
    symbol.kind = sym::Symbol::Kind::type;
    symbol.name = type->name();
    symbol.type = type;
    return {symbol};
  }
  // $B2: the type of the second base, which templates of a library derive from under names nobody writes.
  const sym::Type* base(std::string_view name) const {
    if (!name.starts_with('B') || subject_->strip()->kind() != sym::TypeKind::record) return nullptr;
    std::size_t left = ordinal(name.substr(1));
    for (const sym::Member& member : subject_->strip()->members())
      if (member.kind == sym::Member::Kind::base || member.kind == sym::Member::Kind::virtual_base)
        if (--left == 0) return member.type;
    return nullptr;
  }
  // std::vector<__natvis_T1>: as the type is called.
  std::string spelled(const std::string& part) const {
    std::string out;
    for (std::size_t i = 0; i < part.size();) {
      std::size_t end = i;
      while (end < part.size() && (std::isalnum(static_cast<unsigned char>(part[end])) != 0 || part[end] == '_')) ++end;
      if (end == i) {
        out += part[i++];
        continue;
      }
      const std::string word = part.substr(i, end - i);
      const Capture* what = capture(word);
      out += what == nullptr ? word : what->text;
      i = end;
    }
    return out;
  }

  const sym::Type* subject_;
  const std::vector<Local>& locals_;
  const TypeUse& use_;
  NamesFound& found_;
};

}  // namespace

std::string prepared(std::string_view text, const std::vector<Capture>& captures, const std::vector<Capture>& symbols) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    std::size_t end = i + 1;
    while (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end])) != 0) ++end;
    const std::string_view word = text.substr(i + 1, end - i - 1);
    std::size_t n = 0;
    const bool symbol = word.starts_with('S');
    const std::vector<Capture>& known = symbol ? symbols : captures;
    const bool argument = word.size() > 1 && word.size() < 5 && (symbol || word[0] == 'T') &&
                          std::ranges::all_of(word.substr(1), [&](unsigned char c) {
                            n = n * 10 + (c - static_cast<std::size_t>('0'));
                            return std::isdigit(c) != 0;
                          });
    if (argument && n >= 1 && n <= known.size()) {
      const bool qualifies = text.substr(end).starts_with("::");
      if (known[n - 1].type != nullptr && !qualifies)
        out += fmt::format("{}{}{}", marker, word[0], n);
      else
        out += known[n - 1].text;
    } else if (word == "i" || (word.starts_with('B') && ordinal(word.substr(1)) > 0)) {
      out += fmt::format("{}{}", marker, word);
    } else {
      out += '$';
      continue;
    }
    i = end - 1;
  }
  return out;
}

TypeUse& TypeUse::with_symbols(std::vector<Capture> found) {
  std::string key;
  for (const Capture& each : found) key += fmt::format("{}\n{}\n", each.text, fmt::ptr(each.type));
  std::unique_ptr<TypeUse>& kept = with_symbols_[key];
  if (kept == nullptr) {
    kept = std::make_unique<TypeUse>(file, visual, record, captures);
    kept->symbols = std::move(found);
    kept->origin = this;
    kept->path = path;
    kept->usable = true;
  }
  return *kept;
}

const Capture* TypeUse::symbol_of(const Expression& expression) const {
  if (!expression.text.starts_with("$S")) return nullptr;
  const std::size_t n = ordinal(std::string_view(expression.text).substr(2));
  return n == 0 || n > symbols.size() ? nullptr : &symbols[n - 1];
}

const sym::Type* TypeUse::type_named(const eval::FrameView& frame, eval::Intrinsics* intrinsics,
                                     const std::string& name) {
  const std::vector<Local> none;
  const VisualScope scope(frame, record, none, *this, intrinsics, found_);
  const auto syntax = eval::parse_type(name, scope);
  if (!syntax) return nullptr;
  const auto type = eval::bind_type(*syntax, name, scope);
  return type ? *type : nullptr;
}

Result<std::shared_ptr<const eval::Node>> TypeUse::bind_text(const eval::FrameView& frame, eval::Intrinsics* intrinsics,
                                                             const std::string& text, const sym::Type* subject,
                                                             const std::vector<Local>& locals) {
  const VisualScope scope(frame, subject, locals, *this, intrinsics, found_);
  const std::string plain = prepared(text, captures, symbols);
  const auto told = [&](Error error) {
    error.message = restored(std::move(error.message));
    return std::unexpected(std::move(error));
  };
  auto syntax = eval::parse(plain, scope);
  if (!syntax) return told(syntax.error());
  auto node = eval::bind(**syntax, plain, scope, {});
  if (!node) return told(node.error());
  return std::shared_ptr<const eval::Node>(std::move(*node));
}

const Bound& TypeUse::bind(const eval::FrameView& frame, eval::Intrinsics* intrinsics, const Expression& expression,
                           const sym::Type* subject, const std::vector<Local>& locals) {
  const auto [entry, fresh] = bound_.try_emplace({&expression, subject});
  if (!fresh) return entry->second;
  auto tree = bind_text(frame, intrinsics, expression.text, subject, locals);
  Bound& bound = bound_[{&expression, subject}];  // binding may have bound others meanwhile
  bound.tree = std::move(tree);
  if (bound.tree) bound.pointer = pointer_chain(**bound.tree);
  return bound;
}

Result<const eval::Intrinsic*> TypeUse::intrinsic(const eval::FrameView& frame, eval::Intrinsics* all,
                                                  const IntrinsicText& text) {
  if (const auto known = intrinsics_.find(&text); known != intrinsics_.end()) {
    if (!known->second) return std::unexpected(known->second.error());
    return known->second->get();
  }
  if (!in_progress_.insert(&text).second)
    return fail(Errc::unsupported, fmt::format("the intrinsic `{}` is defined by itself", text.name));
  const auto make = [&]() -> Result<std::unique_ptr<eval::Intrinsic>> {
    auto out = std::make_unique<eval::Intrinsic>();
    out->name = text.name;
    std::vector<Local> parameters;
    for (const auto& parameter : text.parameters) {
      const VisualScope scope(frame, record, parameters, *this, all, found_);
      const std::string written = prepared(parameter.type, captures);
      TL_TRY(const eval::TypeSyntax syntax, eval::parse_type(written, scope));
      TL_TRY(const sym::Type* type, eval::bind_type(syntax, written, scope));
      out->parameters.push_back(type);
      parameters.push_back({parameter.name, type});
    }
    TL_TRY(out->body, bind_text(frame, all, text.body.text, record, parameters));
    return out;
  };
  auto made = make();
  in_progress_.erase(&text);
  if (!made)
    made.error().message = fmt::format("`{}` of {} ({}:{}): {}", text.name, record->name(), file.name, text.body.line,
                                       made.error().message);
  const auto kept = intrinsics_.emplace(&text, std::move(made)).first;
  if (!kept->second) return std::unexpected(kept->second.error());
  return kept->second->get();
}

const eval::Intrinsic* TypeUse::through_bases(const eval::Intrinsic& what, const sym::Type* derived) {
  if (path.empty()) return &what;
  auto& kept = inherited_[&what];
  if (kept != nullptr) return kept.get();
  const auto node = [&](eval::NodeKind kind, const sym::Type* type) {
    auto made = std::make_unique<eval::Node>();
    made->kind = kind;
    made->type = type;
    made->lvalue = true;
    made->text = what.name;
    return made;
  };
  eval::NodePtr object = node(eval::NodeKind::subject, derived);
  for (const sym::Member* step : path) {
    auto base = node(eval::NodeKind::base, step->type);
    base->member = step;
    base->kids.push_back(std::move(object));
    object = std::move(base);
  }
  auto body = node(eval::NodeKind::inlined, what.body->type);
  body->lvalue = what.body->lvalue;
  body->body = what.body;
  body->kids.push_back(std::move(object));
  for (std::size_t i = 0; i < what.parameters.size(); ++i) {
    auto argument = node(eval::NodeKind::slot, what.parameters[i]);
    argument->offset = static_cast<std::int64_t>(i);
    body->kids.push_back(std::move(argument));
  }
  kept = std::make_unique<eval::Intrinsic>(
      eval::Intrinsic{.name = what.name, .parameters = what.parameters, .body = std::move(body)});
  return kept.get();
}

}  // namespace trapline::natvis
