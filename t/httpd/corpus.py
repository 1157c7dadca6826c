# SPDX-License-Identifier: GPL-3.0-or-later
"""t/vectors/landing.txt: hostile return addresses, and where those may lead that are not refused; and what no text file
can hold, made of them."""

import re
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "vectors" / "landing.txt"
HOST = b"app.example.com"
ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)")
LETTERS = {"t": b"\t", "n": b"\n", "r": b"\r", "\\": b"\\"}


def load(host):
    """[(candidate octets, path it may lead to or None), …] for an application at https://`host`."""
    pairs = []
    for line in FILE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            candidate, _, landing = line.partition(" => ")
            pairs.append((octets(candidate).replace(HOST, host.encode()), landing or None))
    return pairs


def with_nul(candidates):
    """Each with a NUL at the start, behind the first character, in the middle, and at the end, in turn."""
    for number, candidate in enumerate(candidates):
        at = (0, 1, len(candidate) // 2, len(candidate))[number % 4]
        yield candidate[:at] + b"\0" + candidate[at:]


def octets(text):
    made, at = b"", 0
    for match in ESCAPE.finditer(text):
        made += text[at : match.start()].encode("utf-8") + unescape(match[1])
        at = match.end()
    return made + text[at:].encode("utf-8")


def unescape(what):
    if what[0] == "x" and len(what) == 3:
        return bytes([int(what[1:], 16)])
    if what[0] == "u" and len(what) == 5:
        return chr(int(what[1:], 16)).encode("utf-8")
    return LETTERS[what]
