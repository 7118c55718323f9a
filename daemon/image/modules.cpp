// What is mapped where. The kernel's auxiliary vector gives the program, its loader and the vdso at the first
// instruction after exec, long before there is a link map; the link map gives the rest.
#include "daemon/image/modules.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "daemon/image/modules_impl.hpp"
#include "daemon/util/rooted.hpp"

namespace trapline::image {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t max_image = std::uint64_t{64} << 20;

const os::Mapping* mapping_at(const std::vector<os::Mapping>& maps, LoadAddr at) {
  const auto found = std::ranges::find_if(maps, [&](const os::Mapping& m) { return m.range.contains(at); });
  return found == maps.end() ? nullptr : &*found;
}

// The lowest mapping of the file that `at` lies in, of those that belong together (one library's segments).
const os::Mapping* first_mapping(const std::vector<os::Mapping>& maps, LoadAddr at) {
  const auto* here = mapping_at(maps, at);
  if (!here || here->inode == 0) return here;
  const os::Mapping* first = here;
  for (const auto* m = here; m >= maps.data(); --m) {
    if (m->inode == here->inode && m->path == here->path) {
      first = m;
      if (m->offset == 0) break;
    } else if (m->inode != 0) {
      break;
    }
  }
  return first;
}

std::uint64_t lowest_address(const sym::Module& module) {
  return module.segments().empty() ? 0 : module.segments().front().range.begin / page * page;
}

LoadRange mapped_range(const sym::Module& module, std::uint64_t bias) {
  if (module.segments().empty()) return {};
  std::uint64_t end = 0;
  for (const auto& segment : module.segments()) end = std::max(end, segment.range.end);
  return {{lowest_address(module) + bias}, {(end + page - 1) / page * page + bias}};
}

// An ELF image put together from memory, for code whose file is out of reach (deleted, another mount namespace). It
// has no section headers: segments and unwind tables, but no symbols.
std::vector<std::byte> image_from_memory(LoadAddr base, const util::Memory& memory) {
  const auto header = memory.get<Elf64_Ehdr>(base);
  if (!header || !std::equal(header->e_ident, header->e_ident + SELFMAG, ELFMAG) ||
      header->e_phentsize != sizeof(Elf64_Phdr))
    return {};
  std::vector<Elf64_Phdr> segments;
  for (std::size_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = memory.get<Elf64_Phdr>({base.value + header->e_phoff + i * sizeof(Elf64_Phdr)});
    if (!segment) return {};
    if (segment->p_type == PT_LOAD) segments.push_back(*segment);
  }
  std::uint64_t size = 0;
  for (const auto& s : segments)
    if (s.p_offset < max_image && s.p_filesz < max_image) size = std::max(size, s.p_offset + s.p_filesz);
  if (segments.empty() || size == 0 || size > max_image) return {};
  std::vector<std::byte> image(size);
  const std::uint64_t bias = base.value - (segments[0].p_vaddr - segments[0].p_offset);
  for (const auto& s : segments)
    if (s.p_offset < max_image && s.p_filesz < max_image)
      memory.read_some({s.p_vaddr + bias}, std::span(image).subspan(s.p_offset, s.p_filesz));
  auto* copy = reinterpret_cast<Elf64_Ehdr*>(image.data());
  if (size < sizeof(Elf64_Ehdr)) return {};
  copy->e_shoff = 0;
  copy->e_shnum = 0;
  copy->e_shstrndx = 0;
  return image;
}

// The prefix under which the debuggee's paths are found from here, and what its root is called: where it is another
// than ours.
std::pair<std::string, std::string> root_of(Pid pid) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const auto link = [&](const std::string& path) { return fs::read_symlink(path, failed).string(); };
  const std::string theirs = link(fmt::format("/proc/{}/ns/mnt", pid.value));
  if (failed) return {};
  const std::string ours = link("/proc/self/ns/mnt");
  const std::string root = link(fmt::format("/proc/{}/root", pid.value));
  if (theirs == ours && (failed || root == "/")) return {};
  return {fmt::format("/proc/{}/root", pid.value), root == "/" ? std::string{} : root};
}

// The kernel names files from our root, or from that of their mount namespace (d_path() in fs/d_path.c): a process that
// has changed its root knows a file by what is behind its root's own name.
std::string path_inside(const std::string& jail, const std::string& path) {
  if (jail.empty() || !path.starts_with(jail) || path.size() <= jail.size() || path[jail.size()] != '/') return path;
  return path.substr(jail.size());
}

