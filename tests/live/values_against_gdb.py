# The evaluator's variables against gdb's, frame by frame, in a program that stops itself.
#   python3 values_against_gdb.py VALUES_OF PROGRAM PART...
# For each part it runs our tool, then itself inside gdb. A value that gdb shows must be ours too; members, elements and
# globals are asked of gdb by the expressions that we hand out for them. What gdb takes from a register that no callee
# saved, we do not show: that is no difference, since gdb's answer there is a guess.
import os
import re
import struct
import subprocess
import sys
import tempfile

try:
    import gdb
except ImportError:
    tool, program = sys.argv[1:3]
    worst = 0
    for part in sys.argv[3:]:
        shown = subprocess.run([tool, program, part], capture_output=True, text=True, timeout=120)
        if shown.returncode != 0:
            print(shown.stdout, shown.stderr)
            sys.exit(1)
        with tempfile.NamedTemporaryFile("w", suffix=".values") as file:
            file.write(shown.stdout)
            file.flush()
            done = subprocess.run(["gdb", "-nx", "-batch", "-x", os.path.abspath(__file__), "--args", os.path.abspath(program), part],
                                  env={**os.environ, "VALUES": file.name}, capture_output=True, text=True, timeout=120)
        lines = [line for line in done.stdout.splitlines() if line.startswith(("frame ", "gdb cannot")) or " compared, " in line]
        print("%s:" % part, "\n  ".join(lines))
        if done.returncode != 0 or not lines:
            print(done.stderr[-2000:])
        worst = max(worst, done.returncode, 0 if lines else 1)
    sys.exit(worst)

gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("set debuginfod enabled off")
gdb.execute("set startup-with-shell off")
gdb.execute("unset environment")
gdb.execute("set environment PATH /usr/bin:/bin")
try:
    gdb.execute("run", to_string=True)
except gdb.error as error:
    print("gdb cannot run it:", error)
    gdb.execute("quit 2")

ours = {}
parts = {}
level = None
with open(os.environ["VALUES"]) as lines:
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith("#"):
            level = int(line.split()[0][1:])
            ours[level] = {}
            parts[level] = []
        elif level is not None and line.count("\t") >= 3:
            kind, type_name, name, text = line.split("\t", 3)
            if kind in ("part", "global"):
                parts[level].append((name, text))
            else:
                ours[level].setdefault(name, text)

INTEGERS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_PTR)


# Comparable text for what has one: numbers, addresses, enumerators.
def plain(value):
    type_ = value.type.strip_typedefs()
    if type_.code == gdb.TYPE_CODE_REF or type_.code == gdb.TYPE_CODE_RVALUE_REF:
        return None
    if value.is_optimized_out:
        return "<optimized out>"
    if type_.code in INTEGERS:
        return str(int(value))
    if type_.code == gdb.TYPE_CODE_FLT:
        return repr(float(value))
    if type_.code == gdb.TYPE_CODE_ENUM:
        text = str(value)
        return None if text.lstrip("-").isdigit() else enumerators(text)  # overlapping flags are a plain number to gdb
    if type_.code == gdb.TYPE_CODE_COMPLEX:
        return numbers(str(value))
    return None


# gdb's "(ns::can_read | unknown: 0x8)" and our "can_read | 0x8".
def enumerators(text):
    names = [name.split("::")[-1].replace("unknown: ", "").strip() for name in text.strip("()").split("|")]
    return " | ".join(sorted(names))


def numbers(text):
    return " ".join(repr(float(number)) for number in re.findall(r"[-+]? ?[0-9.]+(?:e[-+]?\d+)?", text.replace(" ", "")))


def our_plain(text, value):
    if text.startswith("<"):
        return text
    code = value.type.strip_typedefs().code
    if code == gdb.TYPE_CODE_ENUM:
        return enumerators(text)
    if code == gdb.TYPE_CODE_COMPLEX:
        return numbers(text)
    if code == gdb.TYPE_CODE_FLT:
        number = float(text)
        size = value.type.strip_typedefs().sizeof
        return repr(struct.unpack("f", struct.pack("f", number))[0]) if size == 4 else repr(number)
    if text == "true":
        return "1"
    if text == "false":
        return "0"
    match = re.match(r"(-?\d+|0x[0-9a-f]+)\b", text)
    return str(int(match.group(1), 0)) if match else None


# gdb takes the bits of a reference cast as they are, where C++ (and gdb's cast of a pointer) goes to the base.
def for_gdb(expression):
    return re.sub(r"\(\(([\w:<>, ]+)&\)", r"(*(\1*)&", expression)


def on_stack(text):
    return text.isdigit() and int(text) >> 40 == 0x7F


compared = different = kept_back = found_by_us = not_understood = 0
frame = gdb.newest_frame()
level = 0
while frame is not None and level < 12:
    have = ours.get(level, {})
    names = set()
    try:
        block = frame.block()
    except RuntimeError:
        block = None

    while block is not None:
        if not block.is_static and not block.is_global:
            for symbol in block:
                if not (symbol.is_variable or symbol.is_argument) or symbol.name in names:
                    continue
                names.add(symbol.name)
                try:
                    value = symbol.value(frame)
                    theirs = plain(value)
                    mine = our_plain(have.get(symbol.name, "(missing)"), value)
                except (gdb.error, gdb.MemoryError, ValueError):
                    continue
                if theirs is None or (mine is None and have.get(symbol.name)):
                    continue
                compared += 1
                if mine == theirs or (mine is None and theirs == "<optimized out>"):
                    continue
                if mine is not None and on_stack(theirs) and on_stack(mine):
                    continue  # on the stack, which begins elsewhere: gdb puts LINES and COLUMNS into the environment
                if theirs == "<optimized out>" and not mine.startswith("<"):
                    found_by_us += 1  # entry values through an indirect call, which gdb does not follow
                    continue
                if mine == "<not available>":
                    kept_back += 1
                    continue
                if mine == "<optimized out>" and theirs != mine:
                    kept_back += 1
                    continue
                different += 1
                print("frame %d %s: %s is %s, gdb says %s" % (level, frame.name(), symbol.name, have.get(symbol.name), theirs))
        if block.function is not None:
            break
        block = block.superblock
    frame.select()
    for expression, text in parts.get(level, []):
        if "dynamic_cast<" in expression:
            # gdb does not find the vtable's symbol in what mold links ("can't find linker symbol for virtual table")
            # and then casts without it; what we cast to is checked by the values themselves in live_values.
            not_understood += 1
            continue
        try:
            value = gdb.parse_and_eval(for_gdb(expression))
            theirs = plain(value)
            mine = our_plain(text, value)
        except (gdb.error, gdb.MemoryError, ValueError):
            not_understood += 1
            continue
        if theirs is None or mine is None:
            continue
        compared += 1
        if mine == theirs or (on_stack(theirs) and on_stack(mine)):
            continue
        if mine.startswith("<") or theirs == "<optimized out>":
            kept_back += 1
            continue
        different += 1
        print("frame %d %s: %s is %s, gdb says %s" % (level, frame.name(), expression, text, theirs))
    frame = frame.older()
    if frame is not None and (frame.name() or "").startswith("__libc_start"):
        break  # what called main (or what main's tail call leaves as the caller) holds the addresses of this run
    level += 1
print("%d compared, %d different, %d shown by gdb only, %d by us only, %d expressions that gdb does not take"
      % (compared, different, kept_back, found_by_us, not_understood))
gdb.execute("kill")
gdb.execute("quit %d" % (1 if different or compared == 0 else 0))
