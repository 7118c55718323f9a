#include "daemon/index/line_files.hpp"

#include <utility>
#include <vector>

#include "daemon/index/dwarf_codes.hpp"

namespace trapline::index {
namespace {

constexpr std::size_t most_formats = 255;
// Longer paths are no files' (PATH_MAX), and an entry of a few bytes may name any text of a string section.
constexpr std::size_t longest_path = 4096;
constexpr std::size_t most_folder_text = 64 << 20;  // of one table

struct Field {
  std::string_view text;
  std::uint64_t number = 0;
};

// Unknown forms fail the cursor.
Field read_field(DataCursor& in, std::uint64_t form, const Sections& sections, bool wide) {
  switch (form) {
    case dw::form_string: return {in.c_string(), 0};
    case dw::form_line_strp: return {string_at(sections.line_str, in.sized(wide)), 0};
    case dw::form_strp: return {string_at(sections.str, in.sized(wide)), 0};
    case dw::form_strp_sup: in.sized(wide); return {};
    case dw::form_udata: return {{}, in.uleb()};
    case dw::form_data1: return {{}, in.u8()};
    case dw::form_data2: return {{}, in.u16()};
    case dw::form_data4: return {{}, in.u32()};
    case dw::form_data8: return {{}, in.u64()};
    case dw::form_data16: in.skip(16); return {};
    case dw::form_block: in.skip(in.uleb()); return {};
    case dw::form_block1: in.skip(in.u8()); return {};
    default: in.fail(); return {};
  }
}

template <class Take>
bool read_entries(DataCursor& in, const Sections& sections, bool wide, Take take) {
  struct Format {
    std::uint64_t content, form;
  };
  std::vector<Format> formats(in.u8());
  for (auto& format : formats) {
    format.content = in.uleb();
    format.form = in.uleb();
  }
  const std::uint64_t count = in.uleb();
  if (!in.ok() || count > in.left() || formats.size() > most_formats || (formats.empty() && count > 0)) return false;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string_view name;
    std::uint64_t directory = 0;
    const std::uint64_t before = in.offset();
    for (const auto& format : formats) {
      const Field field = read_field(in, format.form, sections, wide);
      if (format.content == dw::lnct_path) name = field.text;
      if (format.content == dw::lnct_directory_index) directory = field.number;
    }
    if (in.offset() == before) return false;
    if (in.ok()) take(name, directory);
  }
  return in.ok();
}

// A folder of a header, made absolute with the unit's.
std::string folder_path(std::string_view folder, std::string_view first, std::string_view unit_folder) {
  if (folder.size() + first.size() + unit_folder.size() > longest_path) return {};
  std::string text(folder);
  for (const auto prefix : {first, unit_folder})
    if (!text.starts_with('/') && !prefix.empty() && prefix != text)
      text = text.empty() ? std::string(prefix) : std::string(prefix) + '/' + text;
  return text;
}

std::string joined(const std::string& folder, std::string_view name) {
  std::string text;
  if (folder.size() + name.size() > longest_path) return text;
  if (!name.starts_with('/') && !folder.empty()) {
    text.reserve(folder.size() + name.size() + 1);
    text += folder;
    text += '/';
  }
  text += name;
  const bool untidy = text.find("/.") != std::string::npos || text.find("//") != std::string::npos ||
                      text.starts_with("./") || text.ends_with('/');
  return untidy ? clean_path(text) : text;
}

bool written(std::string_view name) { return !name.empty() && !name.starts_with('<'); }  // not "<built-in>"

}  // namespace

void each_line_file(const Sections& sections, std::uint64_t offset, std::string_view unit_name,
                    std::string_view unit_folder, const std::function<void(std::string)>& take_any) {
  const auto take = [&](std::string path) {
    if (!path.empty()) take_any(std::move(path));
  };
  std::size_t folder_text = 0;
  std::vector<std::string> folders;
  const auto add_folder = [&](std::string folder) {
    folder_text += folder.size();
    folders.push_back(folder_text > most_folder_text ? std::string{} : std::move(folder));
  };
  DataCursor outer(sections.line, offset);
  std::uint64_t length = outer.u32();
  const bool wide = length == 0xffffffff;
  if (wide) length = outer.u64();
  if (!outer.ok() || (!wide && length >= 0xfffffff0) || length > outer.left()) return;
  DataCursor in(sections.line.first(outer.offset() + length), outer.offset());
  const std::uint16_t version = in.u16();
  if (version < 2 || version > 5) return;
  if (version >= 5) in.skip(2);   // address size, segment selector size
  in.sized(wide);                 // header length
  in.skip(version >= 4 ? 5 : 4);  // instruction length, operations an instruction, statements, line base and range
  const std::uint8_t opcodes = in.u8();
  in.skip(opcodes == 0 ? 0 : opcodes - 1U);
  if (version >= 5) {
    std::string_view first;
    const bool whole = read_entries(in, sections, wide, [&](std::string_view name, std::uint64_t) {
      if (folders.empty()) first = name;
      add_folder(folder_path(name, folders.empty() ? std::string_view{} : first, unit_folder));
    });
    if (!whole) return;
    read_entries(in, sections, wide, [&](std::string_view name, std::uint64_t directory) {
      if (written(name)) take(joined(directory < folders.size() ? folders[directory] : std::string{}, name));
    });
    return;
  }
  add_folder(std::string(unit_folder));
  while (in.ok()) {
    const auto name = in.c_string();
    if (name.empty()) break;
    add_folder(folder_path(name, {}, unit_folder));
  }
  if (written(unit_name)) take(joined(folders[0], unit_name));
  while (in.ok()) {
    const auto name = in.c_string();
    if (name.empty()) break;
    const std::uint64_t directory = in.uleb();
    in.skip_leb();  // time of last change
    in.skip_leb();  // length
    if (in.ok() && written(name)) take(joined(directory < folders.size() ? folders[directory] : std::string{}, name));
  }
}

std::string clean_path(std::string_view path) {
  const bool absolute = path.starts_with('/');
  std::vector<std::string_view> kept;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == ".." && !kept.empty() && kept.back() != "..") {
      kept.pop_back();
      continue;
    }
    if (part == ".." && absolute) continue;  // "/.." is "/"
    kept.push_back(part);
  }
  std::string out;
  for (const auto part : kept) {
    if (absolute || !out.empty()) out += '/';
    out += part;
  }
  return out.empty() && absolute ? "/" : out;
}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace trapline::index
