// Files, and which visualisers fit a type.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <tuple>

#include "daemon/eval/frame_context.hpp"
#include "daemon/natvis/box.hpp"
#include "daemon/natvis/inside.hpp"

namespace trapline::natvis {

using eval::Value;
using sym::Type;
using sym::TypeKind;

Engine::Inside::Inside(Box box) : box_(box) {}

// ---- files

void Engine::Inside::set_files(std::vector<std::string> paths) {
  paths_ = std::move(paths);
  loaded_ = false;
  if (!paths_.empty()) reload();  // what is wrong with them is wanted now; the box waits until a value is looked at
}

void Engine::Inside::add_text(std::string name, std::string_view text) {
  given_.emplace_back(std::move(name), text);
  loaded_ = false;
}

void Engine::Inside::reload() {
  loaded_ = true;
  forget_types();
  files_.clear();
  on_disk_.clear();
  if (box_ == Box::with)
    for (const BoxFile& file : natvis::box()) read_text(std::string(file.name), file.text, true);
  for (const auto& [name, text] : given_) read_text(name, text, false);
  for (const std::string& path : paths_) {
    std::error_code none;
    if (!std::filesystem::is_directory(path, none)) {
      read_file(path);
      continue;
    }
    std::vector<std::string> inside;
    for (const auto& entry : std::filesystem::directory_iterator(path, none))
      if (entry.path().extension() == ".natvis") inside.push_back(entry.path().string());
    std::ranges::sort(inside);
    for (const std::string& file : inside) read_file(file);
    OnDisk folder{.path = path, .changed = std::filesystem::last_write_time(path, none), .size = 0, .readable = true};
    on_disk_.push_back(std::move(folder));
  }
  index();
}

namespace {

constexpr std::uintmax_t max_file = 16 << 20;

}  // namespace

void Engine::Inside::read_file(const std::string& path) {
  if (path.ends_with(".py")) {
    complaints.push_back(fmt::format("{}: Python printers are not read; natvis files are", path));
    return;
  }
  OnDisk file{.path = path};
  std::error_code error;
  file.changed = std::filesystem::last_write_time(path, error);
  file.size = error ? 0 : std::filesystem::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  if (!error && file.size <= max_file && stream && text << stream.rdbuf()) file.readable = true;
  if (error)
    complaints.push_back(fmt::format("{}: visualisers cannot be read: {}", path, error.message()));
  else if (file.size > max_file)
    complaints.push_back(fmt::format("{}: {} bytes are too many for a file of visualisers", path, file.size));
  else if (!file.readable && file.size != 0)
    complaints.push_back(fmt::format("{}: visualisers cannot be read", path));
  on_disk_.push_back(file);
  if (file.readable || file.size == 0) read_text(path, text.str(), false);
}

void Engine::Inside::read_text(std::string name, std::string_view text, bool from_box) {
  std::vector<Complaint> wrong;
  File file{.name = std::move(name), .from_box = from_box, .document = {}};
  if (!text.empty()) file.document = parse_document(text, wrong);
  for (const Complaint& each : wrong)
    complaints.push_back(fmt::format("{}:{}: {}: {}", file.name, each.line, each.element, each.reason));
  files_.push_back(std::move(file));
}

bool Engine::Inside::refresh() {
  for (const OnDisk& file : on_disk_) {
    std::error_code error;
    const auto changed = std::filesystem::last_write_time(file.path, error);
    const bool gone = static_cast<bool>(error);
    const bool folder = !gone && std::filesystem::is_directory(file.path, error);
    const auto size = gone || folder ? 0 : std::filesystem::file_size(file.path, error);
    if (gone == file.readable || (!gone && (changed != file.changed || size != file.size))) {
      reload();
      return true;
    }
  }
  return false;
}

void Engine::Inside::index() {
  by_name_.clear();
  std::size_t order = 0;
  for (const File& file : files_)
    for (const auto& visual : file.document.types)
      for (const TypeVisual::Named& name : visual->names)
        by_name_[name.pattern.last_name()].push_back({&file, visual.get(), &name, order++});
}

void Engine::Inside::forget_types() {
  uses_.clear();
  expansions_.clear();
  ++generation_;
}

void Engine::Inside::forget_memory() {
  expansions_.clear();
  pages_.reset();
  view_.memory = nullptr;
}

void Engine::Inside::look_at(const eval::FrameView& frame) {
  if (!loaded_) reload();
  std::vector<const sym::Module*> modules = eval::search_order(*frame.modules, nullptr);
  if (loaded_modules_.changed(modules)) {
    forget_types();  // types of a module that is gone are gone; what was only declared may be known now
    modules_ = std::move(modules);
  }
  binding_.modules = frame.modules;
  binding_.memory = frame.memory;
  if (frame.memory == pages_.get()) return;  // from within: what is looked through the cache already
  if (pages_ == nullptr || pages_->live() != frame.memory) {
    expansions_.clear();
    pages_ = std::make_unique<Pages>(*frame.memory);
  }
  view_ = frame;
  view_.memory = pages_.get();
}

// ---- types

// By the module's name as people know it: `libshapes.so` is libshapes.so.2.1 too. A type that is of no module is of
// none that has a name.
bool of_module(const Type* type, std::string_view name) {
  if (name.empty()) return true;
  if (!type->die()) return false;
  const std::string& path = type->die().module->path();
  const std::string_view base = std::string_view(path).substr(path.rfind('/') + 1);
  if (base.size() < name.size() || !std::ranges::equal(base.substr(0, name.size()), name, [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
      }))
    return false;
  return base.size() == name.size() || base[name.size()] == '.';
}

void Engine::Inside::add_uses(const Type* record, std::vector<const sym::Member*>& path,
                              std::vector<std::unique_ptr<TypeUse>>& out, int depth) {
  const TypePattern name = parse_name(record->name());
  struct Fit {
    Entry entry;
    std::vector<Capture> captures;
  };
  std::vector<Fit> fits;
  for (const std::string& key : {name.last_name(), std::string("*")})
    if (const auto entries = by_name_.find(key); entries != by_name_.end())
      for (const Entry& entry : entries->second) {
        if (!path.empty() && !entry.name->inheritable) continue;
        if (!of_module(record, entry.visual->guard.module)) continue;
        if (auto captures = match(entry.name->pattern, name, record)) fits.push_back({entry, *std::move(captures)});
      }
  // Exact beats wildcard, then Priority, then what says more; of equals the user's file, the later file, and within a
  // file the earlier type.
  const auto rank = [](const Fit& fit) {
    return std::tuple(fit.entry.name->pattern.exact(), fit.entry.name->priority, !fit.entry.file->from_box,
                      fit.entry.name->pattern.literals(), fit.entry.file);
  };
  const auto place = [&](const Fit& fit) {
    std::size_t n = 0;
    for (const File& file : files_) {
      if (&file == fit.entry.file) break;
      ++n;
    }
    return n;
  };
  std::ranges::sort(fits, [&](const Fit& a, const Fit& b) {
    const auto [ea, pa, ua, la, fa] = rank(a);
    const auto [eb, pb, ub, lb, fb] = rank(b);
    if (std::tuple(ea, pa, ua, la) != std::tuple(eb, pb, ub, lb))
      return std::tuple(ea, pa, ua, la) > std::tuple(eb, pb, ub, lb);
    if (fa != fb) return place(a) > place(b);
    return a.entry.order < b.entry.order;
  });
  for (Fit& fit : fits) {
    out.push_back(std::make_unique<TypeUse>(*fit.entry.file, *fit.entry.visual, record, std::move(fit.captures)));
    out.back()->path = path;
  }
  if (depth > 16) return;
  for (const sym::Member& member : record->members()) {
    if (member.kind != sym::Member::Kind::base && member.kind != sym::Member::Kind::virtual_base) continue;
    path.push_back(&member);
    add_uses(member.type->strip()->complete(modules_), path, out, depth + 1);
    path.pop_back();
  }
}

const std::vector<std::unique_ptr<TypeUse>>& Engine::Inside::uses(const Type* record) {
  const auto [entry, fresh] = uses_.try_emplace(record);
  if (fresh) {
    std::vector<std::unique_ptr<TypeUse>> found;
    std::vector<const sym::Member*> path;
    add_uses(record, path, found, 0);
    entry->second = std::move(found);
  }
  return entry->second;
}

std::optional<Engine::Inside::Seen> Engine::Inside::see(const Value& value) {
  if (value.is_problem() || value.raw) return std::nullopt;
  if (const auto* look = dynamic_cast<const SyntheticLook*>(value.visual.get())) {
    if (look->generation != generation_) return std::nullopt;
    return Seen{look->use, value, value, look->item};
  }
  const Type* record = value.type->strip();
  if (record->kind() != TypeKind::record) return std::nullopt;
  record = record->complete(modules_);
  for (const auto& use : uses(record)) {
    if (!in_view(use->visual.guard, value.view_name) || !usable(*use)) continue;
    Value subject = value;
    subject.type = record;
    for (const sym::Member* step : use->path) {
      auto part = eval::member_of(view_, subject, *step);
      if (!part) return std::nullopt;
      subject = *std::move(part);
    }
    subject.type = use->record;
    subject.view_name = value.view_name;
    return Seen{use.get(), std::move(subject), value, nullptr};
  }
  return std::nullopt;
}

// ---- intrinsics

Result<const eval::Intrinsic*> Engine::Inside::find(const Type* record, std::string_view name, std::size_t arguments) {
  std::optional<Error> wrong;
  for (const auto& use : uses(record)) {
    const auto try_all = [&](const std::vector<IntrinsicText>& texts) -> const eval::Intrinsic* {
      for (const IntrinsicText& text : texts) {
        if (text.name != name || text.parameters.size() != arguments || !of_module(use->record, text.module)) continue;
        auto found = use->intrinsic(binding_, this, text);
        if (found) return *found;
        if (!wrong && !text.optional) wrong = found.error();
      }
      return nullptr;
    };
    const eval::Intrinsic* found = try_all(use->visual.intrinsics);
    if (found == nullptr) found = try_all(use->file.document.intrinsics);
    if (found != nullptr) return use->through_bases(*found, record);
  }
  if (wrong) return std::unexpected(*wrong);
  return nullptr;
}

std::vector<std::string> Engine::Inside::names(const Type* record) {
  std::vector<std::string> out;
  for (const auto& use : uses(record))
    for (const IntrinsicText& text : use->visual.intrinsics)
      if (std::ranges::find(out, text.name) == out.end() && use->intrinsic(binding_, this, text))
        out.push_back(text.name);
  return out;
}

// ---- whether a visualiser's expressions mean something on its type

bool Engine::Inside::usable(TypeUse& use) {
  if (use.usable) return *use.usable;
  use.usable = false;  // while it is being asked: an expression may come back to the type
  const Reading on = reading(use);
  Result<void> fine = check(on, use.visual.displays);
  for (const StringView& each : use.visual.string_views)
    if (fine) fine = check(on, each.expression, use.record, {}, each.guard.optional);
  for (const MostDerived& each : use.visual.most_derived)
    if (fine) fine = check(on, each.expression, use.record, {}, each.guard.optional);
  if (fine && use.visual.expand) fine = check(on, *use.visual.expand);
  use.usable = fine.has_value();
  // In the box a type that does not fit has another entry for it; a user wants to know.
  if (!fine && !use.file.from_box && told_.insert(fine.error().message).second)
    complaints.push_back(fine.error().message);
  return *use.usable;
}

Result<void> Engine::Inside::check(const Reading& on, const Expression& expression, const Type* subject,
                                   const std::vector<Local>& locals, bool optional) {
  const Bound& bound = on.use.bind(on.binding, this, expression, subject, locals);
  if (bound.tree && expression.count) {
    const Bound& count = on.use.bind(on.binding, this, *expression.count, subject, locals);
    if (!count.tree && !optional)
      return fail(count.tree.error().code,
                  fmt::format("{}:{}: in the visualiser of {}: {}", on.use.file.name, expression.line,
                              on.use.visual.written, count.tree.error().message));
  }
  if (bound.tree || optional) return {};
  return fail(bound.tree.error().code,
              fmt::format("{}:{}: in the visualiser of {}, for {}: {}", on.use.file.name, expression.line,
                          on.use.visual.written, on.use.record->name(), bound.tree.error().message));
}

Result<void> Engine::Inside::check(const Reading& on, const Interpolated& text, const Type* subject,
                                   const std::vector<Local>& locals) {
  for (const auto& segment : text.segments)
    if (segment.expression && !stands_for_children(*segment.expression) &&
        on.use.symbol_of(*segment.expression) == nullptr)
      TL_TRY_VOID(check(on, *segment.expression, subject, locals, false));
  return {};
}

Result<void> Engine::Inside::check(const Reading& on, const std::vector<DisplayString>& displays) {
  for (const DisplayString& each : displays) {
    if (each.guard.optional) continue;
    if (!each.guard.symbol.empty()) {  // the rest can be read when it is known what stands there
      TL_TRY_VOID(check(on, each.guard.symbol, on.use.record, {}, false));
      continue;
    }
    if (!each.guard.condition.empty()) TL_TRY_VOID(check(on, each.guard.condition, on.use.record, {}, false));
    TL_TRY_VOID(check(on, each.text, on.use.record, {}));
  }
  return {};
}

Result<void> Engine::Inside::check(const Reading& on, const Expand& expand) {
  for (const Item& item : expand.items)
    if (!item.guard.optional) TL_TRY_VOID(check(on, item));
  return {};
}

Result<void> Engine::Inside::check(const Reading& on, const Item& item) {
  const Type* self = on.use.record;
  if (!item.guard.symbol.empty() && on.use.symbols.empty()) return check(on, item.guard.symbol, self, {}, false);
  if (!item.guard.condition.empty()) TL_TRY_VOID(check(on, item.guard.condition, self, {}, false));
  std::vector<Local> index;
  if (item.kind == Item::Kind::index_list || !item.rank.empty())
    index.push_back({"__natvis_i", sym::builtin(sym::Builtin::unsigned_long)});
  for (const Alternative& each : item.sizes) TL_TRY_VOID(check(on, each.expression, self, index, each.guard.optional));
  switch (item.kind) {
    case Item::Kind::item:
    case Item::Kind::expanded:
      TL_TRY_VOID(check(on, item.name, self, {}));
      return check(on, item.value, self, {}, false);
    case Item::Kind::synthetic:
      TL_TRY_VOID(check(on, item.displays));
      for (const StringView& each : item.string_views)
        TL_TRY_VOID(check(on, each.expression, self, {}, each.guard.optional));
      return item.expand ? check(on, *item.expand) : Result<void>();
    case Item::Kind::array:
    case Item::Kind::index_list:
      for (const Alternative& each : item.values)
        TL_TRY_VOID(check(on, each.expression, self, item.kind == Item::Kind::array ? std::vector<Local>{} : index,
                          each.guard.optional));
      return {};
    case Item::Kind::linked_list:
    case Item::Kind::tree: {
      TL_TRY_VOID(check(on, item.head, self, {}, false));
      TL_TRY(const Type* head, on.type_of(item.head, self));
      if (head->strip()->kind() != TypeKind::pointer)
        return fail(Errc::bad_expression,
                    fmt::format("{}:{}: in the visualiser of {}: HeadPointer is no pointer but {}", on.use.file.name,
                                item.head.line, on.use.visual.written, head->name()));
      const Type* node = head->strip()->target()->strip()->complete(modules_);
      TL_TRY_VOID(check(on, item.next, node, {}, false));
      if (item.kind == Item::Kind::tree) TL_TRY_VOID(check(on, item.right, node, {}, false));
      for (const Alternative& each : item.values)
        TL_TRY_VOID(check(on, each.expression, node, {}, each.guard.optional));
      return {};
    }
    case Item::Kind::custom_list: {
      std::vector<Local> locals;
      for (const Variable& variable : item.variables) {
        TL_TRY_VOID(check(on, variable.initial, self, locals, false));
        TL_TRY(const Type* type, on.type_of(variable.initial, self, locals));
        locals.push_back({variable.name, type->unqualified()});
      }
      if (!item.skip_variable.empty() && std::ranges::find(locals, item.skip_variable, &Local::name) == locals.end())
        locals.push_back({item.skip_variable, sym::builtin(sym::Builtin::unsigned_int)});
      for (const auto* code : {&item.code, &item.skip})
        for (const Instruction& each : *code)
          if (each.expression) TL_TRY_VOID(check(on, *each.expression, self, locals, false));
      return {};
    }
  }
  return {};
}

}  // namespace trapline::natvis
