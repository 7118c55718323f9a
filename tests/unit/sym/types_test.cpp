// Types as gcc and clang write them: DWARF 4 and 5, in type units or not, position independent or not. The numbers are
// those of the x86-64 psABI (chapter 3) and the Itanium C++ ABI.
#include <map>

#include "daemon/sym/type.hpp"
#include "daemon/sym/variable.hpp"
#include "tests/unit/sym/support.hpp"

using namespace trapline;
using namespace trapline::sym;

namespace {

constexpr std::string_view builds[] = {"type_shapes",
                                       "type_shapes.nopie",
                                       "type_shapes.dwarf4",
                                       "type_shapes.types",
                                       "type_shapes.types5",
                                       "type_shapes.clang",
                                       "type_shapes.clang-dwarf4",
                                       "type_shapes.clang-types",
                                       "type_shapes.clang-types5"};

class Types {
 public:
  explicit Types(std::string_view build) : module_(test::open_fixture(build)), modules_{module_.get()} {}

  const Type* of(std::string_view variable) const {
    const auto found = find({"types", std::string(variable)});
    REQUIRE_MESSAGE(!found.empty(), variable);
    CHECK(found[0].kind == Symbol::Kind::variable);
    return found[0].type;
  }
  const Type* record(std::string_view variable) const { return of(variable)->strip()->complete(modules_); }
  std::vector<Symbol> find(std::vector<std::string> parts) const {
    QualifiedName name;
    name.parts = std::move(parts);
    return lookup({.scope = {}, .pc = 0, .modules = modules_}, name);
  }

 private:
  std::shared_ptr<const Module> module_;
  std::vector<const Module*> modules_;
};

const Member& member(const Type* record, std::string_view name) {
  for (const Member& each : record->members())
    if (each.name == name) return each;
  FAIL("no member " << name << " in " << record->name());
  return record->members()[0];
}

// "name@offset" or "name@offset.bit:bits", then the type.
std::string layout(const Type* record) {
  std::string text;
  for (const Member& each : record->members()) {
    if (each.name.starts_with("_vptr")) continue;
    text += text.empty() ? "" : " ";
    text += each.name.empty() ? "?" : each.name;
    if (each.kind == Member::Kind::static_) {
      text += "(static)";
    } else if (each.offset_is_expression) {
      text += "(virtual)";
    } else {
      text += fmt::format("@{}", each.offset);
      if (each.bit_size != 0) text += fmt::format(".{}:{}", each.bit_offset, each.bit_size);
    }
  }
  return text;
}

template <class Body>
void in_each(Body&& body) {
  for (const std::string_view build : builds) {
    CAPTURE(build);
    body(Types(build));
  }
}

}  // namespace

TEST_CASE("records: size, members, offsets, bit-fields") {
  in_each([](const Types& types) {
    CHECK(types.of("plain")->name() == "types::Plain");
    CHECK(types.record("plain")->short_name() == "Plain");
    CHECK(types.record("plain")->kind() == TypeKind::record);
    CHECK(types.record("plain")->record_key() == RecordKey::struct_);
    CHECK(types.record("plain")->size() == 16);
    CHECK(types.record("plain")->alignment() == 8);
    CHECK(layout(types.record("plain")) == "c@0 s@2 i@4 l@8");
    CHECK(member(types.record("plain"), "l").type->name() == "long");
    CHECK(types.record("either")->record_key() == RecordKey::union_);
    CHECK(types.record("either")->size() == 16);
    CHECK(layout(types.record("either")) == "i@0 f@0 plain@0");
    CHECK(member(types.record("either"), "plain").type == types.of("plain"));
    // `unsigned : 0` moves e to the next unsigned; it is a member of its own in no DWARF.
    CHECK(layout(types.record("bits")) == "a@0.0:3 b@0.3:5 c@1.0:40 d@6.0:1 e@8.0:7");
    CHECK(member(types.record("bits"), "b").type->name() == "int");
    CHECK(types.record("aligned")->size() == 64);
    CHECK(types.record("aligned")->alignment() == 64);
    const Type* tail = types.record("tail");
    CHECK(tail->size() == 4);
    CHECK(layout(tail) == "count@0 items@4");
    const Type* items = member(tail, "items").type->strip();
    CHECK(items->kind() == TypeKind::array);
    CHECK_FALSE(items->count().has_value());
    CHECK_FALSE(items->dynamic_count());
  });
}

