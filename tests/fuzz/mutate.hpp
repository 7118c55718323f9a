#pragma once
// Short fuzz runs: seeds are changed by a generator with a fixed start, so that a failure comes again. The sanitizer
// build is where they tell most.
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace trapline::fuzz {

using Random = std::mt19937_64;

inline std::size_t below(Random& random, std::size_t bound) { return bound == 0 ? 0 : random() % bound; }

// A few changes: bytes flipped, cut, doubled, words of the dictionary put in.
inline std::string mutate(std::string text, Random& random, std::span<const std::string_view> dictionary) {
  const auto changes = 1 + below(random, 4);
  for (std::size_t i = 0; i < changes; ++i) {
    const auto at = below(random, text.size() + 1);
    switch (below(random, 5)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      case 1: text.erase(at, below(random, 8)); break;
      case 2: text.insert(at, text.substr(at, below(random, 16))); break;
      case 3: text.insert(at, dictionary[below(random, dictionary.size())]); break;
      default: text.resize(at); break;
    }
  }
  return text;
}

}  // namespace trapline::fuzz
