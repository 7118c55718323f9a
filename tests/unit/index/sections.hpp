#pragma once
// Real files with an index in them, and their sections as bytes.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace trapline::test {

inline std::string fixture(std::string_view name) { return fmt::format("{}/{}", TL_FIXTURES, name); }

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "trapline-index-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  std::string operator/(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

 private:
  std::string path_;
};

inline bool has_tool(std::string_view name) {
  return std::system(fmt::format("command -v {} > /dev/null 2>&1", name).c_str()) == 0;
}

inline void run(const std::string& command) {
  REQUIRE_MESSAGE(std::system(fmt::format("{} > /dev/null 2>&1", command).c_str()) == 0, command);
}

using Section = std::vector<std::byte>;

// By objcopy; empty where the file has no such section.
inline Section section_of(const std::string& file, std::string_view name) {
  const Folder folder;
  static_cast<void>(std::system(
      fmt::format("objcopy --dump-section {}={} {} /dev/null 2>/dev/null", name, folder / "bytes", file).c_str()));
  std::ifstream in(folder / "bytes", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  Section bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// Copies with one, twenty or four hundred changed bytes, and every eighth one cut short; the same ones each time.
template <class Take>
void each_damaged(const Section& whole, unsigned rounds, const Take& take) {
  for (unsigned round = 0; round < rounds; ++round) {
    CAPTURE(round);
    std::mt19937 random(round * 7919 + 1);
    Section damaged = whole;
    for (unsigned flips = round % 3 == 0 ? 1 : round % 3 == 1 ? 20 : 400; flips > 0; --flips)
      damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    // The header is small and decides most.
    if (round % 2 == 0) damaged[random() % 32] = static_cast<std::byte>(random());
    if (round % 8 == 7) damaged.resize(random() % damaged.size());
    damaged.shrink_to_fit();
    take(damaged);
  }
}

}  // namespace trapline::test
