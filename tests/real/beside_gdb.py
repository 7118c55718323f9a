# A real program under gdb and under traplined at the same time, in lockstep: at every stop the stacks must be equal frame
# by frame (name, file, line, inlined or not), and the arguments and locals of the inner frames value by value, members
# of structs and unions and bit-fields included; after every step both must stand at the same line. Runs inside gdb:
#
#   gdb -nx -batch -ex 'py traplined="…"; plan="lua"; level="O2"' -x beside_gdb.py
#
# Both run the program without address randomisation and with an empty environment, so that even pointers are equal.
# Exit code 77: the program is not built (tests/real/build.sh).
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback

import gdb

real = os.environ.get("TRAPLINE_REAL_DIR") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "trapline-tests", "real")
here = os.path.dirname(os.path.abspath(__file__))
bound = 30  # seconds for any one answer
libraries, stacks = 0x7FFF00000000, 0x7FFFFFF00000  # where they begin without randomisation


def end_with_parent():
    """A gdb that is killed takes its traplined with it, which ends what it has launched."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    os.setpgid(0, 0)


class Trapline:
    """A traplined of this test's own, and one JSON-RPC connection to it."""

    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="trapline-test-")
        self.log = open(os.path.join(self.folder, "log"), "wb")
        path = os.path.join(self.folder, "d.sock")
        environment = dict(os.environ, TRAPLINE_LOG="debug")
        self.daemon = subprocess.Popen([program, "--listen", "unix:" + path], stdout=subprocess.PIPE,
                                       stdin=subprocess.DEVNULL, stderr=self.log, env=environment,
                                       preexec_fn=end_with_parent)
        self.daemon.stdout.readline()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(bound)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.last = 0
        self.output = ""

    def call(self, method, **params):
        self.last += 1
        request = {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}
        self.socket.sendall((json.dumps(request) + "\n").encode())
        while True:
            line = self.lines.readline()
            if not line:
                raise RuntimeError(method + ": the connection was closed")
            message = json.loads(line)
            if message.get("method") == "event.output" and message["params"].get("category") == "stdout":
                self.output += message["params"]["text"]
            if message.get("id") != self.last:
                continue
            if "error" in message:
                raise RuntimeError("%s: %s" % (method, json.dumps(message["error"])))
            return message["result"]

    def wait(self):
        return self.call("execution.wait", timeoutMs=bound * 1000)

    def close(self):
        self.socket.close()
        self.daemon.terminate()
        try:
            self.daemon.wait(10)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- what gdb sees ----------------------------------------------------------------------------------------------------

def gdb_frames():
    frames = []
    frame = gdb.newest_frame()
    while frame is not None:
        # Tail-call frames are gdb's reconstruction of calls that left no frame.
        if frame.type() != gdb.TAILCALL_FRAME:
            frames.append(frame)
        frame = frame.older()
    return frames


def place(frame):
    sal = frame.find_sal()
    return {"function": frame.name(), "file": sal.symtab.fullname() if sal.symtab else None,
            "line": sal.line, "inlined": frame.type() == gdb.INLINE_FRAME, "pc": frame.pc()}


def same_line(theirs, ours):
    """gdb 13 keeps the line of an inlined call in 16 bits; one unit of sqlite3 has 240,000 lines."""
    return theirs == ours or theirs == (ours or 0) & 0xFFFF


def gdb_variables(frame):
    """name -> gdb.Value of the arguments and locals, the innermost of equal names."""
    values = {}
    try:
        block = frame.block()
    except RuntimeError:
        return values
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if symbol.addr_class == gdb.SYMBOL_LOC_LABEL:
                continue
            if (symbol.is_variable or symbol.is_argument) and symbol.name not in values:
                try:
                    values[symbol.name] = symbol.value(frame) if symbol.needs_frame else symbol.value()
                except gdb.error:
                    pass  # gdb 13 cannot work out every location of -O2 code
        if block.function is not None:
            break
        block = block.superblock
    return values


# ---- comparing --------------------------------------------------------------------------------------------------------