TEST_CASE("bases, virtual bases, anonymous members, static members, templates") {
  in_each([](const Types& types) {
    const Type* both = types.record("both");
    CHECK(layout(both) == "First@0 Second@8 both@16");
    CHECK(both->members()[0].kind == Member::Kind::base);
    CHECK(both->members()[2].kind == Member::Kind::field);
    CHECK_FALSE(both->has_vtable());
    const Type* bottom = types.record("bottom");
    CHECK(layout(bottom) == "Left@0 Second(virtual) bottom@12");
    CHECK(bottom->members()[1].kind == Member::Kind::virtual_base);
    CHECK(bottom->has_vtable());
    const Type* left = member(bottom, "Left").type->strip()->complete();
    CHECK(member(left, "Shared").kind == Member::Kind::virtual_base);
    CHECK(member(left, "Shared").type->name() == "types::Shared");
    CHECK(has_field(bottom, "shared"));
    CHECK(has_field(bottom, "second"));
    CHECK_FALSE(has_field(bottom, "third"));

    const Type* anonymous = types.record("anonymous");
    CHECK(layout(anonymous) == "before@0 ?@4 ?@8 inner@12 after@16.0:4");
    const Type* inside = anonymous->members()[1].type->strip()->complete();
    CHECK(inside->anonymous());
    CHECK(inside->record_key() == RecordKey::union_);
    CHECK(layout(inside) == "as_int@0 as_float@0");
    CHECK(layout(anonymous->members()[2].type->strip()->complete()) == "x@0 y@2");
    CHECK(has_field(anonymous, "as_float"));
    CHECK(member(anonymous, "inner").type->name() == "types::Anonymous::Inner");

    const Type* counted = types.record("counted");
    CHECK(counted->size() == 4);
    CHECK(member(counted, "total").kind == Member::Kind::static_);
    CHECK(member(counted, "limit").kind == Member::Kind::static_);
    CHECK(member(counted, "own").offset == 0);

    const Type* box = types.record("box");
    CHECK(box->name() == "types::Box<types::Plain, 3>");
    CHECK(box->size() == 48);
    REQUIRE(box->template_arguments().size() == 2);
    CHECK(box->template_arguments()[0].name == "T");
    CHECK(box->template_arguments()[0].type->name() == "types::Plain");
    CHECK(box->template_arguments()[1].value == 3);
  });
}

TEST_CASE("enumerations: values, signs, scopes, flags") {
  in_each([](const Types& types) {
    const auto text = [](const Type* type) {
      std::string out;
      for (const Enumerator& e : type->enumerators())
        out += fmt::format("{}{}={}", out.empty() ? "" : " ", e.name, static_cast<std::int64_t>(e.value));
      return out;
    };
    const Type* colour = types.record("colour");
    CHECK(colour->kind() == TypeKind::enumeration);
    CHECK(text(colour) == "red=0 green=1 blue=5 minus=-1");
    CHECK(colour->size() == 4);
    CHECK_FALSE(colour->scoped());
    CHECK_FALSE(colour->flags());
    CHECK(colour->encoding() == Encoding::signed_integer);
    const Type* scoped = types.record("scoped");
    CHECK(text(scoped) == "low=0 high=200");
    CHECK(scoped->scoped());
    CHECK(scoped->size() == 1);
    CHECK(scoped->target()->strip()->name() == "unsigned char");
    const Type* flags = types.record("flags");
    CHECK(flags->flags());
    CHECK(text(flags) == "none=0 can_read=1 can_write=2 can_exec=4 all=7 top=2147483648");
    CHECK(text(types.record("wide_enum")) == "far=-1");
    CHECK(types.record("wide_enum")->size() == 8);
    // Names of enumerators, as the program's code writes them.
    REQUIRE_FALSE(types.find({"types", "blue"}).empty());
    CHECK(types.find({"types", "blue"})[0].value == 5);
    CHECK(types.find({"types", "Scoped", "high"})[0].value == 200);
    CHECK(types.find({"types", "high"}).empty());
  });
}

