#pragma once
// libedit with history in $XDG_STATE_HOME/trapline/history and completion; events of the session are handled while it
// waits for a key.
#include <functional>
#include <optional>
#include <string>

namespace trapline::client {

class Prompt;

struct LineEditor {
  explicit LineEditor(Prompt& prompt);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;
  // nullopt: end of input. `idle` runs about ten times a second while nobody types; true: it printed something.
  std::optional<std::string> read(const std::function<bool()>& idle);
};

}  // namespace trapline::client
