// Files that cannot be run, and what is said about them. No process is started.
#include <doctest/doctest.h>
#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/spawn.hpp"
#include "tests/live/os_support.hpp"

namespace trapline::os {
namespace {

struct Files {
  TemporaryFolder folder;

  Error refused(const std::string& name) const {
    const auto ok = check_program(folder.path(name));
    REQUIRE(!ok);
    CHECK(ok.error().code == Errc::not_executable);
    CHECK(ok.error().message.find(name) != std::string::npos);
    return ok.error();
  }
  Error refused_content(const std::string& bytes, unsigned mode = 0755) const {
    folder.write("program", bytes, mode);
    return refused("program");
  }
};

bool says(const Error& error, std::string_view text) { return error.message.find(text) != std::string::npos; }

std::string elf(const Elf64_Ehdr& header, const std::vector<Elf64_Phdr>& segments, const std::string& rest = {}) {
  auto counted = header;
  counted.e_phnum = static_cast<std::uint16_t>(segments.size());
  std::string bytes = bytes_of(counted);
  for (const auto& segment : segments) bytes += bytes_of(segment);
  return bytes + rest;
}

Elf64_Phdr segment(std::uint32_t type, std::uint64_t offset = 0, std::uint64_t size = 0x1000) {
  Elf64_Phdr made{};
  made.p_type = type;
  made.p_offset = offset;
  made.p_vaddr = 0x400000 + offset;
  made.p_filesz = made.p_memsz = size;
  return made;
}

TEST_CASE("what can be run is let through") {
  CHECK(check_program("/bin/sh"));
  CHECK(check_program("/lib64/ld-linux-x86-64.so.2"));  // no loader of its own, and yet a program
  const Files files;
  files.folder.write("script", "#! /bin/sh -e\necho\n", 0755);
  CHECK(check_program(files.folder.path("script")));
  files.folder.write("of_script", "#!" + files.folder.path("script") + "\n", 0755);
  CHECK(check_program(files.folder.path("of_script")));
}

TEST_CASE("missing, a folder, a device, not executable") {
  const Files files;
  CHECK(says(files.refused("nothing"), "no such file"));
  CHECK(says(check_program(files.folder.path("")).error(), "a folder"));
  CHECK(says(check_program("/dev/null").error(), "not a regular file"));
  CHECK(says(files.refused_content("#!/bin/sh\n", 0644), "no permission"));
  CHECK(files.refused_content("#!/bin/sh\n", 0644).hint.starts_with("chmod +x"));
  REQUIRE(::symlink("nowhere", files.folder.path("link").c_str()) == 0);
  CHECK(says(files.refused("link"), "leads nowhere"));
  CHECK(says(check_program("/bin/sh/x").error(), "Not a directory"));
  CHECK(check_program("").error().code == Errc::not_executable);
}

TEST_CASE("files that are no program at all") {
  const Files files;
  CHECK(says(files.refused_content(""), "empty"));
  CHECK(says(files.refused_content("int main() {}\n"), "neither"));
  CHECK(says(files.refused_content("!<arch>\nx"), "static library"));
  CHECK(says(files.refused_content("MZ\x90"), "Windows"));
  CHECK(says(files.refused_content(std::string("\0\0\0\0", 4)), "neither"));
}

TEST_CASE("ELF files of another kind or machine") {
  const Files files;
  CHECK(says(files.refused_content("\x7f"
                                   "ELF"),
             "cut off"));
  CHECK(says(files.refused_content(elf(program_header(ET_REL), {})), "object file"));
  CHECK(says(files.refused_content(elf(program_header(ET_CORE), {})), "core dump"));
  CHECK(says(files.refused_content(elf(program_header(ET_EXEC, EM_AARCH64), {})), "aarch64"));
  CHECK(says(files.refused_content(elf(program_header(ET_EXEC, EM_RISCV), {})), "riscv"));
  CHECK(says(files.refused_content(elf(program_header(ET_EXEC, 0x1234), {})), "ELF machine 4660"));
  auto header = program_header(ET_EXEC, EM_386);
  header.e_ident[EI_CLASS] = ELFCLASS32;
  CHECK(says(files.refused_content(bytes_of(header)), "32-bit program (i386)"));
  header.e_machine = EM_X86_64;
  CHECK(says(files.refused_content(bytes_of(header)), "x32"));
  header = program_header(ET_EXEC, __builtin_bswap16(EM_S390));
  header.e_ident[EI_DATA] = ELFDATA2MSB;
  CHECK(says(files.refused_content(bytes_of(header)), "s390x (big-endian)"));
}

TEST_CASE("damaged ELF files") {
  const Files files;
  auto header = program_header(ET_EXEC);
  header.e_phnum = 3;
  CHECK(says(files.refused_content(bytes_of(header)), "cut off or damaged"));
  header.e_phoff = ~0ULL - 5;
  CHECK(says(files.refused_content(bytes_of(header)), "cut off or damaged"));
  CHECK(says(files.refused_content(elf(program_header(ET_EXEC), {segment(PT_NOTE)})), "nothing to load"));
}

TEST_CASE("a loader that does not exist is named") {
  const Files files;
  const std::string loader = "/lib/ld-of-elsewhere.so.1";
  const std::uint64_t at = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
  const auto bytes = elf(program_header(ET_DYN), {segment(PT_INTERP, at, loader.size() + 1), segment(PT_LOAD)},
                         loader + std::string(1, '\0'));
  const auto error = files.refused_content(bytes);
  CHECK(says(error, loader));
  CHECK(says(error, "does not exist"));
}

TEST_CASE("a shared library is told from a position independent program") {
  const Files files;
  const std::uint64_t at = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
  const auto with_dynamic = [&](std::vector<Elf64_Dyn> entries, std::uint64_t entry) {
    entries.push_back({DT_NULL, {0}});
    auto header = program_header(ET_DYN);
    header.e_entry = entry;
    std::string table;
    for (const auto& e : entries) table += bytes_of(e);
    return elf(header, {segment(PT_DYNAMIC, at, table.size()), segment(PT_LOAD)}, table);
  };
  CHECK(says(files.refused_content(with_dynamic({}, 0)), "shared library"));
  // Older linkers give libraries an entry point.
  CHECK(says(files.refused_content(with_dynamic({{DT_NEEDED, {1}}}, 0x1000)), "shared library"));
  files.folder.write("static_pie", with_dynamic({{DT_FLAGS_1, {DF_1_PIE}}}, 0x1000), 0755);
  CHECK(check_program(files.folder.path("static_pie")));
}

TEST_CASE("scripts: the interpreter is followed, and is what gets the blame") {
  const Files files;
  CHECK(says(files.refused_content("#!/no/such/interpreter -x\n"), "/no/such/interpreter"));
  CHECK(says(files.refused_content("#!\n"), "without an interpreter"));
  CHECK(says(files.refused_content("#!/bin/sh\r\necho\r\n"), "carriage return"));
  CHECK(says(files.refused_content("#!" + files.folder.path("program") + "\n"), "too deep"));  // itself
}

TEST_CASE("PATH is that of the program's environment; an empty element is its working folder") {
  const Files files;
  files.folder.write("tool", "#!/bin/sh\n", 0755);
  files.folder.write("data", "", 0644);
  const std::string here = files.folder.path("").substr(0, files.folder.path("").size() - 1);
  const auto find = [&](const std::string& name, const std::string& path) {
    return find_in_path(name, {"A=B", "PATH=" + path}, here);
  };
  CHECK(find("tool", "/nowhere:" + here).value() == here + "/tool");
  CHECK(find("tool", "/nowhere::/bin").value() == here + "/./tool");
  CHECK(find("sh", "/bin").value() == "/bin/sh");
  CHECK(find_in_path("sh", {}, here).has_value());  // no PATH: the usual folders
  CHECK(find("./tool", "").value() == here + "/./tool");
  CHECK(find("/bin/sh", "").value() == "/bin/sh");
  const auto missing = find("tool", "/bin");
  REQUIRE(!missing);
  CHECK(says(missing.error(), "/bin"));
  CHECK(missing.error().hint.find("./tool") != std::string::npos);
  CHECK(says(find("data", here).error(), "not executable"));
  CHECK(find("", here).error().code == Errc::not_executable);
}

}  // namespace
}  // namespace trapline::os