TEST_CASE("arrays, pointers, functions, member pointers, references, aliases, qualifiers") {
  in_each([](const Types& types) {
    const Type* cube = types.of("cube")->strip();
    CHECK(cube->name() == "int[2][3][4]");
    CHECK(cube->size() == 96);
    CHECK(cube->count() == 2);
    CHECK(cube->target()->strip()->count() == 3);
    CHECK(cube->target()->strip()->size() == 48);
    CHECK(cube->target()->strip()->target()->strip()->count() == 4);
    CHECK(cube->declared_as("c") == "int c[2][3][4]");
    CHECK(types.of("rows")->strip()->target()->strip()->name() == "int[4]");  // gcc writes int[2][4]
    CHECK(types.of("rows")->size() == 32);
    CHECK(types.of("const_row")->is_const());
    CHECK(types.of("const_row")->size() == 16);
    CHECK(types.of("of_unknown_length")->strip()->count() == 6);

    const std::map<std::string, std::string> names{{"strings", "const char *const *"},
                                                   {"changing", "volatile int"},
                                                   {"anything", "void *"},
                                                   {"twice", "int **"},
                                                   {"to_array", "int (*)[3]"},
                                                   {"binary", "types::Binary"},
                                                   {"variadic", "int (*)(const char *, ...)"},
                                                   {"of_functions", "void (*(*)[2])(int (*)(char))"},
                                                   {"member", "int types::Plain::*"},
                                                   {"method", "int (types::Node::*)(int) const"},
                                                   {"lvalue", "int &"},
                                                   {"rvalue", "int &&"},
                                                   {"to_row", "int (&)[4]"}};
    for (const auto& [variable, name] : names) {
      CAPTURE(variable);
      CHECK(types.of(variable)->name() == name);
    }
    CHECK(types.of("both_qualifiers")->is_const());
    CHECK(types.of("both_qualifiers")->unqualified()->name() == "unsigned long");
    const Type* binary = types.of("binary");
    CHECK(binary->kind() == TypeKind::alias);
    CHECK(binary->target()->name() == "int (*)(int, int)");
    CHECK(binary->strip()->target()->parameters().size() == 2);
    CHECK_FALSE(binary->strip()->target()->variadic());
    CHECK(types.of("variadic")->strip()->target()->variadic());
    CHECK(types.of("member")->strip()->kind() == TypeKind::data_member_pointer);
    CHECK(types.of("member")->size() == 8);
    CHECK(types.of("member")->strip()->containing_record()->name() == "types::Plain");
    CHECK(types.of("method")->strip()->kind() == TypeKind::function_member_pointer);
    CHECK(types.of("method")->size() == 16);
    CHECK(types.of("null")->strip()->kind() == TypeKind::null_pointer);
    // A record of itself, and of one that nothing defines.
    const Type* node = types.record("node");
    CHECK(member(node, "next").type->strip()->target()->strip()->complete() == node);
    const Type* unseen = member(node, "unseen").type->strip()->target();
    CHECK(unseen->name() == "types::Unseen");
    CHECK(unseen->complete()->declaration());
    CHECK_FALSE(unseen->size().has_value());
    CHECK(same_type(types.of("lvalue")->strip()->target(), types.of("i")));
    CHECK_FALSE(same_type(types.of("changing"), types.of("i")));
    CHECK_FALSE(same_type(types.of("l"), types.of("ll")));
  });
}

