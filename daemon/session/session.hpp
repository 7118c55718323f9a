#pragma once
// One debuggee tree, behind proto::Control: composes run, image, stack, trap and eval.
// Thread: the loop's, which is the tracer.
#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/os/tracer_thread.hpp"
#include "proto/control.hpp"

namespace trapline::session {

struct Environment {
  asio::io_context& loop;
  const os::TracerThread& tracer;
  std::filesystem::path journal_dir;  // runtime folder; journals and the terminal helper's socket live there
  std::string exec_helper;  // path of traplined itself, for runInTerminal: `traplined --wait-for-tracer SOCKET -- ARGV`
  std::string index_folder{};                  // of symbol indexes; empty: the user's cache folder
  std::optional<std::uint64_t> index_worth{};  // as sym::SearchOptions has it
  // Work behind that takes longer than this is told of: a bar that flashes by helps nobody.
  std::chrono::milliseconds tell_after{400};
  // True while nobody takes what the program prints: it is not read then, and the program waits as at any full pipe.
  std::shared_ptr<const bool> output_held = std::make_shared<bool>(false);
};

std::unique_ptr<proto::Control> make_session(Environment environment);

// Builds the symbol index of a program or library, from the debug file that a session would read, into `folder` (empty:
// the user's cache folder); `built` is false where it was there already.
// Errors: of the file; not_found (it has no debug information); os (the index cannot be kept).
struct IndexedAhead {
  std::string debug_file;
  std::string index;
  std::uint64_t bytes = 0;
  bool built = false;
};
Result<IndexedAhead> index_ahead(const std::string& file, const std::string& folder,
                                 const std::function<void(std::uint64_t done, std::uint64_t all)>& progress);

}  // namespace trapline::session
