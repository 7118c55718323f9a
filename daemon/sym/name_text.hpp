#pragma once
// Types and parameter lists as text, brought to one spelling: what a person writes, what a demangler prints and what
// DWARF says of one type differ in blanks, in where `const` stands, and in what is left out. Inside the room.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trapline::sym {

bool is_word(char c);  // of an identifier
// Blanks stay only where they keep two words apart.
std::string without_blanks(std::string_view text);
// "const std::string &" and "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&".
// Also typedefs of the standard library (size_t), template arguments that are defaults, suffixes of numbers.
std::string normal_types(std::string_view text);
// At commas outside of all brackets; none for "" and "void".
std::vector<std::string> split_list(std::string_view list);
// Parameter by parameter, in any spelling. Names that are written without their namespaces fit those of any.
bool same_list(std::string_view wanted, std::string_view candidate);
// The text between the parentheses that stand right behind the function's name.
std::optional<std::string_view> parameters_of(std::string_view demangled);
// '*' is any text, '?' one character. Linear in the product of both sizes.
bool glob_fits(std::string_view pattern, std::string_view text);

}  // namespace trapline::sym
