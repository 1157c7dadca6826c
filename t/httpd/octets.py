# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1 octet by octet: requests that no client library would send, on a connection that is kept, and answers whole."""

import socket
from dataclasses import dataclass, field

TIMEOUT = 60


@dataclass
class Answer:
    status: int
    headers: list  # of (name, value)
    body: bytes
    octets: bytes = field(repr=False)  # all of it, as it came

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [None])[0]


class Connection:
    """Asks one port; connects again where the server has closed."""

    def __init__(self, port):
        self.port = port
        self.sock = None
        self.buffer = b""
        self.seen = b""

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock, self.buffer = None, b""

    def ask(self, request, head_only=False, old=False):
        """The answer to a request; `old`: HTTP/0.9, which has nothing but a body."""
        kept = self.sock is not None
        try:
            return self._ask(request, head_only, old)
        except (ConnectionError, EOFError):
            self.close()
            if not kept:
                raise
        except TimeoutError:
            self.close()
            raise
        return self._ask(request, head_only, old)

    def _ask(self, request, head_only, old):
        self.send(request)
        if old:
            body = self.rest()
            self.close()
            return Answer(0, [], body, body)
        answer = self.receive(head_only)
        assert not self.buffer, f"more than one answer: {self.buffer[:200]}"
        return answer

    def send(self, octets):
        if not self.sock:
            self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        self.sock.sendall(octets)

    def receive(self, head_only=False):
        """The next answer; those that only announce one are part of its octets."""
        self.seen = b""
        status, headers = self.head()
        while 100 <= status < 200 and status != 101:
            status, headers = self.head()
        answer = Answer(status, headers, b"", b"")
        ends = False
        if head_only or status in (204, 304):
            pass
        elif status == 101:
            self.close()
        elif "chunked" in (answer.get("Transfer-Encoding") or ""):
            answer.body = self.chunks()
        elif answer.get("Content-Length") is not None:
            answer.body = self.take(int(answer.get("Content-Length")))
        else:
            answer.body, ends = self.rest(), True
        answer.octets = self.seen
        if ends or "close" in (answer.get("Connection") or "").lower():
            self.close()
        return answer

    def head(self):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        return status, [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]

    def chunks(self):
        body = b""
        while size := int(self.until(b"\r\n").split(b";")[0], 16):
            body += self.take(size)
            self.take(2)
        while self.until(b"\r\n") != b"\r\n":
            pass
        return body

    def until(self, mark):
        while mark not in self.buffer:
            self.more()
        return self.take(self.buffer.index(mark) + len(mark))

    def take(self, count):
        while len(self.buffer) < count:
            self.more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        self.seen += taken
        return taken

    def rest(self):
        try:
            while True:
                self.more()
        except (EOFError, ConnectionError):
            return self.take(len(self.buffer))

    def more(self):
        received = self.sock.recv(65536)
        if not received:
            raise EOFError
        self.buffer += received
