// What execve(2) would refuse, said better: its errno names neither the file nor the reason (a missing loader is
// "No such file or directory" about a program that plainly exists).
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/os/spawn.hpp"

namespace trapline::os {
namespace {

constexpr int deepest_script = 5;          // the kernel's limit for scripts that run scripts (fs/exec.c, exec_binprm)
constexpr std::size_t script_line = 256;   // BINPRM_BUF_SIZE
constexpr std::size_t most_headers = 512;  // program headers; real files have about a dozen

std::unexpected<Error> refuse(const std::string& path, const std::string& why, std::string hint = {}, int os_errno = 0,
                              std::source_location where = std::source_location::current()) {
  return std::unexpected(Error{.code = Errc::not_executable,
                               .message = fmt::format("cannot run '{}': {}", path, why),
                               .os_errno = os_errno,
                               .hint = std::move(hint),
                               .where = where});
}

std::string machine_name(unsigned machine) {
  switch (machine) {
    case EM_386: return "i386";
    case EM_X86_64: return "x86-64";
    case EM_AARCH64: return "aarch64";
    case EM_ARM: return "arm";
    case EM_RISCV: return "riscv";
    case EM_PPC: return "powerpc";
    case EM_PPC64: return "powerpc64";
    case EM_S390: return "s390x";
    case EM_MIPS: return "mips";
    case EM_LOONGARCH: return "loongarch";
    case EM_SPARCV9: return "sparc64";
    case EM_BPF: return "bpf";
    case EM_CUDA: return "cuda";
    case EM_AMDGPU: return "amdgpu";
    default: return fmt::format("ELF machine {}", machine);
  }
}

// Bytes [offset, offset + size) of a file, fewer at its end.
std::string bytes_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size && offset + have <= static_cast<std::uint64_t>(INT64_MAX)) {
    const ssize_t n = ::pread(fd, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

template <class T>
std::optional<T> as(std::string_view bytes, std::size_t at = 0) {
  T value;
  if (bytes.size() < at || bytes.size() - at < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

struct DynamicFacts {
  bool needs_libraries = false;  // DT_NEEDED
  bool is_pie = false;           // DF_1_PIE: also a static PIE, which has no loader
};

DynamicFacts dynamic_facts(int fd, const Elf64_Phdr& dynamic) {
  DynamicFacts facts;
  const std::string table = bytes_at(fd, dynamic.p_offset, std::min<std::uint64_t>(dynamic.p_filesz, 65536));
  for (std::size_t at = 0;; at += sizeof(Elf64_Dyn)) {
    const auto entry = as<Elf64_Dyn>(table, at);
    if (!entry || entry->d_tag == DT_NULL) return facts;
    if (entry->d_tag == DT_NEEDED) facts.needs_libraries = true;
    if (entry->d_tag == DT_FLAGS_1 && (entry->d_un.d_val & DF_1_PIE) != 0) facts.is_pie = true;
  }
}

Result<void> check_segments(const std::string& path, int fd, const Elf64_Ehdr& header) {
  const std::size_t count = std::min<std::size_t>(header.e_phnum, most_headers);
  const std::string table = bytes_at(fd, header.e_phoff, count * sizeof(Elf64_Phdr));
  if (header.e_phentsize != sizeof(Elf64_Phdr) || table.size() < count * sizeof(Elf64_Phdr))
    return refuse(path, "the ELF file is cut off or damaged (its program headers lie outside of it)",
                  "Build or copy it again.");
  bool loads_anything = false;
  bool has_loader = false;
  DynamicFacts dynamic;
  for (std::size_t i = 0; i < count; ++i) {
    const auto segment = *as<Elf64_Phdr>(table, i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD) loads_anything = true;
    if (segment.p_type == PT_DYNAMIC) dynamic = dynamic_facts(fd, segment);
    if (segment.p_type != PT_INTERP) continue;
    has_loader = true;
    std::string loader = bytes_at(fd, segment.p_offset, std::min<std::uint64_t>(segment.p_filesz, 4096));
    loader.resize(std::min(loader.find('\0'), loader.size()));
    if (::access(loader.c_str(), X_OK) != 0)
      return refuse(path,
                    fmt::format("its loader '{}' {}", loader,
                                errno == ENOENT ? std::string("does not exist")
                                                : fmt::format("cannot be run: {}", std::strerror(errno))),
                    "It was built for another system or C library (musl, a container, nix): install that loader, or "
                    "debug it where it was built.",
                    errno);
  }
  if (!loads_anything)
    return refuse(path, "the ELF file has nothing to load (a file with debug information only?)",
                  "Name the program itself; its debug information is found by build-id.");
  // A library has neither a loader nor the mark of a static PIE. ld.so is such a file too and can be run: it has an
  // entry point and needs no other library. Older linkers gave libraries an entry point, hence both signs.
  if (header.e_type == ET_DYN && !has_loader && !dynamic.is_pie && (header.e_entry == 0 || dynamic.needs_libraries))
    return refuse(path, "it is a shared library, not a program", "Launch a program that loads it.");
  return {};
}

Result<void> check_elf(const std::string& path, int fd, const std::string& head) {
  const auto ident = [&](std::size_t at) { return at < head.size() ? static_cast<unsigned char>(head[at]) : 0U; };
  const auto machine = as<std::uint16_t>(head, offsetof(Elf64_Ehdr, e_machine)).value_or(EM_NONE);
  if (head.size() < sizeof(Elf32_Ehdr)) return refuse(path, "the ELF file is cut off", "Build or copy it again.");
  if (ident(EI_DATA) == ELFDATA2MSB) {
    const unsigned swapped = ((machine & 0xffU) << 8) | (machine >> 8);
    return refuse(
        path,
        fmt::format("it is built for another machine, {} (big-endian); this one is x86-64", machine_name(swapped)),
        "Build it for this machine, or debug it where it runs.");
  }
  if (ident(EI_CLASS) == ELFCLASS32 && (machine == EM_386 || machine == EM_X86_64))
    return refuse(path, fmt::format("it is a 32-bit program ({})", machine == EM_386 ? "i386" : "x32"),
                  "trapline debugs 64-bit x86 programs only: build it without -m32 or -mx32.");
  if (machine != EM_X86_64)
    return refuse(path, fmt::format("it is built for another machine, {}; this one is x86-64", machine_name(machine)),
                  "Build it for this machine, or debug it where it runs.");
  const auto header = as<Elf64_Ehdr>(head);
  if (!header || ident(EI_CLASS) != ELFCLASS64)
    return refuse(path, "the ELF file is cut off or damaged", "Build or copy it again.");
  if (header->e_type == ET_REL)
    return refuse(path, "it is an object file, not linked to a program", "Link it, and name the result.");
  if (header->e_type == ET_CORE) return refuse(path, "it is a core dump, not a program", "");
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
    return refuse(path, fmt::format("the ELF file is of type {}, not a program", header->e_type));
  return check_segments(path, fd, *header);
}

Result<void> check_file(const std::string& path, int depth);

// Source: execve(2), "Interpreter scripts": "#! interpreter [optional-arg]"; the name is taken literally, no PATH.
Result<void> check_script(const std::string& path, std::string_view line, int depth) {
  line = line.substr(2, std::min(line.find('\n'), script_line) - 2);
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos)
    return refuse(path, "its first line is '#!' without an interpreter", "Name one, such as #!/bin/sh");
  line.remove_prefix(begin);
  const std::string interpreter(line.substr(0, line.find_first_of(" \t")));
  if (depth >= deepest_script) return refuse(path, "its interpreter is a script of a script, too deep for the kernel");
  if (interpreter.ends_with('\r'))
    return refuse(path, "its first line ends in a carriage return, so that the interpreter is not found",
                  "Convert the file to Unix line ends (dos2unix).");
  if (auto ok = check_file(interpreter, depth + 1); !ok) {
    auto error = ok.error();
    error.message = fmt::format("cannot run the script '{}' with its interpreter: {}", path, error.message);
    return std::unexpected(std::move(error));
  }
  return {};
}

Result<void> check_content(const std::string& path, int fd, int depth) {
  const std::string head = bytes_at(fd, 0, script_line);
  if (head.empty()) return refuse(path, "the file is empty", "Did the build fail?");
  if (head.starts_with(ELFMAG)) return check_elf(path, fd, head);
  if (head.starts_with("#!")) return check_script(path, head, depth);
  if (head.starts_with("!<arch>\n")) return refuse(path, "it is a static library, not a program");
  if (head.starts_with("MZ")) return refuse(path, "it is a Windows program", "Build it for Linux.");
  if (head.starts_with("\xcf\xfa\xed\xfe") || head.starts_with("\xca\xfe\xba\xbe"))
    return refuse(path, "it is a program for another system (Mach-O or Java)", "Build it for Linux on x86-64.");
  return refuse(path, "it is neither an ELF program nor a script with '#!' in its first line",
                "Name the program that the build made, not a source or data file.");
}

Result<void> check_mode(const std::string& path, const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return refuse(path, "it is a folder", "Name the program in it.", EISDIR);
  if (!S_ISREG(info.st_mode)) return refuse(path, "it is a device, pipe or socket, not a regular file");
  if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) return {};
  const int err = errno;
  struct statvfs mount {};
  // The kernel answers EACCES for a file on a noexec mount whatever its mode.
  if (::statvfs(path.c_str(), &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0)
    return refuse(path, "its file system is mounted noexec", "Copy it elsewhere, or remount with -o exec.", err);
  return refuse(path, "no permission to execute it", fmt::format("chmod +x '{}'", path), err);
}

Result<void> check_file(const std::string& path, int depth) {
  if (path.empty()) return fail(Errc::not_executable, "no program was named", ENOENT);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    const int err = errno;
    struct stat link {};
    if (err == ENOENT && ::lstat(path.c_str(), &link) == 0)
      return refuse(path, "it is a symbolic link that leads nowhere", "", err);
    if (err == ENOENT) return refuse(path, "there is no such file", "Is it built, and is the path right?", err);
    return refuse(path, std::strerror(err), "", err);
  }
  TL_TRY_VOID(check_mode(path, info));
  const util::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};  // mode --x: may be run, not read. execve decides
  return check_content(path, fd.get(), depth);
}

std::string joined(const std::string& folder, const std::string& name) {
  if (folder.empty() || name.starts_with('/')) return name;
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

}  // namespace

Result<void> check_program(const std::string& path) { return check_file(path, 0); }

Result<std::string> find_in_path(const std::string& program, const std::vector<std::string>& env,
                                 const std::string& cwd) {
  if (program.empty()) return fail(Errc::not_executable, "no program was named", ENOENT);
  if (program.find('/') != std::string::npos) return joined(cwd, program);
  constexpr std::string_view name = "PATH=";
  const auto entry = std::ranges::find_if(env, [&](const std::string& e) { return e.starts_with(name); });
  const std::string path = entry == env.end() ? "/usr/local/bin:/usr/bin:/bin" : entry->substr(name.size());
  std::string unusable;
  for (std::size_t at = 0; at <= path.size();) {
    const auto end = std::min(path.find(':', at), path.size());
    // An empty element is the working directory (POSIX, XBD 8.3).
    const std::string folder = end == at ? "." : path.substr(at, end - at);
    std::string candidate = joined(cwd, joined(folder, program));
    struct stat info {};
    if (::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      if (::faccessat(AT_FDCWD, candidate.c_str(), X_OK, AT_EACCESS) == 0) return candidate;
      if (unusable.empty()) unusable = candidate;
    }
    at = end + 1;
  }
  if (!unusable.empty())
    return refuse(program, fmt::format("'{}' is not executable", unusable), fmt::format("chmod +x '{}'", unusable),
                  EACCES);
  return refuse(program, fmt::format("there is no such program in PATH ({})", path),
                fmt::format("For a program in the working directory write ./{}", program), ENOENT);
}

}  // namespace trapline::os
