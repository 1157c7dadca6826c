# SPDX-License-Identifier: GPL-3.0-or-later
"""A php-fpm of the tests' own, which listens at a socket in the server's folder."""

import os
import subprocess
import time
from pathlib import Path

PATIENCE = 20
CONFIGURATION = """\
[global]
error_log = {run}/fpm.log
daemonize = no
[tests]
listen = {socket}
listen.mode = 0666
{user}
pm = static
pm.max_children = 2
catch_workers_output = yes
"""


class Fpm:
    def __init__(self, httpd):
        run = httpd.root / "run"
        self.socket = run / "fpm.sock"
        user = f"user = {httpd.tools.user}\ngroup = {httpd.tools.group}" if os.geteuid() == 0 else ""
        (run / "fpm.conf").write_text(CONFIGURATION.format(run=run, socket=self.socket, user=user))
        [program, *_] = sorted(Path("/usr/sbin").glob("php-fpm[0-9]*"), reverse=True)
        self.process = subprocess.Popen(
            [program, "--nodaemonize", "--fpm-config", run / "fpm.conf", *["--allow-to-run-as-root"] * (os.geteuid() == 0)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while not self.socket.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, (run / "fpm.log").read_text()
            time.sleep(0.01)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
