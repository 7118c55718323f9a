#pragma once
// Inside the room only: lists, trees and custom lists, one element after another. What was walked is remembered as
// positions to start from, so that the next page does not begin at the head. A structure that loops, or that ends
// before its size says, is told as such.
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "daemon/natvis/type_use.hpp"

namespace trapline::natvis {

// What the expressions of a visualiser are run on.
struct Reading {
  const eval::FrameView& view;     // reads through the cache
  const eval::FrameView& binding;  // modules only
  eval::Intrinsics* intrinsics;
  TypeUse& use;

  Result<eval::Value> run(const Expression& expression, const eval::Value& subject,
                          const std::vector<Local>& locals = {}, std::vector<eval::Value>* slots = nullptr) const;
  Result<bool> truth(const Expression& expression, const eval::Value& subject, const std::vector<Local>& locals = {},
                     std::vector<eval::Value>* slots = nullptr) const;
  Result<std::int64_t> integer(const Expression& expression, const eval::Value& subject,
                               const std::vector<Local>& locals = {}, std::vector<eval::Value>* slots = nullptr) const;
  Result<const sym::Type*> type_of(const Expression& expression, const sym::Type* subject,
                                   const std::vector<Local>& locals = {}) const;
  // The word that `expression` gives for the object of type `subject` at `address`.
  Result<std::uint64_t> pointer(const Expression& expression, const sym::Type* subject, std::uint64_t address) const;
};

// The work that one question may cost; an answer that costs more is refused with what was done so far.
class Budget {
 public:
  Result<void> spend();

 private:
  static constexpr std::uint64_t max_steps = std::uint64_t{1} << 23;
  static constexpr std::chrono::seconds max_time{3};
  std::uint64_t steps_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Addresses met, up to a million: enough for what is looked at, bounded for what is broken.
class Met {
 public:
  bool add(std::uint64_t address);  // false: met before

 private:
  static constexpr std::size_t limit = std::size_t{1} << 20;
  void grow();
  std::vector<std::uint64_t> slots_;  // open addressing; 0: free
  std::size_t used_ = 0;
};

// One element, where the walk stands.
struct Stand {
  std::uint64_t index = 0;
  eval::Value subject;                // the node, or for custom lists the container
  const Alternative* node = nullptr;  // how it is shown
  const Instruction* item = nullptr;  // of custom lists
  const std::vector<Local>* locals = nullptr;
  std::vector<eval::Value>* slots = nullptr;
};
using Emit = std::function<void(const Stand&)>;

class Walk {
 public:
  Walk() = default;
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
  virtual ~Walk() = default;
  // Elements [start, start + count) as far as there are any. Errors: corrupt (after the sound ones were emitted),
  // too_large (the budget).
  virtual Result<void> page(const Reading& reading, std::uint64_t start, std::uint64_t count, const Emit& emit) = 0;
  // All of them, walked: for containers that do not say their size.
  virtual Result<std::uint64_t> count(const Reading& reading) = 0;
};

// `size`: what the container says; nullopt: nothing. `head`: the first node or the root.
std::unique_ptr<Walk> make_list_walk(const Item& item, const sym::Type* node, std::uint64_t head,
                                     std::optional<std::uint64_t> size);
std::unique_ptr<Walk> make_tree_walk(const Item& item, const sym::Type* node, std::uint64_t head,
                                     std::optional<std::uint64_t> size);
std::unique_ptr<Walk> make_custom_walk(const Item& item, eval::Value subject);

bool in_view(const Guard& guard, const std::string& view);
std::unexpected<Error> corrupt(std::string why);
// The first whose condition holds; nullptr: none does. An alternative that does not bind and is optional is passed by.
Result<const Alternative*> choose(const Reading& reading, const std::vector<Alternative>& all,
                                  const eval::Value& subject, const std::vector<Local>& locals = {},
                                  std::vector<eval::Value>* slots = nullptr);

}  // namespace trapline::natvis
