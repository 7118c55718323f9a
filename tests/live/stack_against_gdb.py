# Compares our frames with gdb's at many stops of a program. Runs inside gdb:
#   gdb -nx -batch -ex 'py stops=200; seed=1; tool="…/stack_of"' -x stack_against_gdb.py --args PROGRAM ARGS...
# gdb starts the program, goes on by a random (seeded: every run is the same) number of instructions, and at each stop
# asks the tool to unwind from the same registers. The return addresses must be equal, frame by frame to the outermost.
import random
import subprocess
import traceback

import gdb

registers = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()


def executable_ranges():
    ranges = []
    with open("/proc/%d/maps" % gdb.selected_inferior().pid) as maps:
        for line in maps:
            span, permissions = line.split()[:2]
            if "x" in permissions:
                ranges.append(tuple(int(end, 16) for end in span.split("-")))
    return ranges


def gdb_frames():
    pcs = []
    code = executable_ranges()
    frame = gdb.newest_frame()
    while frame is not None:
        # Nothing describes ld.so's _start, and gdb goes on to take argc and the argv pointers for return addresses.
        # A caller that lies in no code is none.
        if pcs and not any(begin <= frame.pc() < end for begin, end in code):
            break
        # Tail-call frames are gdb's reconstruction of calls that left no frame.
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            pcs.append(frame.pc())
        frame = frame.older()
    return pcs


def gdb_names():
    names = []
    frame = gdb.newest_frame()
    while frame is not None:
        if frame.type() != gdb.TAILCALL_FRAME:
            names.append(frame.name())
        frame = frame.older()
    return names


def our_frames(helper):
    frame = gdb.newest_frame()
    values = [int(frame.read_register(name)) & 0xFFFFFFFFFFFFFFFF for name in registers]
    helper.stdin.write(" ".join("%x" % value for value in values) + "\n")
    helper.stdin.flush()
    pcs, text = [], []
    while True:
        line = helper.stdout.readline()
        if line in ("\n", ""):
            return pcs, text
        text.append(line.rstrip())
        words = line.split(" ", 2)
        if words[0] == "broken":
            pcs.append(None)
        elif words[1] == "0":
            pcs.append(int(words[0], 16))


def main():
    for command in (
        "set pagination off",
        "set confirm off",
        "set backtrace past-main on",
        "set disable-randomization on",
        "set startup-with-shell off",
        "set breakpoint pending off",
        "starti",
    ):
        gdb.execute(command, to_string=True)
    start = globals().get("start", "main")
    try:
        gdb.execute("tbreak " + start, to_string=True)
        gdb.execute("continue", to_string=True)
    except gdb.error:
        pass  # stripped: from ld.so's first instruction on
    helper = subprocess.Popen(
        [tool, str(gdb.selected_inferior().pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    chance = random.Random(seed)
    wrong = done = frames = 0
    for _ in range(stops):
        steps = chance.randint(1, 40) if chance.random() < 0.5 else chance.randint(41, 1500)
        gdb.execute("stepi %d" % steps, to_string=True)
        if not gdb.selected_inferior().threads():
            print("the program ended after %d stops" % done)
            break
        theirs = gdb_frames()
        ours, text = our_frames(helper)
        done += 1
        frames += len(theirs)
        if ours != theirs:
            wrong += 1
            if wrong <= 10:
                print("stop %d at %#x in %s" % (done, theirs[0], gdb_names()[0]))
                print("  gdb : " + " ".join("%#x" % pc for pc in theirs))
                print("  ours: " + " | ".join(text))
    helper.stdin.close()
    helper.wait(10)
    if gdb.selected_inferior().threads():
        gdb.execute("kill", to_string=True)
    print("%d stops, %d frames, %d differ" % (done, frames, wrong))
    # A run that compared little proves little.
    return wrong == 0 and done == stops and helper.returncode == 0


# gdb -batch exits with 0 after an exception: only what main() said may count as success.
passed = False
try:
    passed = main()
except BaseException:
    traceback.print_exc()
gdb.execute("quit %d" % (0 if passed else 1))
