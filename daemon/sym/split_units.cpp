#include "daemon/sym/split_units.hpp"

#include <dwarf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/reader.hpp"
#include "daemon/util/rooted.hpp"

namespace trapline::sym {
namespace {

// Which program the units opened by libdw belong to: split_type() has nothing but a Dwarf.
struct Registry {
  std::mutex lock;
  std::unordered_map<Dwarf*, SplitUnits*> owners;
};
Registry& registry() {
  static Registry all;
  return all;
}

const char* text_of(const Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute found;
  return own_attribute(die, name, found) ? dwarf_formstring(&found) : nullptr;
}

std::uint64_t number_of(const Dwarf_Die& die, std::initializer_list<unsigned> names) {
  Dwarf_Attribute found;
  Dwarf_Word value = 0;
  for (const unsigned name : names)
    if (own_attribute(die, name, found) && dwarf_formudata(&found, &value) == 0) return value;
  return 0;
}

// The value of an attribute as it stands in the unit: libdw would follow it.
std::optional<Reader> value_of(const Dwarf_Attribute& attr, const UnitImage& image) {
  for (const auto* name : {".debug_info", ".debug_types"}) {
    const auto section = image.section(name);
    const auto* at = reinterpret_cast<const std::byte*>(attr.valp);
    if (!section.empty() && at >= section.data() && at < section.data() + section.size())
      return Reader(section, static_cast<std::size_t>(at - section.data()));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> list_offset(const Dwarf_Attribute& attr, const SplitTree& tree,
                                         std::span<const std::byte> section) {
  auto value = value_of(attr, *tree.image);
  if (!value) return std::nullopt;
  std::optional<std::uint64_t> offset;
  switch (attr.form) {
    case DW_FORM_rnglistx:
    case DW_FORM_loclistx: return indexed_list(section, value->uleb());
    case DW_FORM_sec_offset: offset = value->sized(tree.lists.offsets_of_eight); break;
    case DW_FORM_data4: offset = value->u32(); break;
    case DW_FORM_data8: offset = value->u64(); break;
    default: return std::nullopt;
  }
  return value->ok() ? offset : std::nullopt;
}

}  // namespace

std::optional<Skeleton> skeleton_of(const Dwarf_Die& unit, std::uint16_t version, std::uint32_t index) {
  const char* file = text_of(unit, version >= 5 ? DW_AT_dwo_name : DW_AT_GNU_dwo_name);
  if (!file) return std::nullopt;
  const char* folder = text_of(unit, DW_AT_comp_dir);
  Skeleton skeleton{.unit = index, .version = version, .file = file, .folder = folder ? folder : ""};
  if (version >= 5) {
    std::uint8_t type = 0;
    dwarf_cu_info(unit.cu, nullptr, &type, nullptr, nullptr, &skeleton.id, nullptr, nullptr);
    if (type != DW_UT_skeleton) return std::nullopt;
  } else {
    skeleton.id = number_of(unit, {DW_AT_GNU_dwo_id});
  }
  skeleton.address_base = number_of(unit, {DW_AT_addr_base, DW_AT_GNU_addr_base});
  skeleton.ranges_base = number_of(unit, {DW_AT_GNU_ranges_base});
  Dwarf_Die copy = unit;
  Dwarf_Addr low = 0;
  if (dwarf_lowpc(&copy, &low) == 0) skeleton.low_pc = low;
  return skeleton;
}

std::vector<FileRange> SplitTree::ranges(const Dwarf_Attribute& attr) const {
  const auto offset = list_offset(attr, *this, lists.ranges);
  return offset ? ranges_at(lists, *offset) : std::vector<FileRange>{};
}

bool SplitTree::is_list(const Dwarf_Attribute& attr) {
  return attr.form == DW_FORM_sec_offset || attr.form == DW_FORM_loclistx || attr.form == DW_FORM_data4 ||
         attr.form == DW_FORM_data8;
}

SplitTree::AllFound SplitTree::locations(const Dwarf_Attribute& attr) const {
  const auto offset = list_offset(attr, *this, lists.locations);
  if (!offset) return {.damaged = true, .all = {}};
  const auto list = locations_at(lists, *offset);
  AllFound found{.damaged = list.damaged, .all = {}};
  for (const LocationPiece& piece : list.pieces) {
    // libdw reads libdw's own types only: the bytes stand in a mapped file and are not written to.
    Dwarf_Attribute expression = attr;
    expression.form = DW_FORM_exprloc;
    const std::byte* at =
        lists.version < 5 ? image->with_uleb_length(piece.length_at) : lists.locations.data() + piece.length_at;
    if (!at) return {.damaged = true, .all = std::move(found.all)};
    expression.valp = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(at));
    found.all.push_back({.piece = piece, .expression = expression});
  }
  return found;
}

SplitUnits::SplitUnits(const ElfFile& program, const ElfFile& debug_file, const SearchOptions& options)
    : program_(program), debug_file_(debug_file), options_(options) {}

SplitUnits::~SplitUnits() {
  const std::scoped_lock lock(registry().lock);
  for (const auto& [dwarf, tree] : by_dwarf_) registry().owners.erase(dwarf);
}

void SplitUnits::add(Skeleton skeleton) {
  if (skeletons_.empty()) all_addresses_ = debug_file_.contents(".debug_addr");
  const auto unit = skeleton.unit;
  address_bases_.insert(skeleton.address_base);
  skeletons_.emplace(unit, std::move(skeleton));
}

const SplitTree* SplitUnits::of_unit(std::uint32_t unit) {
  return skeletons_.contains(unit) ? of_file(first_file + unit) : nullptr;
}

const SplitTree* SplitUnits::of_file(std::uint32_t file) {
  if (const auto known = trees_.find(file); known != trees_.end()) return known->second.get();
  if (file >= first_type) return open_type(file - first_type);
  const auto skeleton = skeletons_.find(file - first_file);
  if (file < first_file || skeleton == skeletons_.end()) return nullptr;
  if (const auto* tree = open(skeleton->second)) return tree;
  trees_[file] = nullptr;
  ++missing_;
  return nullptr;
}

const SplitTree* SplitUnits::of_dwarf(Dwarf* dwarf) const {
  const auto found = by_dwarf_.find(dwarf);
  return found == by_dwarf_.end() ? nullptr : found->second;
}

std::string SplitUnits::problem() const {
  if (missing_ <= 1) return first_problem_;
  return fmt::format("{} (and {} more units)", first_problem_, missing_ - 1);
}

std::vector<std::string> SplitUnits::folders_of_program() const {
  std::vector<std::string> folders;
  const auto add = [&](const std::filesystem::path& path) {
    const auto folder = path.parent_path().string();
    if (!folder.empty() && std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
  };
  if (!options_.program.empty()) add(util::path_in_root(options_.root, options_.program));
  add(program_.path());
  add(debug_file_.path());
  return folders;
}

std::vector<std::string> SplitUnits::candidates(const Skeleton& skeleton) const {
  std::vector<std::string> paths;
  const auto add = [&](std::string path) {
    if (std::ranges::find(paths, path) == paths.end()) paths.push_back(std::move(path));
  };
  const std::string& name = skeleton.file;
  const bool absolute = name.starts_with('/');
  const std::string compiled = absolute ? name : fmt::format("{}/{}", skeleton.folder, name);
  const auto base = std::string(base_name(name));
  const auto roots = options_.root.empty() ? std::vector<std::string>{""} : std::vector<std::string>{options_.root, ""};
  for (const auto& root : roots)
    if (compiled.starts_with('/')) add(util::path_in_root(root, clean_path(compiled)));
  for (const auto& folder : folders_of_program()) {
    if (!absolute) add(clean_path(fmt::format("{}/{}", folder, name)));
    add(clean_path(fmt::format("{}/{}", folder, base)));
  }
  for (const auto& root : roots)
    for (const auto& dir : options_.debug_dirs) {
      if (compiled.starts_with('/')) add(util::path_in_root(root, dir + clean_path(compiled)));
      add(util::path_in_root(root, fmt::format("{}/{}", dir, base)));
    }
  return paths;
}

SplitUnits::Package* SplitUnits::package() {
  if (!package_tried_) {
    package_tried_ = true;
    std::vector<std::string> paths;
    const auto& path = options_.program;
    if (!path.empty()) paths.push_back(util::path_in_root(options_.root, path + ".dwp"));
    paths.push_back(program_.path() + ".dwp");
    paths.push_back(debug_file_.path() + ".dwp");
    if (const auto& debug = debug_file_.path(); debug.ends_with(".debug"))
      paths.push_back(debug.substr(0, debug.size() - 6) + ".dwp");
    for (const auto& dir : options_.debug_dirs) {
      if (!options_.root.empty()) paths.push_back(util::path_in_root(options_.root, dir + path + ".dwp"));
      if (!path.empty()) paths.push_back(dir + path + ".dwp");
    }
    for (const auto& candidate : paths) {
      auto file = SplitFile::open(candidate);
      if (!file) {
        if (file.error().code != Errc::not_found && first_problem_.empty()) first_problem_ = file.error().message;
        continue;
      }
      Package found{.file = std::move(*file), .units = {}, .types = {}};
      found.units = DwpIndex(found.file->read(".debug_cu_index"));
      found.types = DwpIndex(found.file->read(".debug_tu_index"));
      const auto inside = [&](const auto& s) { return found.units.find(s.second.id).has_value(); };
      const bool ours = std::ranges::any_of(skeletons_, inside);
      if (!ours) {
        first_problem_ = fmt::format("{} is of another build: it holds none of the program's units", candidate);
        continue;
      }
      first_problem_.clear();
      package_ = std::move(found);
      break;
    }
  }
  return package_.file ? &package_ : nullptr;
}

namespace {

// The parts of a row, as places in the file, and the strings that all units share.
UnitImage::Parts parts_of(const SplitFile& file, const DwpIndex::Row& row) {
  UnitImage::Parts parts;
  for (const auto& [name, part] : row) {
    const auto sections = file.parts(name);
    if (sections.empty() || part.offset > sections[0].size || part.size > sections[0].size - part.offset) continue;
    if (part.size != 0) parts[name] = {{sections[0].offset + part.offset, part.size}};
  }
  if (const auto strings = file.parts(".debug_str"); !strings.empty()) parts[".debug_str"] = {strings[0]};
  return parts;
}

UnitImage::Parts parts_of(const SplitFile& file) {
  UnitImage::Parts parts;
  for (const auto* name : {".debug_info", ".debug_types", ".debug_abbrev", ".debug_line", ".debug_loc",
                           ".debug_loclists", ".debug_rnglists", ".debug_str_offsets", ".debug_str", ".debug_macro"})
    if (const auto found = file.parts(name); !found.empty()) parts[name].assign(found.begin(), found.end());
  return parts;
}

// libdw lists no units of a file that has nothing but a .debug_types.
bool first_die(const UnitImage& image, Dwarf_Die& root) {
  if (!image.section(".debug_info").empty())
    if (Dwarf_CU* cu = nullptr; dwarf_get_units(image.dwarf(), cu, &cu, nullptr, nullptr, &root, nullptr) == 0)
      return root.addr != nullptr;
  Reader header(image.section(".debug_types"));
  const bool eight = header.u32() == 0xffffffff;
  // Length, version, offset of abbreviations, size of an address, signature, offset of the type.
  return header.ok() &&
         dwarf_offdie_types(image.dwarf(), eight ? 12 + 2 + 8 + 1 + 8 + 8 : 4 + 2 + 4 + 1 + 8 + 4, &root);
}

std::uint64_t id_of(const Dwarf_Die& unit, std::uint16_t version) {
  if (version < 5) return number_of(unit, {DW_AT_GNU_dwo_id});
  std::uint64_t id = 0;
  dwarf_cu_info(unit.cu, nullptr, nullptr, nullptr, nullptr, &id, nullptr, nullptr);
  return id;
}

}  // namespace

const SplitTree* SplitUnits::open(const Skeleton& skeleton) {
  if (Package* all = package())
    if (const auto row = all->units.find(skeleton.id))
      if (const auto* tree = take(*all->file, parts_of(*all->file, all->units.row(*row)), skeleton)) return tree;
  const auto paths = candidates(skeleton);
  std::string problem;
  for (const auto& path : paths) {
    const auto file = SplitFile::open(path);
    if (!file) {
      if (file.error().code != Errc::not_found) problem = file.error().message;
      continue;
    }
    if (const auto* tree = take(**file, parts_of(**file), skeleton)) return tree;
    problem = fmt::format("{} is of another build (it holds no unit with the id {:016x})", path, skeleton.id);
  }
  if (problem.empty()) problem = fmt::format("{} not found: looked in {}", skeleton.file, fmt::join(paths, ", "));
  if (first_problem_.empty())
    first_problem_ = fmt::format("{}: {}; what one of its units declares is unknown", debug_file_.path(), problem);
  return nullptr;
}

std::span<const std::byte> SplitUnits::addresses_of(const Skeleton& skeleton) const {
  const auto begin = skeleton.address_base;
  if (begin >= all_addresses_.size()) return {};
  // Up to where another unit's begin. DWARF 4 has no header that would tell, and what is too much is never asked for.
  const auto next = address_bases_.upper_bound(begin);
  const std::uint64_t end =
      std::min<std::uint64_t>(next == address_bases_.end() ? all_addresses_.size() : *next, all_addresses_.size());
  return all_addresses_.subspan(begin, end - begin);
}

// Of a package each image maps the whole file: reading it once for each unit would be a gigabyte a unit.
UnitImage::Storage SplitUnits::storage() const {
  return by_dwarf_.size() < most_mapped || package_.file ? UnitImage::Storage::mapped : UnitImage::Storage::read;
}

const SplitTree* SplitUnits::take(const SplitFile& file, const UnitImage::Parts& parts, const Skeleton& skeleton) {
  if (by_dwarf_.size() >= most_images) {
    if (first_problem_.empty())
      first_problem_ =
          fmt::format("{}: {} of its units are open, which is as many as can be mapped", file.path(), by_dwarf_.size());
    return nullptr;
  }
  auto image = UnitImage::make(file, parts, addresses_of(skeleton), storage());
  if (!image) {
    if (first_problem_.empty()) first_problem_ = image.error().message;
    return nullptr;
  }
  auto tree = std::make_unique<SplitTree>();
  tree->file = first_file + skeleton.unit;
  tree->unit = skeleton.unit;
  Dwarf_CU* cu = nullptr;
  Dwarf_Half version = 0;
  Dwarf_Die die;
  while (dwarf_get_units((*image)->dwarf(), cu, &cu, &version, nullptr, &die, nullptr) == 0) {
    if (!die.addr || dwarf_tag(&die) != DW_TAG_compile_unit || id_of(die, version) != skeleton.id) continue;
    tree->root = die;
    break;
  }
  if (!tree->root.addr) return nullptr;
  tree->image = std::move(*image);
  tree->lists = {.version = version,
                 .base = skeleton.low_pc,
                 .addresses = tree->image->section(".debug_addr"),
                 .ranges = tree->image->section(".debug_rnglists"),
                 .locations = tree->image->section(version < 5 ? ".debug_loc" : ".debug_loclists")};
  if (version < 5) {
    const auto all = debug_file_.contents(".debug_ranges");
    tree->lists.ranges = all.subspan(std::min<std::uint64_t>(skeleton.ranges_base, all.size()));
  }
  Reader header(tree->image->section(".debug_info"));
  tree->lists.offsets_of_eight = header.u32() == 0xffffffff;
  return keep(std::move(tree));
}

const SplitTree* SplitUnits::keep(std::unique_ptr<SplitTree> tree) {
  const SplitTree* kept = tree.get();
  by_dwarf_[kept->image->dwarf()] = kept;
  {
    const std::scoped_lock lock(registry().lock);
    registry().owners[kept->image->dwarf()] = this;
  }
  trees_[kept->file] = std::move(tree);
  return kept;
}

const SplitTree* SplitUnits::open_type(std::uint32_t row) {
  Package* all = package();
  const auto parts = all ? parts_of(*all->file, all->types.row(row)) : UnitImage::Parts{};
  auto image = parts.empty() ? Result<std::unique_ptr<UnitImage>>(fail(Errc::not_found, ""))
                             : UnitImage::make(*all->file, parts, {}, storage());
  auto tree = std::make_unique<SplitTree>();
  Dwarf_Half version = 0;
  if (!image || !first_die(**image, tree->root) ||
      dwarf_cu_info(tree->root.cu, &version, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) != 0) {
    trees_[first_type + row] = nullptr;
    return nullptr;
  }
  tree->file = first_type + row;
  tree->unit = SplitTree::no_unit;
  tree->lists.version = version;
  tree->image = std::move(*image);
  return keep(std::move(tree));
}

std::optional<Dwarf_Die> SplitUnits::type(std::uint64_t signature) {
  Package* all = package();
  const auto row = all ? all->types.find(signature) : std::nullopt;
  const SplitTree* tree = row ? of_file(first_type + *row) : nullptr;
  if (!tree) return std::nullopt;
  std::uint64_t id = 0;
  Dwarf_Die unit, type;
  if (dwarf_cu_info(tree->root.cu, nullptr, nullptr, &unit, &type, &id, nullptr, nullptr) != 0 || id != signature ||
      !type.addr)
    return std::nullopt;
  return type;
}

std::vector<std::uint32_t> SplitUnits::type_files() {
  std::vector<std::uint32_t> files;
  if (Package* all = package())
    for (std::uint32_t row = 0; row < all->types.count(); ++row) files.push_back(first_type + row);
  return files;
}

std::optional<Dwarf_Die> split_type(Dwarf* from, std::uint64_t signature) {
  SplitUnits* owner = nullptr;
  {
    const std::scoped_lock lock(registry().lock);
    const auto found = registry().owners.find(from);
    if (found == registry().owners.end()) return std::nullopt;
    owner = found->second;
  }
  return owner->type(signature);
}

}  // namespace trapline::sym