class Comparison:
    def __init__(self, tool):
        self.tool = tool
        self.problems = []
        self.frames = self.values = self.stops = self.extra = 0
        self.here = ""
        self.shift = 0  # of the libraries; ours has room for moved instructions among the mappings

    def say(self, text):
        self.problems.append("%s: %s" % (self.here, text))

    def stop(self, deep=3):
        """The whole stack; the variables of the `deep` innermost frames."""
        theirs = gdb_frames()
        ours = [f for f in self.tool.call("thread.stack")["frames"]]
        names = lambda frames: " < ".join("%s:%s" % f for f in frames)
        their_places = [place(f) for f in theirs]
        # main's callers are named by their symbols: libc's debug information is not opened for them.
        past_main = next((n + 1 for n, f in enumerate(ours) if f["function"] == "main"), len(ours))
        if len(ours) != len(their_places):
            self.say("%d frames, in gdb %d" % (len(ours), len(their_places)))
        for their, our in zip(their_places, ours):
            if their["pc"] >= libraries:
                self.shift = their["pc"] - int(our["address"], 16)
        ours, theirs, their_places = ours[:past_main], theirs[:past_main], their_places[:past_main]
        if [f["function"] for f in their_places] != [f["function"] for f in ours]:
            self.say("the stacks differ:\n    gdb:  %s\n    ours: %s" % (
                names([(f["function"], f["line"]) for f in their_places]),
                names([(f["function"], f.get("line", 0)) for f in ours])))
            return
        for level, (their, our) in enumerate(zip(their_places, ours)):
            self.frames += 1
            mine = {"function": our["function"], "file": our.get("file"), "line": our.get("line", 0),
                    "inlined": our["kind"] == "inlined", "pc": int(our["address"], 16)}
            if same_line(their["line"], mine["line"]):
                their["line"] = mine["line"]
            if their["file"] is None or not os.path.exists(their["file"]):
                # libc's sources are not here: each has its own idea of where they would be.
                their["file"] = mine["file"] = None
            if their["pc"] >= libraries:
                their["pc"] = mine["pc"] = 0
            if mine != their:
                self.say("frame %d differs:\n    gdb:  %s\n    ours: %s" % (level, their, mine))
        for frame, our in list(zip(theirs, ours))[:deep]:
            self.variables(frame, our)
        theirs[0].select()

    def variables(self, frame, our):
        theirs = gdb_variables(frame)
        mine = {}
        for scope in self.tool.call("frame.scopes", frame=our["id"]):
            if scope["kind"] in ("arguments", "locals"):
                for value in self.tool.call("value.children", ref=scope["ref"]):
                    mine.setdefault(value["name"], value)
        # gdb also lists what an abstract function declares in blocks that have no code here.
        missing = sorted(name for name in set(theirs) - set(mine) if not theirs[name].is_optimized_out)
        if missing:
            self.say("%s: variables missing: %s" % (our["function"], " ".join(missing)))
        # Where a jump led here, gdb works out from the jumping function what this one was entered with; ours does not.
        after_tail_call = frame.older() is not None and frame.older().type() == gdb.TAILCALL_FRAME
        for name, value in theirs.items():
            if name in mine:
                if after_tail_call and mine[name]["value"] == "<optimized out>":
                    continue
                # gdb 13 takes the entry value of an inlined function's parameter from the wrong frame.
                frame.select()
                entry_value = frame.type() == gdb.INLINE_FRAME and "DW_OP_entry_value" in gdb.execute(
                    "info address " + name, to_string=True)
                self.value("%s: %s" % (our["function"], name), value, mine[name], 2, entry_value)

    def value(self, name, theirs, mine, depth, entry_value=False):
        self.values += 1
        text = mine["value"]
        kind = theirs.type.strip_typedefs()
        try:
            if theirs.is_optimized_out:
                if text != "<optimized out>":
                    self.say("%s: gdb: optimized out, ours: %s" % (name, text))
                return
            if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
                self.members(name, theirs, kind, mine, depth)
            elif kind.code == gdb.TYPE_CODE_ARRAY:
                self.elements(name, theirs, kind, mine, depth)
            elif kind.code == gdb.TYPE_CODE_ENUM:
                if str(theirs) != text.split(" ")[0] and not text.startswith(str(int(theirs))):
                    self.say("%s: gdb: %s, ours: %s" % (name, theirs, text))
            elif kind.code in (gdb.TYPE_CODE_FLT,):
                # Halves of a union that holds a pointer into a library are as different as the pointers are.
                bits = [struct.unpack("<q", struct.pack("<d", float(x)))[0] for x in (theirs, text)]
                if float(theirs) != float(text) and str(theirs) != text and bits[0] - bits[1] != self.shift:
                    self.say("%s: gdb: %s, ours: %s" % (name, theirs, text))
            elif kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_PTR):
                word = text.split(" ")[0]
                number = {"true": 1, "false": 0}.get(word)
                if number is None:
                    number = int(word, 0)
                moved = self.shift and int(theirs) - number == self.shift and libraries <= number < stacks
                if number != int(theirs) and not moved and not entry_value:
                    self.say("%s (%s): gdb: %s, ours: %s" % (name, theirs.type, int(theirs), text))
        except gdb.error as error:
            if not text.startswith("<"):
                self.say("%s: gdb: %s, ours: %s" % (name, error, text))
        except ValueError:
            self.say("%s (%s): gdb: %s, ours is no number: %s" % (name, theirs.type, theirs, text))

    def members(self, name, theirs, kind, mine, depth):
        if depth == 0 or not mine.get("ref"):
            if not mine.get("ref") and kind.fields():
                self.say("%s: has members, ours: %s" % (name, mine["value"]))
            return
        children = self.tool.call("value.children", ref=mine["ref"])
        fields = kind.fields()
        if len(fields) != len(children):
            self.say("%s: gdb: %d members, ours: %d" % (name, len(fields), len(children)))
            return
        for field, child in zip(fields, children):
            if field.name and field.name != child["name"]:
                self.say("%s: gdb: member %s, ours: %s" % (name, field.name, child["name"]))
            self.value("%s.%s" % (name, field.name), theirs[field], child, depth - 1)

    def elements(self, name, theirs, kind, mine, depth):
        low, high = kind.range()
        if depth == 0 or high < low:
            return
        count = min(high - low + 1, 8)
        if not mine.get("ref"):
            self.say("%s: an array without elements: %s" % (name, mine["value"]))
            return
        children = self.tool.call("value.children", ref=mine["ref"], start=0, count=count)
        if len(children) != count:
            self.say("%s: %d elements where %d were asked" % (name, len(children), count))
        for index, child in enumerate(children):
            self.value("%s[%d]" % (name, low + index), theirs[low + index], child, depth - 1)

    # ---- moving both

    def go(self):
        self.tool.call("execution.continue")
        gdb.execute("continue", to_string=True)
        return self.arrived("continue")

    def step(self, word):
        command = {"next": "next", "stepIn": "step", "stepOut": "finish"}[word]
        gdb.execute(command, to_string=True)
        self.tool.call("execution." + word)
        return self.arrived(word, extra_stops=2 if word != "stepOut" else 0)

    def arrived(self, how, extra_stops=0):
        stop = self.tool.wait()
        self.stops += 1
        if not gdb.selected_inferior().pid:
            self.problems.append("after %s from %s: the program ended under gdb, ours: %s" % (how, self.here, stop))
            raise Parted()
        their = place(gdb.newest_frame())
        theirs = (their["function"], their["line"])
        self.passed = []
        for _ in range(extra_stops):
            # gdb goes on where a step arrives in the middle of a line that the optimiser has merged into others; ours
            # shows it. Both come to the next line's beginning.
            if theirs[0] == stop.get("function") and same_line(theirs[1], stop.get("line", 0)):
                break
            if stop["reason"] == "exited":
                break
            self.extra += 1
            self.passed.append("%s:%s %s" % (stop.get("function"), stop.get("line"), stop.get("address")))
            self.tool.call("execution." + how)
            stop = self.tool.wait()
        if self.passed:
            print("  %s from %s to %s:%s by way of %s" % (how, self.here, *theirs, ", ".join(self.passed)))
        ours = (stop.get("function"), stop.get("line", 0))
        was = self.here
        self.here = "%s:%s" % (their["function"], their["line"])
        if theirs[0] != ours[0] or not same_line(theirs[1], ours[1]) or stop["reason"] == "exited":
            self.problems.append("after %s from %s: gdb stands at %s:%s (%#x), ours at %s:%s (%s), over %s" % (
                how, was, *theirs, their["pc"], *ours, stop.get("address"), self.passed or "nothing"))
            raise Parted()
        return stop

    def breakpoint(self, where, condition=None, hits=0):
        """In both; the answer ends it in both."""
        params = {}
        if ":" in where:
            file, line = where.rsplit(":", 1)
            params.update(file=file, line=int(line))
        else:
            params.update(function=where)
        if condition:
            params["condition"] = condition
        if hits:
            params["hitCondition"] = ">= %d" % hits
        mine = self.tool.call("breakpoint.set", **params)
        theirs = gdb.Breakpoint(where)
        if condition:
            theirs.condition = condition
        if hits:
            theirs.ignore_count = hits - 1
        lines = sorted({place["line"] for place in mine["locations"]})
        if not mine["verified"]:
            self.say("breakpoint %s is not verified: %s" % (where, mine.get("message")))

        def end():
            theirs.delete()
            self.tool.call("breakpoint.remove", id=mine["id"])

        end.lines = lines
        return end


