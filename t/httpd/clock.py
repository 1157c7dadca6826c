# SPDX-License-Identifier: GPL-3.0-or-later
"""Hours in a moment, for a running server: its clock goes ahead of ours by as much as a test likes (clock.c)."""

import mmap
import struct
from pathlib import Path

from tools import query, run

SOURCE = Path(__file__).resolve().parent / "clock.c"


class Clock:
    """Give `environment` to Httpd. Made in a folder that the server's user may read."""

    def __init__(self, folder):
        library, file = folder / "clock.so", folder / "ahead"
        run(query("CC"), "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE))
        file.write_bytes(bytes(8))
        file.chmod(0o644)
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(file)}

    @property
    def ahead(self):
        return struct.unpack("=q", self._memory[:])[0]

    def advance(self, seconds):
        self._memory[:] = struct.pack("=q", self.ahead + seconds)

    def reset(self):
        self._memory[:] = bytes(8)
