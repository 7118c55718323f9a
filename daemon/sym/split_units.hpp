#pragma once
// Split DWARF: the parts of a program's units that lie in .dwo files, or together in a .dwp file. Inside the room.
//
// DWARF 5 (section 7.3.2) and, before it, GNU's "DebugFission": a skeleton unit in the program names a file and an id;
// the tree of DIEs is there. Each is opened when something asks about the unit, and kept. What is not found, or carries
// another id, is told once and the unit stays empty: never another build's data.
// Thread: as module.hpp says.
#include <elfutils/libdw.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/sym/dwp_index.hpp"
#include "daemon/sym/elf_file.hpp"
#include "daemon/sym/unit_image.hpp"
#include "daemon/sym/unit_lists.hpp"

namespace trapline::sym {

// What a unit of the program says about its part elsewhere.
struct Skeleton {
  std::uint32_t unit = 0;  // index of the unit
  std::uint16_t version = 5;
  std::string file;    // DW_AT_dwo_name
  std::string folder;  // DW_AT_comp_dir
  std::uint64_t id = 0;
  std::uint64_t low_pc = 0;
  std::uint64_t address_base = 0;  // in .debug_addr
  std::uint64_t ranges_base = 0;   // in .debug_ranges, before DWARF 5
};

// The skeleton of a unit; none where the whole unit is in the program. Opens nothing.
std::optional<Skeleton> skeleton_of(const Dwarf_Die& unit, std::uint16_t version, std::uint32_t index);

struct SplitTree {
  std::uint32_t file = 0;  // as in DieRef
  std::uint32_t unit = 0;  // index of the skeleton's unit; no_unit for a type unit of a .dwp
  Dwarf_Die root{};
  UnitLists lists;
  std::unique_ptr<UnitImage> image;
  static constexpr std::uint32_t no_unit = 0xffffffff;

  // Of an attribute DW_AT_ranges of this tree.
  std::vector<FileRange> ranges(const Dwarf_Attribute& attr) const;
  static bool is_list(const Dwarf_Attribute& attr);
  // Of an attribute that is_list(): its expressions, each as an attribute of its own.
  struct Found {
    LocationPiece piece;
    Dwarf_Attribute expression{};
  };
  struct AllFound {
    bool damaged = false;  // behind those that were read
    std::vector<Found> all;
  };
  AllFound locations(const Dwarf_Attribute& attr) const;
};

class SplitUnits {
 public:
  SplitUnits(const ElfFile& program, const ElfFile& debug_file, const SearchOptions& options);
  ~SplitUnits();
  SplitUnits(const SplitUnits&) = delete;
  SplitUnits& operator=(const SplitUnits&) = delete;

  void add(Skeleton skeleton);  // all are added before the first is opened
  std::size_t count() const { return skeletons_.size(); }
  // Null: the unit is not split, or its part was not found.
  const SplitTree* of_unit(std::uint32_t unit);
  const SplitTree* of_file(std::uint32_t file);   // the number in a DieRef
  const SplitTree* of_dwarf(Dwarf* dwarf) const;  // of those that are open
  // A type unit by its signature, in the .dwp.
  std::optional<Dwarf_Die> type(std::uint64_t signature);
  std::vector<std::uint32_t> type_files();  // those of the .dwp's type units
  std::string problem() const;              // of those that were asked for; "" where all were found

 private:
  static constexpr std::uint32_t first_file = 2;            // 0 and 1: the program and its dwz file
  static constexpr std::uint32_t first_type = 0x8000'0000;  // type units of the .dwp, by row
  static constexpr std::size_t most_mapped = 4096;          // images of .dwo files, of a few maps each
  static constexpr std::size_t most_images = 14000;         // as many as vm.max_map_count has room for
  struct Package {
    std::unique_ptr<SplitFile> file;
    DwpIndex units, types;
  };

  const SplitTree* open(const Skeleton& skeleton);
  const SplitTree* open_type(std::uint32_t row);
  const SplitTree* take(const SplitFile& file, const UnitImage::Parts& parts, const Skeleton& skeleton);
  UnitImage::Storage storage() const;
  const SplitTree* keep(std::unique_ptr<SplitTree> tree);
  Package* package();
  std::vector<std::string> candidates(const Skeleton& skeleton) const;
  std::span<const std::byte> addresses_of(const Skeleton& skeleton) const;
  std::vector<std::string> folders_of_program() const;

  const ElfFile& program_;
  const ElfFile& debug_file_;
  SearchOptions options_;
  std::span<const std::byte> all_addresses_;  // .debug_addr of the program
  std::map<std::uint32_t, Skeleton> skeletons_;
  std::set<std::uint64_t> address_bases_;
  std::map<std::uint32_t, std::unique_ptr<SplitTree>> trees_;  // by file; null: not found
  std::unordered_map<Dwarf*, const SplitTree*> by_dwarf_;
  bool package_tried_ = false;
  Package package_;
  std::size_t missing_ = 0;
  std::string first_problem_;
};

// A type unit by its signature, asked from a DIE of a .dwp's unit: libdw looks within one file only.
std::optional<Dwarf_Die> split_type(Dwarf* from, std::uint64_t signature);

}  // namespace trapline::sym
