// Objects of library types whose bytes are anything: what is shown of them is an answer or a reason, within the budget
// of a value, and no child that is not there.
#include <algorithm>
#include <cstring>
#include <random>

#include "daemon/natvis/engine.hpp"
#include "tests/live/values_look.hpp"

using namespace trapline;
using test::Look;

namespace {

// The program's memory, with other bytes where one object lies.
class Overlaid final : public util::WritableMemory {
 public:
  explicit Overlaid(util::WritableMemory& under) : under_(under) {}
  void put(LoadAddr at, std::vector<std::byte> bytes) {
    at_ = at;
    bytes_ = std::move(bytes);
  }
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override {
    TL_TRY_VOID(under_.read(at, out));
    lay(at, out);
    return {};
  }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override {
    const std::size_t got = under_.read_some(at, out);
    lay(at, out.first(got));
    return got;
  }
  Result<void> write(LoadAddr, std::span<const std::byte>) override { return fail(Errc::unsupported, "not here"); }

 private:
  void lay(LoadAddr at, std::span<std::byte> out) const {
    for (std::size_t i = 0; i < bytes_.size(); ++i)
      if (const std::uint64_t place = at_.value + i; place >= at.value && place - at.value < out.size())
        out[static_cast<std::size_t>(place - at.value)] = bytes_[i];
  }
  util::WritableMemory& under_;
  LoadAddr at_;
  std::vector<std::byte> bytes_;
};

constexpr std::uint64_t page_size = 20;

// 0, 1: the same byte everywhere; 2: any bytes; 3: any words that are addresses within the program's stack, near the
// object; 4: the object with a few bytes changed.
std::vector<std::byte> filled(int kind, std::mt19937_64& random, std::uint64_t at, std::vector<std::byte> bytes) {
  if (kind < 2) {
    std::ranges::fill(bytes, kind == 0 ? std::byte{0} : std::byte{0xff});
  } else if (kind == 2) {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  } else if (kind == 3) {
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      const std::uint64_t word = random() % 3 == 0 ? random() % 64 : at - 256 + random() % 64 * 8;
      std::memcpy(bytes.data() + i, &word, 8);
    }
  } else {
    for (int i = 0; i < 2; ++i) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
  }
  return bytes;
}

struct Shown {
  int objects = 0, refused = 0, children = 0;
};

void look_at(const eval::FrameView& view, const eval::Value& value, const util::Memory& memory, Shown& shown) {
  const std::string line = eval::summary(view, value);
  CHECK(!line.empty());
  CHECK(line.size() < 20'000);
  ++shown.objects;
  if (line.starts_with("<")) ++shown.refused;
  const auto count = eval::child_count(view, value);
  const std::uint64_t all = count.named + count.indexed;
  for (const std::uint64_t start : {std::uint64_t{0}, all > page_size ? all - page_size : all}) {
    if (start >= all) continue;
    const auto page = eval::children(view, value, "", start, page_size);
    if (!page) {
      CHECK(!page.error().message.empty());
      continue;
    }
    CHECK(page->size() <= page_size + 1);
    for (const eval::Child& child : *page) {
      ++shown.children;
      const std::string text = eval::summary(view, child.value);
      CHECK(text.size() < 20'000);
      std::byte probe{};
      if (child.value.place == eval::Value::Place::memory && child.value.type->size().value_or(0) > 0 &&
          memory.read_some(child.value.address, std::span(&probe, 1)) == 0)
        CHECK_MESSAGE(text.find('<') != std::string::npos, child.name << " = " << text);
    }
  }
}

}  // namespace

TEST_CASE("objects that hold anything are shown or refused") {
  std::mt19937_64 random(20261122);
  const std::pair<std::string_view, std::vector<std::string_view>> programs[] = {
      {"views_containers", {"sequences", "ordered", "hashed", "adaptors"}},
      {"views_containers.clang-libcxx", {"sequences", "ordered", "hashed", "adaptors"}},
      {"views_containers.debug", {"sequences", "adaptors"}},
      {"views_values", {"strings", "sums", "owners", "actions", "times", "systems"}},
      {"views_values.clang-libcxx", {"strings", "sums", "owners", "actions", "systems"}},
  };
  int refused = 0;
  for (const auto& [program, parts] : programs)
    for (const auto part : parts) {
      CAPTURE(std::string(program));
      CAPTURE(std::string(part));
      Look look(fmt::format("{}/{}", FIXTURES, program), std::string(part));
      natvis::Engine engine;
      eval::FrameView view = look.view();
      Overlaid memory(*view.memory);
      const auto locals = eval::locals(view);
      view.memory = &memory;
      view.visualizers = &engine;
      Shown shown;
      for (const auto& variable : locals) {
        const auto size = variable.value.type->strip()->size().value_or(0);
        if (variable.value.place != eval::Value::Place::memory || size == 0 || size > 4096) continue;
        CAPTURE(variable.name);
        memory.put({}, {});
        std::vector<std::byte> was(static_cast<std::size_t>(size));
        REQUIRE(memory.read(variable.value.address, was));
        for (int round = 0; round < 9; ++round) {
          const int kind = round < 2 ? round : 2 + (round - 2) % 3;
          CAPTURE(kind);
          CAPTURE(round);
          memory.put(variable.value.address, filled(kind, random, variable.value.address.value, was));
          engine.forget_memory();
          look_at(view, variable.value, memory, shown);
        }
      }
      CHECK(shown.objects > 50);
      refused += shown.refused;
    }
  CHECK(refused > 1000);
}
