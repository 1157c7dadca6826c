# SPDX-License-Identifier: GPL-3.0-or-later
"""Instructions a request costs, by valgrind's callgrind: the difference between a run with N requests and one with 2 N,
so that start and end of the server cancel out."""

import re
import shutil
import subprocess
from collections import Counter

import load

COST = re.compile(r"(?:[+-]?\d+|\*) (\d+)$")
NAME = re.compile(r"\((\d+)\)(?: (.*))?$")


def is_there():
    return shutil.which("valgrind") is not None


class Counts:
    """What one run cost: as a whole, by function itself, and by function with all it calls. A function that is called
    from within itself counts its inner runs twice in the latter."""

    def __init__(self, path, our_object):
        self.total, self.own, self.inclusive = 0, Counter(), Counter()
        self.calls = Counter()
        self._names = {"fn": {}, "ob": {}}
        self._place = {"ob": "", "fn": "", "cob": "", "cfn": ""}
        self.ours = set()
        after_call = 0
        with open(path, encoding="latin-1") as lines:
            for line in lines:
                line = line.rstrip("\n")
                cost = COST.match(line)
                if cost:
                    self._add(int(cost[1]), after_call)
                    after_call = 0
                elif line.startswith("calls="):
                    after_call = int(line[6:].split()[0])
                elif line.startswith(("fn=", "ob=", "cfn=", "cob=")):
                    self._enter(*line.split("=", 1), our_object)
                elif line.startswith(("summary:", "totals:")):
                    self.total = int(line.split()[1])

    def _enter(self, kind, text, our_object):
        names = self._names["fn" if kind.endswith("fn") else "ob"]
        number, name = NAME.match(text).groups()
        if name:
            names[number] = name
        self._place[kind] = names[number]
        if kind == "fn":
            if our_object in self._place["ob"]:
                self.ours.add(names[number])

    def _add(self, cost, calls):
        if calls:
            self.inclusive[self._place["cfn"]] += cost
            self.calls[self._place["cfn"]] += calls
        else:
            self.own[self._place["fn"]] += cost


def _run(command, out):
    return ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={out}", *command]


def count_server(server, requests, expected, name):
    """Counts of a server's life with these requests."""
    out = server.root / f"{name}.callgrind"
    server.start(*_run([], out))
    try:
        load.ask_all(server, requests, expected)
    finally:
        server.stop()
    return Counts(out, str(server.module))


def count_program(server, command, name):
    """Counts of a program's life."""
    out = server.root / f"{name}.callgrind"
    subprocess.run(_run(command, out), check=True)
    return Counts(out, str(command[0]))


def a_request(few, many, count):
    """Instructions of one of the `count` requests that `many` had beyond `few`."""
    return (many.total - few.total) / count


def top(few, many, count, most=40):
    """Our functions by what they cost a request with all they call: (name, inclusive, own, calls)."""
    rows = [
        (
            name,
            (many.inclusive[name] - few.inclusive[name]) / count,
            (many.own[name] - few.own[name]) / count,
            (many.calls[name] - few.calls[name]) / count,
        )
        for name in many.ours
    ]
    # What the start and the end of the server cost differs a little; a request's functions are called again and again.
    return sorted((row for row in rows if row[1] >= 1 and row[3] >= 0.5), key=lambda row: -row[1])[:most]
