// Prints what the evaluator shows at a program's int3: every frame's variables, or the expressions given after `--`.
// A hand tool, and what values_against_gdb.py compares with. values_of PROGRAM PART [LEVEL] [-- EXPRESSION...]
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/live/values_look.hpp"

using namespace trapline;

namespace {

// Members and elements, by the expressions that the evaluator gives them. Pointers are not followed.
void print_parts(const eval::FrameView& view, const eval::Value& value, const std::string& expression, int depth) {
  if (depth > 3 || value.is_problem() || value.type->strip()->kind() == sym::TypeKind::pointer) return;
  const auto page = eval::children(view, value, expression, 0, 20);
  if (!page) return;
  for (const auto& child : *page) {
    if (child.evaluate_name.empty()) continue;
    fmt::print("part\t{}\t{}\t{}\n", eval::type_name(child.value), child.evaluate_name,
               eval::summary(view, child.value));
    print_parts(view, child.value, child.evaluate_name, depth + 1);
  }
}

void print(test::Look& look, std::size_t level) {
  const auto view = look.view(level);
  fmt::print("#{} {}\n", level, look.function(level));
  const auto each = [&](const char* kind, const std::vector<eval::Variable>& list) {
    for (const auto& variable : list) {
      const bool global = std::string_view(kind) == "global";
      fmt::print("{}\t{}\t{}\t{}\n", kind, eval::type_name(variable.value),
                 global ? variable.expression : variable.name, eval::summary(view, variable.value));
      if (!variable.expression.empty()) print_parts(view, variable.value, variable.expression, 0);
    }
  };
  each("arg", eval::arguments(view));
  each("local", eval::locals(view));
  if (level == 0) each("global", eval::globals(view));
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
