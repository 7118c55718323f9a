#pragma once
// Inside the room only: the engine over several files. catalogue.cpp: files, and which visualisers fit a type;
// looks.cpp: one line of text; expansion.cpp: what a value's children are made of; items.cpp: the children themselves.
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/eval/text.hpp"
#include "daemon/natvis/engine.hpp"
#include "daemon/natvis/loaded.hpp"
#include "daemon/natvis/pages.hpp"
#include "daemon/natvis/walk.hpp"

namespace trapline::natvis {

// Counts what is within what.
class Deeper {
 public:
  explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  ~Deeper() { --depth_; }

 private:
  int& depth_;
};

// A synthetic node: the object again, shown by other items.
struct SyntheticLook final : eval::Visual {
  TypeUse* use = nullptr;
  const Item* item = nullptr;
  std::uint64_t generation = 0;  // of the catalogue that owns the two
};

// One <Item>, <ArrayItems> ... on one object: how many children it gives, and how they are found.
struct Group {
  const Item* item = nullptr;
  TypeUse* use = nullptr;  // that its expressions are read through
  std::uint64_t named = 0, indexed = 0;
  // arrays
  std::uint64_t address = 0;
  const sym::Type* element = nullptr;
  std::vector<std::uint64_t> sizes;  // a dimension each
  std::vector<std::int64_t> lower;
  eval::Value value;           // expanded: whose children these are
  std::unique_ptr<Walk> walk;  // lists, trees
  std::string trouble;         // shown as a child: why there are no more
};

struct Expansion {
  std::vector<Group> groups;
  std::uint64_t named = 0, indexed = 0;
  bool raw_view = false;
  std::string trouble;          // the object is not what it should be: "not initialised?: ..." Its items are not shown.
  std::optional<bool> indexes;  // operator[] gives what the indexed children show
  bool numbers(const Group& group) const { return group.indexed == indexed; }  // of its elements are those of them all
};

class Engine::Inside final : public eval::Intrinsics {
 public:
  // ---- catalogue
  explicit Inside(Box box);
  void set_files(std::vector<std::string> paths);
  bool refresh();
  void add_text(std::string name, std::string_view text);
  Result<const eval::Intrinsic*> find(const sym::Type* record, std::string_view name, std::size_t arguments) override;
  std::vector<std::string> names(const sym::Type* record) override;
  void look_at(const eval::FrameView& frame);  // before anything is bound or read
  void forget_memory();

  // The first that fits and binds, with the part of `value` that it is about; nullptr: none.
  struct Seen {
    TypeUse* use = nullptr;
    eval::Value subject;
    eval::Value whole;  // of a derived class, where the visualiser is its base's
    const Item* synthetic = nullptr;
    const Expand* expand() const { return synthetic != nullptr ? synthetic->expand.get() : use->visual.expand.get(); }
  };
  std::optional<Seen> see(const eval::Value& value);
  // What <MostDerivedType> says the object is; nullopt: nothing, or what it is declared as.
  std::optional<eval::Value> most_derived(const eval::Value& value);

  // ---- looks
  std::optional<std::string> line(const eval::Value& value, const eval::Options& options, std::size_t depth);
  std::optional<Result<std::string>> string(const eval::Value& value, std::size_t limit);
  std::string text(const Reading& reading, const Interpolated& text, const eval::Value& subject,
                   const eval::Options& options, std::size_t depth, const std::vector<Local>& locals = {},
                   std::vector<eval::Value>* slots = nullptr);
  // The expression's value as its specifiers want it: an array of [n], raw, in a view.
  struct Specified {
    eval::Value value;
    eval::Format format;
  };
  Result<Specified> specified(const Reading& reading, const Expression& expression, const eval::Value& subject,
                              const std::vector<Local>& locals = {}, std::vector<eval::Value>* slots = nullptr);
  std::string first_children(const Reading& on, bool named_elements, const eval::Value& subject,
                             const eval::Options& options, std::size_t depth, std::string_view before);
  // Through what the guarded is to be read; nullopt: it does not hold.
  std::optional<Reading> applies(const Reading& reading, const Guard& guard, const eval::Value& subject,
                                 Error* wrong = nullptr);
  // What a guard's symbol makes known. nullptr: another symbol stands there, or none.
  TypeUse* by_symbol(const Reading& reading, const Guard& guard, const eval::Value& subject);

