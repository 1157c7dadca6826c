# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests ask of the kernel, as strace sees it: whoever serves one opens no file of ours and no random device, and
talks to nobody. Metadata, keys and sessions are in memory by then."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from entra import Signer
from server import ORIGIN, PATIENCE
from visitor import Visitor

STRACE = shutil.which("strace")
pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is missing: nobody sees which files a request opens")

VHOST = """
    EntraSAMLSigningCertificate "${ROOT}/own.pem" "${ROOT}/own.pem"
    EntraSAMLDecryptionCertificate "${ROOT}/own.pem" "${ROOT}/own.pem"
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
"""
CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<arguments>.*)", re.MULTILINE)
ACCEPTED = re.compile(r"accept4?[ (].*AF_INET")
# Of the one connection that the request came by; whatever else can be read or written was opened first.
OWN_CONNECTION = set("accept accept4 getsockname getpeername getsockopt setsockopt read write writev shutdown".split())


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd):
    httpd = make_httpd(start=False, mpm=request.param, vhost=VHOST)
    Signer("own").write(httpd.root / "own.pem")
    httpd.page("index.html", "PROTECTED")
    httpd.start()
    Visitor(httpd.network, None).open(f"{ORIGIN}/")  # the children are there
    return httpd


def is_of_group(process, leader):
    try:
        return os.getpgid(process) == leader
    except ProcessLookupError:
        return False


def is_traced(thread):
    return "TracerPid:\t0\n" not in (thread / "status").read_text()


class Trace:
    """Within it every call of the server's processes that names a file or is about a socket is written down."""

    def __init__(self, httpd):
        self.root = httpd.root
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
        self.processes = [number for number in numbers if is_of_group(int(number), httpd.process.pid)]
        self.calls = []

    def __enter__(self):
        self.told = open(self.root / "strace.log", "w+b")
        command = [STRACE, "-f", "-o", str(self.root / "calls"), "-e", "signal=none"]
        command += ["-e", "trace=%file,%network,read,write,writev"]
        for process in self.processes:
            command += ["-p", process]
        self.strace = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self.told)
        deadline = time.monotonic() + PATIENCE
        while not all(map(is_traced, self.threads())):
            if self.strace.poll() is not None and "not permitted" in self.complaint():
                pytest.skip(f"strace may not look: {self.complaint()}")
            assert self.strace.poll() is None and time.monotonic() < deadline, self.complaint()
            time.sleep(0.01)
        return self

    def __exit__(self, *fault):
        deadline = time.monotonic() + PATIENCE
        while len(ACCEPTED.findall(self.written())) > self.written().count("SHUT_WR") and time.monotonic() < deadline:
            time.sleep(0.01)
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait(PATIENCE)
        self.told.close()
        found = [call.groupdict() for call in CALL.finditer(self.written())]
        # The thread that looks at the metadata file now and then serves nobody.
        serving = {call["thread"] for call in found if call["name"] in OWN_CONNECTION}
        self.calls = [call for call in found if call["thread"] in serving]

    def written(self):
        return (self.root / "calls").read_text("utf-8", "replace")

    def threads(self):
        return [thread for process in self.processes for thread in Path(f"/proc/{process}/task").iterdir()]

    def complaint(self):
        return (self.root / "strace.log").read_text("utf-8", "replace")

    def files(self):
        """The names of files that were opened, looked at, or looked for."""
        touched = [call for call in self.calls if call["name"] not in OWN_CONNECTION]
        assert all('"' in call["arguments"] for call in touched), f"not all of these are about files: {touched}"
        return {re.search(r'"([^"]*)"', call["arguments"])[1] for call in touched}


def assert_only_pages(trace, page=None):
    """httpd's own walk to the page, and no more."""
    folder = f"{trace.root}/htdocs/"
    assert {call["name"] for call in trace.calls} & OWN_CONNECTION, "somebody served the request"
    files = trace.files()
    assert [name for name in files if not name.startswith(folder)] == []
    assert page is None or folder + page in files


def test_a_redirect(httpd, visitor):
    with Trace(httpd) as trace:
        visitor.ask(f"{ORIGIN}/")
    assert_only_pages(trace)


def test_a_sign_in_and_what_follows(httpd, visitor):
    form = visitor.answer(visitor.ask(f"{ORIGIN}/"))
    with Trace(httpd) as trace:
        assert visitor.submit(form, follow=False).status == 303
    assert_only_pages(trace)
    with Trace(httpd) as trace:
        assert visitor.open(f"{ORIGIN}/").text == "PROTECTED"
    assert_only_pages(trace, "index.html")


def test_a_refusal(httpd, visitor):
    with Trace(httpd) as trace:
        page = visitor.submit(visitor.answer(visitor.ask(f"{ORIGIN}/"), change="unsigned"))
    httpd.refused(page, "signature-missing")
    assert_only_pages(trace)
