# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lints share: the files of the source tree, and how findings are told.

A lint is a generator function from a Tree to findings, `"path:line: what is wrong"`. Run as a script, it takes the root
of a tree (this one unless given), prints one line a finding and exits with 1 when there was one.
"""

import re
import sys
from fnmatch import fnmatch
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("src", "t", "conf", "docs", ".ci")
# What building and testing in the tree leave behind, and git in a work tree of its own.
GENERATED = {"configure", "configure~", "aclocal.m4", "Makefile", "Makefile.in", "config.status", "libtool", ".git"}
GENERATED_FOLDERS = {"__pycache__", ".pytest_cache", ".deps", ".libs"}
GENERATED_SUFFIXES = {".o", ".lo", ".la", ".log", ".trs"}


class Tree:
    """The files that belong to the project, by their path from the root. Build folders and git's own are not asked for:
    a tarball has the same files as a clone."""

    def __init__(self, root):
        self.root = Path(root)

    def files(self, *patterns):
        """Paths that match one of the patterns (* also matches /), in order."""
        found = [path for path in self.root.iterdir() if path.name not in GENERATED]
        for folder in FOLDERS:
            found += self.root.joinpath(folder).rglob("*")
        names = sorted(path.relative_to(self.root) for path in found if path.is_file())
        wanted = [name for name in names if any(fnmatch(str(name), pattern) for pattern in patterns)]
        return [str(name) for name in wanted if self.is_ours(name)]

    def is_ours(self, name):
        """A text file that somebody wrote."""
        made = GENERATED_FOLDERS.intersection(name.parts) or name.suffix in GENERATED_SUFFIXES
        return not made and b"\0" not in self.root.joinpath(name).read_bytes()

    def text(self, name):
        """Latin-1 gives every octet a character, so that no file is unreadable."""
        path = self.root / name
        return path.read_text("latin-1") if path.is_file() else ""

    def lines(self, name):
        """(number, line) from 1."""
        return enumerate(self.text(name).split("\n"), 1)


C_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"' r"|'(?:\\.|[^'\\\n])*'" r"|/\*.*?\*/|//[^\n]*", re.S)


def without_comments(c_source):
    """C source with comments blanked out; lines and string literals stay."""
    return C_TOKEN.sub(lambda found: found[0] if found[0][0] in "\"'" else re.sub(r"[^\n]", " ", found[0]), c_source)


def without_strings(c_source):
    """C source without comments, and with the content of its literals blanked out."""
    blank = re.compile(r"(?<=.)[^\n](?=.)", re.S)
    return C_TOKEN.sub(lambda found: blank.sub(" ", found[0]), without_comments(c_source))


def main(lint):
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else HERE)
    findings = list(lint(tree))
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)