class Parted(Exception):
    """The two stand at different places: nothing more can be compared."""


def begin(tool, program, args, cwd):
    """The program in both, standing at its main."""
    for command in (
        "set pagination off", "set confirm off", "set width 0", "set disable-randomization on",
        "set breakpoint pending off", "set max-value-size unlimited", "set debuginfod enabled off",
        "set print inferior-events off", "set backtrace past-main on", "set backtrace past-entry on",
        # As ours: nothing in the environment, and a file for the output (a terminal's buffer has another size).
        "set startup-with-shell on", "set exec-wrapper env -i", "cd " + cwd, "file " + program,
        "set args " + " ".join("'%s'" % arg for arg in args) + " </dev/null >%s/gdb.out" % tool.folder,
        "tbreak main", "run",
    ):
        gdb.execute(command, to_string=True)
    tool.call("session.launch", program=program, args=args, cwd=cwd, inheritEnv=False, stopOnEntry="main",
              stdio=["/dev/null", tool.folder + "/our.out"])
    tool.wait()


def lua(look):
    yield "main", None
    end = look.breakpoint("luaB_print")
    look.go()
    yield "a C function called by Lua", 8
    for word in ("next", "next", "next", "stepIn", "stepOut", "next", "stepIn", "next"):
        look.step(word)
        yield word, 2
    end()
    end = look.breakpoint("luaD_throw")
    look.go()
    yield "error()", 12
    look.step("next")
    yield "over a longjmp", 2
    end()
    end = look.breakpoint("luaH_resize", hits=3)
    look.go()
    yield "a table grows", 4
    for word in ("stepOut", "next", "stepIn", "stepOut"):
        look.step(word)
        yield word, 4
    end()
    end = look.breakpoint("lvm.c:1151", hits=3)
    look.go()
    yield "the interpreter's loop", 6
    for word in ("next",) * 12 + ("stepIn",) * 12:
        look.step(word)
        yield word, 2
    end()
    end = look.breakpoint("auxsort", hits=4)
    look.go()
    yield "recursion", 5
    end()


