#!/usr/bin/env python3
"""Writes and builds a C++ program of about a given number of lines, as symbol readers meet them: many units that share
headers, namespaces, class hierarchies, templates with several arguments, overloads, lambdas, statics, inlined helpers.

    bench/make_program.py --lines 300000 --out build/bench/program-300k

Every unit runs a little when the program does; the last one's `work` is what benches stop at. The same lines give the
same text. Needs g++ and ninja.
"""
import argparse
import pathlib
import subprocess
import sys

HEADER = """#pragma once
// Shared by every unit: what templates and inlined functions of a header do to debug information.
namespace common {
template <class T, int N>
struct Matrix {
  T cells[N][N]{};
  T trace() const {
    T sum{};
    for (int i = 0; i < N; ++i) sum += cells[i][i];
    return sum;
  }
  template <class Visitor>
  void each(Visitor visit) {
    for (auto& row : cells)
      for (auto& cell : row) visit(cell);
  }
};
template <class Key, class Value>
struct Pair {
  Key key;
  Value value;
  bool operator<(const Pair& other) const { return key < other.key; }
};
template <class T>
class Ring {
 public:
  void push(const T& item) {
    items_[next_++ % 16] = item;
  }
  const T& last() const { return items_[(next_ + 15) % 16]; }
 private:
  T items_[16]{};
  unsigned next_ = 0;
};
struct Shape {
  virtual ~Shape() = default;
  virtual long area() const = 0;
  int id = 0;
};
inline long clamp(long value, long low, long high) {
  if (value < low) return low;
  return value > high ? high : value;
}
extern long sink;
}  // namespace common
"""

BLOCK = """
enum class Color{n} {{ red{n}, green{n} = {n}, blue{n} }};
struct Point{n} {{
  long x = {n};
  long y = 0;
  Color{n} color = Color{n}::red{n};
  union {{ int tag; float weight; }};
  long norm() const {{ return x * x + y * y; }}
}};
class Circle{n} : public common::Shape {{
 public:
  explicit Circle{n}(long radius) : radius_(radius) {{}}
  long area() const override {{ return 3 * radius_ * radius_; }}
  static int made;
 private:
  long radius_;
  Point{n} centre_;
}};
int Circle{n}::made = {n};
template <class T>
T fold{n}(const T* items, int count, T start) {{
  T sum = start;
  for (int i = 0; i < count; ++i) {{
    sum += items[i];
  }}
  return sum;
}}
static long step{n}(long value) {{
  static long calls = 0;
  ++calls;
  long next = common::clamp(value + {n}, 0, 1000000);
  return next + calls;
}}
long overload{n}(int value) {{
  return value + {n};
}}
long overload{n}(double value, const char* name) {{
  return static_cast<long>(value) + name[0];
}}
long run{n}(long seed) {{
  Circle{n} circle(seed % 10);
  Point{n} point;
  point.x = circle.area();
  long values[4] = {{seed, point.norm(), step{n}(seed), {n}}};
  common::Matrix<long, {size}> matrix;
  int at = 0;
  matrix.each([&](long& cell) {{
    cell = at++ * values[at % 4];
  }});
  common::Ring<common::Pair<int, Point{n}>> ring;
  ring.push({{at, point}});
  long total = fold{n}(values, 4, matrix.trace());
  total += ring.last().value.x + overload{n}(at) + overload{n}(1.5, "n");
  Circle{n}::made++;
  return total;
}}
"""


def unit_text(number: int, lines: int, with_library: bool) -> str:
    text = [f'#include "common.hpp"\n']
    if with_library:
        text.append("#include <map>\n#include <string>\n#include <vector>\n")
    text.append(f"namespace unit_{number} {{\n")
    count, block = 4, 0
    calls = []
    while count + 70 < lines:
        body = BLOCK.format(n=block, size=2 + (number + block) % 5)
        text.append(body)
        calls.append(block)
        count += body.count("\n")
        block += 1
    if with_library:
        text.append("static std::map<std::string, std::vector<int>> table;\n")
        text.append('void fill() { table["unit"].push_back(static_cast<int>(table.size())); }\n')
    text.append("long work(long seed) {\n  long total = seed;\n")
    text += [f"  total += run{n}(total);\n" for n in calls[:8]]
    if with_library:
        text.append("  fill();\n")
    text.append(f"  return total;\n}}\n}}  // namespace unit_{number}\n")
    return "".join(text)


def main_text(units: int) -> str:
    declared = "".join(f"namespace unit_{n} {{ long work(long seed); }}\n" for n in range(units))
    called = "".join(f"  common::sink += unit_{n}::work({n});\n" for n in range(units))
    return (f'#include "common.hpp"\nnamespace common {{ long sink = 0; }}\n{declared}'
            f"int main() {{\n{called}  return common::sink == 42;\n}}\n")


def write(path: pathlib.Path, text: str) -> int:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return text.count("\n")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=300000)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--flags", default="-g -O0")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    per_unit = 1700
    units = max(1, wanted.lines // per_unit)
    total = write(wanted.out / "common.hpp", HEADER)
    for number in range(units):
        total += write(wanted.out / f"unit_{number}.cpp", unit_text(number, per_unit, number % 10 == 0))
    total += write(wanted.out / "main.cpp", main_text(units))
    sources = [f"unit_{n}" for n in range(units)] + ["main"]
    rules = [f"rule cxx\n  command = g++ {wanted.flags} -std=c++17 -c $in -o $out",
             "rule link\n  command = g++ @objects -o $out\n",
             *[f"build {name}.o: cxx {name}.cpp | common.hpp" for name in sources],
             "build program: link | " + " ".join(f"{name}.o" for name in sources) + "\n"]
    write(wanted.out / "objects", "\n".join(f"{name}.o" for name in sources) + "\n")
    write(wanted.out / "build.ninja", "\n".join(rules))
    done = subprocess.run(["ninja", "-j2", "-C", str(wanted.out), "--quiet"])
    print(f"{wanted.out / 'program'}: {total} lines in {units + 1} units; the last unit is unit_{units - 1}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