TEST_CASE("base types: name, size, encoding") {
  struct Base {
    std::string_view variable;
    std::string_view name;
    std::uint64_t size;
    Encoding encoding;
  };
  static constexpr Base bases[] = {{"yes", "bool", 1, Encoding::boolean},
                                   {"letter", "char", 1, Encoding::signed_character},
                                   {"small", "signed char", 1, Encoding::signed_character},
                                   {"byte", "unsigned char", 1, Encoding::unsigned_character},
                                   {"wide", "wchar_t", 4, Encoding::signed_integer},
                                   {"utf8", "char8_t", 1, Encoding::utf},
                                   {"utf16", "char16_t", 2, Encoding::utf},
                                   {"utf32", "char32_t", 4, Encoding::utf},
                                   {"s", "short", 2, Encoding::signed_integer},
                                   {"us", "unsigned short", 2, Encoding::unsigned_integer},
                                   {"i", "int", 4, Encoding::signed_integer},
                                   {"u", "unsigned int", 4, Encoding::unsigned_integer},
                                   {"l", "long", 8, Encoding::signed_integer},
                                   {"ul", "unsigned long", 8, Encoding::unsigned_integer},
                                   {"ll", "long long", 8, Encoding::signed_integer},
                                   {"ull", "unsigned long long", 8, Encoding::unsigned_integer},
                                   {"huge", "__int128", 16, Encoding::signed_integer},
                                   {"uhuge", "unsigned __int128", 16, Encoding::unsigned_integer},
                                   {"f", "float", 4, Encoding::floating},
                                   {"d", "double", 8, Encoding::floating},
                                   {"ld", "long double", 16, Encoding::floating},
                                   {"quad", "__float128", 16, Encoding::floating},
                                   {"zf", "_Complex float", 8, Encoding::complex},
                                   {"zd", "_Complex double", 16, Encoding::complex},
                                   {"zld", "_Complex long double", 32, Encoding::complex}};
  in_each([](const Types& types) {
    for (const Base& base : bases) {
      CAPTURE(base.variable);
      const Type* type = types.of(base.variable);
      CHECK(type->name() == base.name);
      CHECK(type->size() == base.size);
      CHECK(type->encoding() == base.encoding);
      CHECK(type->alignment() ==
            std::min<std::uint64_t>(base.encoding == Encoding::complex ? base.size / 2 : base.size, 16));
      CHECK(type->quad() == (base.variable == "quad"));
    }
    if (const auto half = types.find({"types", "half"}); !half.empty()) {  // not in clang 14
      CHECK(half[0].type->size() == 2);
      CHECK(half[0].type->encoding() == Encoding::floating);
    }
    CHECK(types.of("vector")->strip()->vector());
    CHECK(types.of("vector")->size() == 16);
    CHECK(types.of("vector")->strip()->count() == 4);
  });
}

TEST_CASE("types by their name, wherever the compiler put them") {
  in_each([](const Types& types) {
    for (const std::string name : {"Plain", "Either", "Colour", "Binary", "Scoped", "Bottom"}) {
      CAPTURE(name);
      const auto found = types.find({"types", name});
      REQUIRE_FALSE(found.empty());
      CHECK(found[0].kind == Symbol::Kind::type);
      CHECK(found[0].type->complete()->name() == "types::" + name);
    }
    REQUIRE_FALSE(types.find({"types", "Anonymous", "Inner"}).empty());
    CHECK(types.find({"types", "Anonymous", "Inner"})[0].type->size() == 4);
    REQUIRE_FALSE(types.find({"Hidden"}).empty());
    CHECK(types.find({"Hidden"})[0].type->size() == 4);
    const auto total = types.find({"types", "Counted", "total"});
    REQUIRE_FALSE(total.empty());
    CHECK(total[0].kind == Symbol::Kind::variable);
    CHECK_FALSE(total[0].declaration);
    CHECK(types.find({"Plain"}).empty());
    CHECK(types.find({"types", "Inner"}).empty());
    // A class's own name within it is the class, and never its constructor.
    for (const Symbol& symbol : types.find({"types", "Shared", "Shared"})) CHECK(symbol.kind != Symbol::Kind::function);
  });
}