def sqlite(look):
    end = look.breakpoint("sqlite3VdbeExec")
    look.go()
    yield "the first statement's program", 5
    for word in ("next",) * 10 + ("stepIn",) * 8:
        look.step(word)
        yield word, 2
    end()
    end = look.breakpoint("sqlite3VdbeMemGrow", hits=3)
    look.go()
    yield "a Mem: unions, bit-fields beside it", 6
    for word in ("next", "next", "next", "stepOut", "next", "next"):
        look.step(word)
        yield word, 3
    end()
    end = look.breakpoint("sqlite3BtreeInsert", condition="pCur->iPage >= 0", hits=2)
    look.go()
    yield "a cursor", 6
    for word in ("next",) * 6 + ("stepIn",) * 6:
        look.step(word)
        yield word, 2
    end()
    end = look.breakpoint("sqlite3WhereBegin")
    look.go()
    yield "the planner", 6
    for word in ("next",) * 8:
        look.step(word)
        yield word, 2
    end()
    end = look.breakpoint("sumStep", hits=3)
    look.go()
    yield "an aggregate", 5
    look.step("stepOut")
    yield "back in the loop", 2
    end()


def run():
    program = os.path.join(real, level, plan)
    if not os.access(program, os.X_OK):
        print("no %s: run tests/real/build.sh" % program)
        return 77
    tool = Trapline(traplined)
    look = Comparison(tool)
    try:
        begin(tool, program, [a.replace("HERE", here) for a in plans[plan][1]], tool.folder)
        look.here = "main"
        try:
            for what, deep in plans[plan][0](look):
                look.here = "%s (%s)" % (look.here, what)
                look.stop(deep or 1)
        except Parted:
            pass
        if not look.problems:
            gdb.execute("continue", to_string=True)
            tool.call("execution.continue")
            ended = tool.wait()
            code = int(gdb.parse_and_eval("$_exitcode"))
            if ended.get("exitCode") != code:
                look.problems.append("gdb: exit code %d, ours: %s" % (code, ended))
            if open(tool.folder + "/our.out").read() != open(tool.folder + "/gdb.out").read():
                look.problems.append("the output differs")
    finally:
        tool.close()
    for problem in look.problems[:40]:
        print(problem)
    if look.extra > look.stops // 10 + 1:
        look.problems.append("%d extra stops in %d" % (look.extra, look.stops))
        print(look.problems[-1])
    print("%d stops and steps (%d stops that gdb did not make), %d frames, %d values compared, %d problems" % (
        look.stops, look.extra, look.frames, look.values, len(look.problems)))
    return 1 if look.problems else 0


plans = {
    "lua": (lua, ["HERE/real.lua"]),
    "sqlite3": (sqlite, ["-batch", ":memory:", ".read HERE/real.sql"]),
}
code = 1
try:
    code = run()
except BaseException:
    traceback.print_exc()
finally:
    if gdb.selected_inferior().pid:
        gdb.execute("kill", to_string=True)
sys.stdout.flush()
gdb.execute("quit %d" % code)
