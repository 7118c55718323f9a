#pragma once
#include <cstdint>
namespace trapline::eval {
struct Format {
  bool hex = false;
};
class Value {};
}  // namespace trapline::eval
