// Prints what the evaluator shows at a program's int3: every frame's variables, or the expressions given after `--`.
// A hand tool, and what values_against_gdb.py compares with. values_of PROGRAM PART [LEVEL] [-- EXPRESSION...]
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/live/values_look.hpp"

using namespace trapline;

namespace {

void print(test::Look& look, std::size_t level) {
  const auto view = look.view(level);
  fmt::print("#{} {}\n", level, look.function(level));
  const auto each = [&](const char* kind, const std::vector<eval::Variable>& list) {
    for (const auto& variable : list)
      fmt::print("{}\t{}\t{}\t{}\n", kind, eval::type_name(variable.value), variable.name,
                 eval::summary(view, variable.value));
  };
  each("arg", eval::arguments(view));
  each("local", eval::locals(view));
}

}  // namespace

int main(int count, char** words) {
  doctest::Context context;
  context.setAsDefaultForAssertsOutOfTestCases();
  if (count < 3) return 2;
  test::Look look(words[1], words[2]);
  std::optional<std::size_t> level;
  int at = 3;
  if (at < count && std::string_view(words[at]) != "--") level = std::stoul(words[at++]);
  if (at < count && std::string_view(words[at]) == "--") {
    for (++at; at < count; ++at)
      fmt::print("{} = ({}) {}\n", words[at], look.type(words[at], level.value_or(0)),
                 look.show(words[at], level.value_or(0)));
    return 0;
  }
  for (std::size_t i = level.value_or(0); !look.function(i).empty() && (!level || i == *level); ++i) print(look, i);
  return 0;
}