// Where to read the mapped file, if its path leads to another one (deleted or replaced). proc(5): map_files needs
// CAP_CHECKPOINT_RESTORE or the right to ptrace, by kernel; exe always works for us.
std::string readable_copy(Pid pid, const std::string& real, const os::Mapping& mapping, Role role) {
  struct stat about {};
  if (!mapping.deleted && ::stat(real.c_str(), &about) == 0 && about.st_ino == mapping.inode) return {};
  // Overlay and btrfs show other inode numbers in maps than stat does: a file that is there is taken then.
  if (!mapping.deleted && about.st_ino != 0 && mapping.inode != 0) {
    struct stat mapped {};
    const auto link =
        fmt::format("/proc/{}/map_files/{:x}-{:x}", pid.value, mapping.range.begin.value, mapping.range.end.value);
    if (::stat(link.c_str(), &mapped) != 0 || (mapped.st_ino == about.st_ino && mapped.st_dev == about.st_dev))
      return {};
    return link;
  }
  if (role == Role::program) return fmt::format("/proc/{}/exe", pid.value);
  return fmt::format("/proc/{}/map_files/{:x}-{:x}", pid.value, mapping.range.begin.value, mapping.range.end.value);
}

}  // namespace

std::string base_name(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

const Modules::Impl::Entry* Modules::Impl::at(LoadAddr pc) const {
  auto next = std::ranges::upper_bound(by_address, pc, {}, [](const Entry* e) { return e->mapped.range.begin; });
  if (next == by_address.begin()) return nullptr;
  --next;
  return (*next)->mapped.range.contains(pc) ? *next : nullptr;
}

const Modules::Impl::Entry* Modules::Impl::with_role(Role role) const {
  const auto found = std::ranges::find_if(entries, [&](const auto& e) { return e->role == role; });
  return found == entries.end() ? nullptr : found->get();
}

void Modules::Impl::index() {
  ++generation;
  by_address.clear();
  for (const auto& entry : entries)
    if (!entry->mapped.range.empty()) by_address.push_back(entry.get());
  std::ranges::sort(by_address, {}, [](const Entry* e) { return e->mapped.range.begin; });
}

Modules::Impl::Entry* Modules::Impl::add(Pid pid, const std::string& path, const os::Mapping* mapping,
                                         std::optional<std::uint64_t> bias, Role role, const util::Memory& memory,
                                         Changes& changes) {
  std::vector<SharedModule> in_use;
  for (const auto& entry : entries) in_use.push_back(entry->mapped.symbols);
  auto search = options;
  if (mapping && mapping->inode != 0)
    search.read_from = readable_copy(pid, util::path_in_root(options.root, path), *mapping, role);
  auto module = open_module(path, search, in_use);
  if (!module && mapping) {
    const std::uint64_t base = mapping->range.begin.value - mapping->offset;
    auto image = image_from_memory({base}, memory);
    if (!image.empty()) module = open_image(std::move(image), path);
  }
  if (!module) return nullptr;
  if (!bias && mapping) bias = mapping->range.begin.value - mapping->offset - lowest_address(**module);
  auto entry = std::make_unique<Entry>();
  entry->role = role;
  entry->read_from = search.read_from;
  entry->mapped = {.id = (*module)->id(),
                   .path = path,
                   .bias = bias.value_or(0),
                   .range = mapped_range(**module, bias.value_or(0)),
                   .symbols = *module};
  changes.added.push_back(entry->mapped.id);
  entries.push_back(std::move(entry));
  index();
  return entries.back().get();
}

void Modules::Impl::add_program(Pid pid, const util::Memory& memory, const std::vector<os::Mapping>& maps,
                                Changes& changes) {
  const auto path = os::executable_of(pid);
  if (!path) return;
  const auto* mapping = first_mapping(maps, {auxv.entry});
  if (mapping && mapping->path != *path) mapping = first_mapping(maps, {auxv.phdr});
  Entry* entry = add(pid, path_inside(jail, *path), mapping, headers.bias, Role::program, memory, changes);
  if (!entry || headers.bias) return;
  // No PT_PHDR: by the entry point, which the kernel gives relocated.
  auto& mapped = entry->mapped;
  mapped.bias = auxv.entry != 0 ? auxv.entry - mapped.symbols->entry() : 0;
  mapped.range = mapped_range(*mapped.symbols, mapped.bias);
  if (headers.dynamic.value != 0) headers.dynamic = {headers.dynamic.value + mapped.bias};
  index();
}

void Modules::Impl::add_loader(Pid pid, const util::Memory& memory, const std::vector<os::Mapping>& maps,
                               Changes& changes) {
  if (auxv.base == 0) return;
  const auto* mapping = mapping_at(maps, {auxv.base});
  if (mapping && !mapping->path.empty() && !at({auxv.base}))
    add(pid, path_inside(jail, mapping->path), mapping, std::nullopt, Role::loader, memory, changes);
}

void Modules::Impl::add_vdso(const util::Memory& memory, const std::vector<os::Mapping>& maps, Changes& changes) {
  const auto* mapping = auxv.vdso != 0 ? mapping_at(maps, {auxv.vdso}) : nullptr;
  if (!mapping || mapping->range.size().value > max_image) return;
  std::vector<std::byte> image(mapping->range.size().value);
  if (!memory.read(mapping->range.begin, image)) return;
  const auto module = open_image(std::move(image), "[vdso]");
  if (!module) return;
  auto entry = std::make_unique<Entry>();
  entry->role = Role::vdso;
  entry->mapped = {.id = (*module)->id(),
                   .path = "[vdso]",
                   .bias = mapping->range.begin.value - lowest_address(**module),
                   .range = mapping->range,
                   .symbols = *module};
  changes.added.push_back(entry->mapped.id);
  entries.push_back(std::move(entry));
  index();
}

// Code of files that nobody has told us of: the loader keeps no list (static programs with a loader of their own), or
// is in the middle of a change.
void Modules::Impl::add_from_maps(Pid pid, const util::Memory& memory, const std::vector<os::Mapping>& maps,
                                  Changes& changes) {
  for (const auto& mapping : maps) {
    if (!mapping.executable || mapping.inode == 0 || !mapping.path.starts_with('/') || at(mapping.range.begin))
      continue;
    const auto* first = first_mapping(maps, mapping.range.begin);
    if (first && first->offset == 0)
      add(pid, path_inside(jail, mapping.path), first, std::nullopt, Role::library, memory, changes);
  }
}

std::optional<LoadAddr> Modules::Impl::r_debug(const util::Memory& memory) const {
  if (auto found = find_r_debug(headers.dynamic, memory)) return found;
  // The loader run as a program (`ld.so ./prog`), and static programs that can dlopen, have the symbol.
  for (const Role role : {Role::loader, Role::program}) {
    const Entry* entry = with_role(role);
    if (!entry) continue;
    for (const auto& symbol : entry->mapped.symbols->symbols_named("_r_debug"))
      if (!symbol.function) return LoadAddr{symbol.address + entry->mapped.bias};
  }
  return std::nullopt;
}

bool Modules::Impl::follow_link_map(Pid pid, const util::Memory& memory, Changes& changes,
                                    std::optional<std::vector<os::Mapping>> maps) {
  const auto place = r_debug(memory);
  const auto map = place ? read_link_map(*place, memory) : std::nullopt;
  if (!map) return false;
  if (map->change_hook.value != 0 && at(map->change_hook)) change_hook = map->change_hook;
  if (!map->consistent || map->entries.empty()) return false;

  std::vector<std::unique_ptr<Entry>> old = std::move(entries);
  entries.clear();
  const auto keep = [&](auto fits) {
    const auto found = std::ranges::find_if(old, [&](const auto& e) { return e && fits(*e); });
    if (found == old.end()) return false;
    entries.push_back(std::move(*found));
    return true;
  };
  keep([](const Entry& e) { return e.role == Role::program; });
  std::vector<const LinkMapEntry*> fresh;
  for (const auto& link : map->entries) {
    const bool program =
        !entries.empty() && entries[0]->role == Role::program && entries[0]->mapped.range.contains(link.dynamic);
    if (program) continue;
    const bool known = keep([&](const Entry& e) {
      if (e.role != Role::library) return e.mapped.range.contains(link.dynamic);
      return e.mapped.bias == link.bias && e.dynamic == link.dynamic && e.mapped.range.contains(link.dynamic);
    });
    if (known) continue;
    // A second name space lists the one loader again.
    if (std::ranges::any_of(entries, [&](const auto& e) { return e->mapped.range.contains(link.dynamic); })) continue;
    if (!maps) {  // only when something new has appeared: a thousand threads make a long map
      auto read = os::mappings(pid);
      maps = read ? std::move(*read) : std::vector<os::Mapping>{};
    }
    const auto* mapping = first_mapping(*maps, link.dynamic);
    const bool file = mapping && mapping->path.starts_with('/');
    const std::string path = file ? path_inside(jail, mapping->path) : link.name;
    if (!path.starts_with('/')) continue;
    if (Entry* entry = add(pid, path, file ? mapping : nullptr, link.bias, Role::library, memory, changes))
      entry->dynamic = link.dynamic;
  }
  keep([](const Entry& e) { return e.role == Role::loader; });
  keep([](const Entry& e) { return e.role == Role::vdso; });
  for (auto& gone : old)
    if (gone) changes.removed.push_back(std::move(gone->mapped));
  index();
  return true;
}

Modules::Modules(sym::SearchOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Modules::~Modules() { clear(); }

Result<Changes> Modules::load_process(Pid pid, const util::Memory& memory) {
  clear();
  TL_TRY(const auto auxv, os::auxiliary_vector(pid));
  TL_TRY(const auto maps, os::mappings(pid));
  impl_->auxv = auxv;
  if (impl_->root_by_process) std::tie(impl_->options.root, impl_->jail) = root_of(pid);
  impl_->headers = read_program_headers(auxv, memory);
  Changes changes;
  impl_->add_program(pid, memory, maps, changes);
  impl_->add_loader(pid, memory, maps, changes);
  impl_->add_vdso(memory, maps, changes);
  if (impl_->entries.empty())
    return fail(Errc::process_gone, fmt::format("process {} maps no program that can be read", pid.value));
  if (!impl_->follow_link_map(pid, memory, changes, maps)) impl_->add_from_maps(pid, memory, maps, changes);
  return changes;
}

Result<Changes> Modules::refresh(Pid pid, const util::Memory& memory) {
  Changes changes;
  if (impl_->follow_link_map(pid, memory, changes, std::nullopt)) return changes;
  if (impl_->auxv.base != 0) return changes;  // the loader will tell; until then nothing is certain
  TL_TRY(const auto maps, os::mappings(pid));
  impl_->add_from_maps(pid, memory, maps, changes);
  return changes;
}

Result<const MappedModule*> Modules::reopen(ModuleId id) {
  const auto found = std::ranges::find_if(impl_->entries, [&](const auto& e) { return e->mapped.id == id; });
  if (found == impl_->entries.end()) return fail(Errc::not_found, fmt::format("module {} is not mapped", id.value));
  auto& mapped = (*found)->mapped;
  auto search = impl_->options;
  search.read_from = (*found)->read_from;
  TL_TRY(auto fresh, open_module(mapped.path, search, {mapped.symbols}));
  if (fresh->build_id() != mapped.symbols->build_id())
    return fail(Errc::bad_debug_info, fmt::format("{} is another file by now", mapped.path));
  mapped.id = fresh->id();
  mapped.symbols = std::move(fresh);
  return &mapped;
}

void Modules::clear() {
  std::vector<SharedModule> gone;
  for (const auto& entry : impl_->entries) gone.push_back(entry->mapped.symbols);
  keep_for_restart(std::move(gone));
  impl_->entries.clear();
  impl_->by_address.clear();
  ++impl_->generation;
  impl_->change_hook = {};
  impl_->headers = {};
}

std::uint64_t Modules::generation() const { return impl_->generation; }

std::optional<LoadAddr> Modules::loader_breakpoint() const {
  if (impl_->change_hook.value != 0) return impl_->change_hook;
  for (const Role role : {Role::loader, Role::program}) {
    const auto* entry = impl_->with_role(role);
    if (!entry) continue;
    for (const auto& symbol : entry->mapped.symbols->symbols_named("_dl_debug_state"))
      if (symbol.function) return LoadAddr{symbol.address + entry->mapped.bias};
  }
  return std::nullopt;
}

const std::string& Modules::root() const { return impl_->options.root; }

std::vector<const MappedModule*> Modules::all() const {
  std::vector<const MappedModule*> modules;
  for (const auto& entry : impl_->entries) modules.push_back(&entry->mapped);
  return modules;
}

const MappedModule* Modules::find(LoadAddr at) const {
  const auto* entry = impl_->at(at);
  return entry ? &entry->mapped : nullptr;
}

const MappedModule* Modules::find(ModuleId id) const {
  for (const auto& entry : impl_->entries)
    if (entry->mapped.id == id) return &entry->mapped;
  return nullptr;
}

Result<FileAddr> Modules::to_file(LoadAddr at) const {
  if (const auto* module = find(at)) return FileAddr{.module = module->id, .value = at.value - module->bias};
  return fail(Errc::bad_address, fmt::format("{:#x} lies in no module", at.value));
}

Result<LoadAddr> Modules::to_load(FileAddr at) const {
  if (const auto* module = find(at.module)) return LoadAddr{at.value + module->bias};
  return fail(Errc::bad_address, fmt::format("module {} is not mapped", at.module.value));
}

}  // namespace trapline::image