  eval::Visualizer::Look look(const eval::Value& value);

  // ---- expansion, items
  std::shared_ptr<Expansion> expand(const Seen& seen);
  std::vector<eval::Child> page(const Seen& seen, Expansion& expansion, std::string_view expression,
                                std::uint64_t start, std::uint64_t count);

  Reading reading(TypeUse& use) { return {view_, binding_, this, use}; }
  eval::FrameView& view() { return view_; }
  std::vector<std::string> complaints;
  int nesting = 0;               // of lines within lines
  bool within_elements = false;  // of a container's line: those of a container among them are not listed

 private:
  struct OnDisk {
    std::string path;
    std::filesystem::file_time_type changed{};
    std::uintmax_t size = 0;
    bool readable = false;
  };
  void read_file(const std::string& path);
  void read_text(std::string name, std::string_view text, bool from_box);
  void reload();
  void index();
  void forget_types();
  const std::vector<std::unique_ptr<TypeUse>>& uses(const sym::Type* record);
  void add_uses(const sym::Type* record, std::vector<const sym::Member*>& path,
                std::vector<std::unique_ptr<TypeUse>>& out, int depth);
  bool usable(TypeUse& use);
  Result<void> check(const Reading& reading, const std::vector<DisplayString>& displays);
  Result<void> check(const Reading& reading, const Expand& expand);
  Result<void> check(const Reading& reading, const Item& item);
  Result<void> check(const Reading& reading, const Expression& expression, const sym::Type* subject,
                     const std::vector<Local>& locals, bool optional);
  Result<void> check(const Reading& reading, const Interpolated& text, const sym::Type* subject,
                     const std::vector<Local>& locals);

  Result<std::optional<std::uint64_t>> size_of(const Reading& reading, const Item& item, const eval::Value& subject);
  Result<void> fill(const Reading& reading, Group& group, const eval::Value& subject);
  Result<std::uint64_t> dimensions_of(const Reading& reading, Group& group, const eval::Value& subject);
  Result<void> fill_array(const Reading& reading, Group& group, const eval::Value& subject);
  Result<void> fill_nodes(const Reading& reading, Group& group, const eval::Value& subject);
  Result<void> fill_expanded(const Reading& reading, Group& group, const eval::Value& subject);
  Result<std::string> characters(const Specified& what, std::size_t limit, eval::Quotes quotes);
  Result<std::string> shown(const Specified& what, const eval::Options& options, std::size_t depth);

  struct PageOf;
  void named_children(const PageOf& wanted, const Group& group, std::uint64_t start, std::uint64_t count);
  void indexed_children(const PageOf& wanted, Group& group, std::uint64_t first, std::uint64_t start,
                        std::uint64_t count);
  void array_children(const PageOf& wanted, const Group& group, std::uint64_t first, std::uint64_t start,
                      std::uint64_t count);
  bool operator_gives(const Seen& seen, Expansion& expansion, const Group& group);

  std::deque<File> files_;  // the box first; addresses stay
  std::vector<OnDisk> on_disk_;
  std::vector<std::string> paths_;
  std::vector<std::pair<std::string, std::string>> given_;  // add_text
  struct Entry {
    const File* file = nullptr;
    const TypeVisual* visual = nullptr;
    const TypeVisual::Named* name = nullptr;
    std::size_t order = 0;
  };
  std::unordered_map<std::string, std::vector<Entry>> by_name_;
  std::unordered_map<const sym::Type*, std::vector<std::unique_ptr<TypeUse>>> uses_;
  std::set<std::string> told_;
  std::uint64_t generation_ = 1;
  Box box_;
  bool loaded_ = false;

  std::vector<const sym::Module*> modules_;  // that the types above are of
  Loaded loaded_modules_;
  eval::FrameView binding_, view_;
  std::unique_ptr<Pages> pages_;
  struct Key {
    std::uint64_t address = 0;
    const void* use = nullptr;
    const void* item = nullptr;
    std::string view;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, std::shared_ptr<Expansion>> expansions_;
};

// A C++ expression that gives it again wherever it is asked from: its address with its type. Empty: there is none.
std::string by_address(const eval::Value& value);
bool of_module(const sym::Type* type, std::string_view name);
// `{$items}` and `{$values}` of a line: ours, not natvis'.
bool stands_for_children(const Expression& expression);

}  // namespace trapline::natvis
