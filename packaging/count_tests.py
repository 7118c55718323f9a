#!/usr/bin/env python3
"""Counts test cases in the logs of the suites, for test.sh.

count_tests.py meson LOG.json LABEL   one Meson run: prints a line a program, and the output of what failed
count_tests.py total FILE             sums the counts that earlier calls appended to $TRAPLINE_TOTALS

A program's cases come from its own summary: doctest's, or a last line `N passed, N failed[, N skipped]`. A program
without one is one case. A program that crashed, timed out or failed without naming a failed case is one failed case more.
"""
import json
import os
import re
import sys

DOCTEST = re.compile(r"\[doctest\] test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped")
SKIPPED = re.compile(r"^.*?\bskipped: (.*)$", re.MULTILINE)  # a case that says why it looks at nothing here
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)
SHOWN_BYTES = 20000  # of one failing program's output; its end says most


def cases_of(run):
    """(passed, failed, skipped, trouble) of one entry of Meson's log."""
    output = run.get("stdout") or ""
    passed, failed, skipped, summary = 0, 0, 0, True
    if found := DOCTEST.findall(output):
        _, passed, failed, skipped = map(int, found[-1])
    elif found := PLAIN.findall(output):
        passed, failed, skipped = (int(n or 0) for n in found[-1])
    else:
        summary = False
    result = run["result"]
    if result == "SKIP":
        return 0, 0, 1, (output.strip().splitlines() or ["no reason given"])[-1]
    if result in ("OK", "EXPECTEDFAIL"):
        return (passed, failed, skipped, "") if summary else (1, 0, 0, "")
    trouble = {"TIMEOUT": f"timed out after {run['duration']:.0f} s", "INTERRUPT": "interrupted"}.get(result, "")
    code = run.get("returncode", 0)
    if not trouble and code < 0:
        trouble = f"died of signal {-code}"
    if not trouble and not failed:
        trouble = f"exit code {code} without a failed case"
    return passed, failed + bool(trouble), skipped, trouble


def tell(run, passed, failed, skipped, trouble):
    counts = f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")
    print(f"  {run['name']:<28} {counts:<36} {run['duration']:6.1f} s  {trouble}".rstrip())
    for reason in dict.fromkeys(SKIPPED.findall(run.get("stdout") or "")):
        print(f"      left out: {reason}")
    if not failed:
        return
    output = "\n".join(part for part in (run.get("stdout"), run.get("stderr")) if part)
    if len(output) > SHOWN_BYTES:
        output = f"[{len(output) - SHOWN_BYTES} bytes left out]\n" + output[-SHOWN_BYTES:]
    print(f"---- output of {' '.join(run['command'])}\n{output.rstrip()}\n----")


def add_to_totals(label, passed, failed, skipped):
    with open(os.environ["TRAPLINE_TOTALS"], "a") as totals:
        totals.write(f"{passed} {failed} {skipped} {label}\n")


def meson(log, label):
    sums = [0, 0, 0]
    with open(log) as lines:
        runs = [json.loads(line) for line in lines]
    for run in sorted(runs, key=lambda r: r["name"]):
        *counts, trouble = cases_of(run)
        tell(run, *counts, trouble)
        sums = [a + b for a, b in zip(sums, counts)]
    add_to_totals(label, *sums)


def total(path):
    sums = [0, 0, 0]
    with open(path) as lines:
        for line in lines:
            sums = [a + int(b) for a, b in zip(sums, line.split()[:3])]
    passed, failed, skipped = sums
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if sys.argv[1] == "meson":
        meson(sys.argv[2], sys.argv[3])
    else:
        sys.exit(total(sys.argv[2]))
