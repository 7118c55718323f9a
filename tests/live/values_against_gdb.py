# The evaluator's variables against gdb's, frame by frame, in a program that stops itself.
#   python3 values_against_gdb.py VALUES_OF PROGRAM PART
# It runs our tool, then itself inside gdb. A value that gdb shows must be ours too. What gdb takes from a register that
# no callee saved, we do not show: that is no difference, since gdb's answer there is a guess.
import os
import re
import subprocess
import sys
import tempfile

try:
    import gdb
except ImportError:
    tool, program, part = sys.argv[1:4]
    shown = subprocess.run([tool, program, part], capture_output=True, text=True, timeout=120)
    if shown.returncode != 0:
        print(shown.stdout, shown.stderr)
        sys.exit(1)
    with tempfile.NamedTemporaryFile("w", suffix=".values") as file:
        file.write(shown.stdout)
        file.flush()
        done = subprocess.run(["gdb", "-nx", "-batch", "-x", os.path.abspath(__file__), "--args", os.path.abspath(program), part],
                              env={**os.environ, "VALUES": file.name}, capture_output=True, text=True, timeout=120)
    print("\n".join(line for line in done.stdout.splitlines() if line.startswith(("frame ", "gdb cannot")) or " compared, " in line))
    if done.returncode != 0:
        print(done.stderr)
    sys.exit(done.returncode)

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
level = None
with open(os.environ["VALUES"]) as lines:
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith("#"):
            level = int(line.split()[0][1:])
            ours[level] = {}
        elif level is not None and line.count("\t") >= 3:
            kind, type_name, name, text = line.split("\t", 3)
            ours[level].setdefault(name, text)

INTEGERS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_PTR)


# Comparable text for what has one: whole numbers and addresses.
def plain(value):
    type_ = value.type.strip_typedefs()
    if type_.code == gdb.TYPE_CODE_REF or type_.code == gdb.TYPE_CODE_RVALUE_REF:
        return None
    if value.is_optimized_out:
        return "<optimized out>"
    if type_.code in INTEGERS:
        return str(int(value))
    return None


def our_plain(text):
    if text.startswith("<"):
        return text
    if text == "true":
        return "1"
    if text == "false":
        return "0"
    match = re.match(r"(-?\d+|0x[0-9a-f]+)\b", text)
    return str(int(match.group(1), 0)) if match else None


compared = different = kept_back = found_by_us = 0
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
                    theirs = plain(symbol.value(frame))
                except (gdb.error, gdb.MemoryError):
                    continue
                mine = our_plain(have.get(symbol.name, "(missing)"))
                if theirs is None or (mine is None and have.get(symbol.name)):
                    continue
                compared += 1
                if mine == theirs or (mine is None and theirs == "<optimized out>"):
                    continue
                if theirs.isdigit() and int(theirs) >> 40 == 0x7F and mine.isdigit() and int(mine) >> 40 == 0x7F:
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
    frame = frame.older()
    level += 1
print("%d compared, %d different, %d shown by gdb only, %d by us only" % (compared, different, kept_back, found_by_us))
gdb.execute("kill")
gdb.execute("quit %d" % (1 if different or compared == 0 else 0))
