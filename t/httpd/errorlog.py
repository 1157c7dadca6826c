# SPDX-License-Identifier: GPL-3.0-or-later
"""The error log as an oracle: a warning nobody announced fails the test, and so does one announced in vain.

A line counts when httpd logged it at warn or above, when it has no level at all (the faults
of a start, a sanitizer's report), or when it tells of a crash (httpd logs the death of a child
as a mere notice). Tests announce by reason code ("signature-missing"),
which our lines carry as reason=signature-missing, by httpd's own number ("AH01630"), or, where
httpd gave none, by module and level ("include:error").
"""

import re

# What httpd logs whoever uses it: mod_ssl built against another patch level of OpenSSL; the event MPM that is told to
# stop while the last connections are still being closed.
BACKGROUND = ("AH01882", "AH03092", "AH03093")
LOUD = {"warn", "error", "crit", "alert", "emerg"}
LEVEL = re.compile(r"^\[[^\]]*\] \[(?P<module>[^:\]]*):(?P<level>[a-z0-9]+)\]")
CRASH = re.compile(r"exit signal|Sanitizer|runtime error:|corrupted|double free|Assertion .* failed")


class ErrorLog:
    def __init__(self, path):
        self.path = path
        self.position = 0
        self.announced = []
        self.tolerated = []

    def read(self):
        """Every line since the server's first start."""
        try:
            return self.path.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def new(self):
        """The lines since the last test ended."""
        return self.read()[self.position :]

    def expect(self, code, times=None):
        """Announce lines with `code`: at least one, or exactly `times`."""
        self.announced.append((code, times))

    def tolerate(self, *codes):
        """Let lines with these codes pass, if any come; for what cannot be foreseen."""
        self.tolerated += codes

    def tolerate_denials(self):
        """What mod_authz_core logs beside our line, however often, when its rules deny."""
        self.tolerate("AH01630", "AH01631", "AH01797")

    def find(self, code):
        """The new lines of any level with `code`."""
        return [line for line in self.new() if holds(line, code)]

    def verdict(self):
        """What is wrong with the new lines, as sentences; from here on they are old."""
        lines, announced, tolerated = self.new(), self.announced, self.tolerated
        self.position += len(lines)
        self.announced, self.tolerated = [], []
        loud = [line for line in lines if is_loud(line)]
        known = [code for code, _ in announced] + tolerated
        faults = [f"unannounced: {line}" for line in loud if not any(holds(line, code) for code in known)]
        for code, times in announced:
            seen = sum(holds(line, code) for line in loud)
            if seen == 0 or times not in (None, seen):
                faults.append(f"announced {code} {times or 'some'} times, logged {seen} times")
        return faults


def is_loud(line):
    if any(holds(line, code) for code in BACKGROUND):
        return False
    match = LEVEL.match(line)
    return match is None or match["level"] in LOUD or CRASH.search(line) is not None


def holds(line, code):
    if ":" in code:
        return f" [{code}] " in line
    word = code if code.startswith("AH") else f"reason={code}"
    return re.search(rf"{re.escape(word)}(?![\w-])", line) is not None
