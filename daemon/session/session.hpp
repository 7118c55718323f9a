#pragma once
// One debuggee tree, behind proto::Control: composes run, image, stack, trap and eval.
// Thread: the loop's, which is the tracer.
#include <asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/os/tracer_thread.hpp"
#include "proto/control.hpp"

namespace trapline::session {

struct Environment {
  asio::io_context& loop;
  const os::TracerThread& tracer;
  std::filesystem::path journal_dir;  // runtime folder; journals and the terminal helper's socket live there
  std::string exec_helper;  // path of traplined itself, for runInTerminal: `traplined --wait-for-tracer SOCKET -- ARGV`
  // True while nobody takes what the program prints: it is not read then, and the program waits as at any full pipe.
  std::shared_ptr<const bool> output_held = std::make_shared<bool>(false);
};

std::unique_ptr<proto::Control> make_session(Environment environment);

}  // namespace trapline::session
