#pragma once
// Builds the index of one debug file: scans its units on a few threads of low priority and lays the result out as bytes
// (image.hpp). Touches nothing of the session: not the debuggee, no handle of libdw.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/index/debug_sections.hpp"
#include "daemon/index/harvest.hpp"
#include "daemon/index/image.hpp"
#include "daemon/index/scan.hpp"
#include "proto/words/result.hpp"

namespace trapline::index {

struct BuildOptions {
  unsigned threads = 0;  // 0: as many as the machine has
  // Called from one of the threads, in bytes of .debug_info; not more often than every 20 ms.
  std::function<void(std::uint64_t done, std::uint64_t all)> progress{};
  const std::atomic<bool>* cancel = nullptr;
};

// Errors: cancelled, bad_debug_info (a file was truncated meanwhile). Damage in the debug information is no error: the
// index tells what could not be read. `alternate`: the dwz file; may be null.
Result<std::vector<std::byte>> build(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate,
                                     const Key& key, const BuildOptions& options);

// An index of the units and their addresses only, no names and no files: root DIEs are all that is read. On the calling
// thread; a millisecond a thousand units.
std::shared_ptr<const Index> survey(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate);

// One unit by the offset of its header in .debug_info; none where there is no sane one.
struct LoneUnit {
  UnitHead head;
  UnitRoot root;
};
std::optional<LoneUnit> read_unit(const DebugFile& file, std::uint64_t offset);

// The second half, apart for tests: several harvests of one file's units to one image. Empty where `cancel` was set
// meanwhile.
struct ScannedUnit {
  UnitRoot root;
  bool damaged = false;
};
std::vector<std::byte> lay_out(const UnitTable& units, const std::vector<ScannedUnit>& scanned,
                               std::vector<std::unique_ptr<Harvest>> harvests, const std::string& problem,
                               const Key& key, const std::atomic<bool>* cancel = nullptr);

// Writes the checksums of an image that was changed: for tests of what checksums cannot tell.
void seal(std::vector<std::byte>& image);

// gcc records its switches ("GNU C++17 12.2.0 -mtune=generic -O2 -g"); clang does so only when asked to.
bool optimizing(std::string_view producer);

}  // namespace trapline::index
