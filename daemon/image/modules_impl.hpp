#pragma once
// Inside the room: what Modules holds.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/image/link_map.hpp"
#include "daemon/image/module_cache.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/os/proc.hpp"

namespace trapline::image {

enum class Role : std::uint8_t { program, loader, vdso, library };

struct Modules::Impl {
  struct Entry {
    MappedModule mapped;
    Role role = Role::library;
    std::string read_from{};  // as sym::SearchOptions has it
    LoadAddr dynamic;         // of link map entries: tells a library from another one that was mapped in its place
  };

  explicit Impl(sym::SearchOptions search) : options(std::move(search)), root_by_process(options.root.empty()) {}

  sym::SearchOptions options;  // its root: as it was given, else of the process
  bool root_by_process;
  std::string jail;                             // what the process's root is called from here; empty: "/"
  std::vector<std::unique_ptr<Entry>> entries;  // in link order; addresses of MappedModule stay
  std::vector<const Entry*> by_address;         // by range.begin
  os::AuxVector auxv;
  ProgramHeaders headers;
  std::uint64_t generation = 0;
  LoadAddr change_hook;  // r_brk, once the loader has set it

  const Entry* at(LoadAddr pc) const;
  const Entry* with_role(Role role) const;
  void index();

  void add_program(Pid pid, const util::Memory& memory, const std::vector<os::Mapping>& maps, Changes& changes);
  void add_loader(Pid pid, const util::Memory& memory, const std::vector<os::Mapping>& maps, Changes& changes);
  void add_vdso(const util::Memory& memory, const std::vector<os::Mapping>& maps, Changes& changes);
  void add_from_maps(Pid pid, const util::Memory& memory, const std::vector<os::Mapping>& maps, Changes& changes);
  // Null: neither the file nor the memory gives an ELF image.
  Entry* add(Pid pid, const std::string& path, const os::Mapping* mapping, std::optional<std::uint64_t> bias, Role role,
             const util::Memory& memory, Changes& changes);
  // True: the link map was read, and is what `entries` show now.
  // `maps`: where they were read at this stop already.
  bool follow_link_map(Pid pid, const util::Memory& memory, Changes& changes,
                       std::optional<std::vector<os::Mapping>> maps);
  std::optional<LoadAddr> r_debug(const util::Memory& memory) const;
};

std::string base_name(const std::string& path);

}  // namespace trapline::image
