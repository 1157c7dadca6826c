# SPDX-License-Identifier: GPL-3.0-or-later
"""What asks the servers: one connection that counts its requests, and wrk, which asks as fast as it can."""

import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from server import HOST, PAGE

# What a browser sends when somebody opens a page.
NAVIGATION = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}
FORM = "application/x-www-form-urlencoded"

# What an answer must be, so that nothing else is measured by mistake: its status, and what its head holds.
SERVED = (200, "")
SENT_TO_ENTRA = (303, "Location: https://login.microsoftonline.com/")
SIGNED_IN = (303, "Set-Cookie: __Host-entra-session-")

WRK_SCRIPT = """\
local requests, next = {{}}, 0
for line in io.lines("{cookies}") do
    requests[#requests + 1] = wrk.format("GET", "{page}", line ~= "" and {{ ["Cookie"] = line }} or nil)
end
request = function()
    next = next % #requests + 1
    return requests[next]
end
"""


def get(cookie=None):
    return _request("GET", PAGE, {**NAVIGATION, **({"Cookie": cookie} if cookie else {})})


def post(path, body, cookie):
    headers = {**NAVIGATION, "Sec-Fetch-Site": "cross-site", "Cookie": cookie, "Content-Type": FORM}
    return _request("POST", path, {**headers, "Content-Length": str(len(body))}) + body


def _request(method, path, headers):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


class Line:
    """One connection that is kept alive."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server = server
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, request, expected):
        """Send one request; the head of the answer, which must be the expected one."""
        self.socket.sendall(request)
        data = self.rest
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)[1])
        while len(body) < length:
            body += self._receive()
        self.rest = body[length:]
        head, (status, words) = head.decode("latin-1"), expected
        if int(head[9:12]) != status or words not in head:
            raise RuntimeError(f"not {expected}: {head}\n{self.server.complaint()}")
        return head

    def _receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError(f"httpd hung up\n{self.server.complaint()}")
        return data


def ask_all(server, requests, expected):
    with Line(server) as line:
        for request in requests:
            line.ask(request, expected)


def cpu_of(server, requests, expected):
    """CPU microseconds of the server's process tree for each of the requests, one after the other, connecting once
    included."""
    with Line(server) as line:
        begun = server.cpu()
        for request in requests:
            line.ask(request, expected)
        return (server.cpu() - begun) / len(requests) * 1e6


class Wrk:
    """The same requests over and over, on several connections, for a time."""

    def __init__(self, cookies, seconds, connections=8):
        self.seconds, self.connections = seconds, connections
        self.folder = tempfile.TemporaryDirectory(prefix="es-bench-")
        listed, self.script = Path(self.folder.name) / "cookies", Path(self.folder.name) / "script.lua"
        listed.write_text("".join(f"{cookie}\n" for cookie in cookies))
        self.script.write_text(WRK_SCRIPT.format(cookies=listed, page=PAGE))

    @staticmethod
    def is_there():
        return shutil.which("wrk") is not None

    def run(self, server):
        """(requests a second, CPU microseconds a request)."""
        headers = [f"-H{name}: {value}" for name, value in {"Host": HOST, **NAVIGATION}.items()]
        options = ["-t1", f"-c{self.connections}", f"-d{self.seconds}s", f"-s{self.script}", *headers]
        begun = server.cpu()
        done = subprocess.run(
            ["wrk", *options, f"http://127.0.0.1:{server.port}{PAGE}"],
            check=True,
            stdout=subprocess.PIPE,
            timeout=self.seconds + 60,
        )
        spent, text = server.cpu() - begun, done.stdout.decode()
        if "Non-2xx" in text or "Socket errors" in text:
            raise RuntimeError(f"{text}\n{server.complaint()}")
        requests = int(re.search(r"(\d+) requests in", text)[1])
        return float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1]), spent / requests * 1e6
