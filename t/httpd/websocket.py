# SPDX-License-Identifier: GPL-3.0-or-later
"""Websockets (RFC 6455), as much of them as an echo takes: a backend that sends back each message, and a client."""

import base64
import hashlib
import os
import socketserver
import struct
import threading
from urllib.parse import urlsplit

TEXT, CLOSE = 1, 8
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3


def accept_for(key):
    return base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()


def write_frame(write, kind, payload, mask=b""):
    """One frame with the whole message; clients mask theirs (section 5.3)."""
    size, bit = len(payload), 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | kind, bit | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, bit | 127, size)
    if mask:
        payload = bytes(octet ^ mask[at % 4] for at, octet in enumerate(payload))
    write(head + mask + payload)


def read_frame(stream):
    """(kind, payload) of the next frame; (None, b"") at the end."""
    head = stream.read(2)
    if len(head) < 2:
        return None, b""
    size = head[1] & 0x7F
    if size > 125:
        size = struct.unpack("!H" if size == 126 else "!Q", stream.read(2 if size == 126 else 8))[0]
    mask = stream.read(4) if head[1] & 0x80 else b"\0\0\0\0"
    return head[0] & 0x0F, bytes(octet ^ mask[at % 4] for at, octet in enumerate(stream.read(size)))


def read_head(stream):
    """The first line of a message, and its headers as a list of pairs."""
    lines = []
    while (line := stream.readline().rstrip(b"\r\n")):
        lines.append(line.decode("utf-8"))
    return lines[0] if lines else "", [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]


class Echo:
    """The backend. `handshakes` has the request line and headers of each."""

    def __init__(self):
        self.handshakes = []
        echo = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                line, headers = read_head(self.rfile)
                key = {name.lower(): value for name, value in headers}.get("sec-websocket-key")
                echo.handshakes.append((line, headers))
                if not key:
                    self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                    return
                answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                self.wfile.write(f"{answer}Sec-WebSocket-Accept: {accept_for(key)}\r\n\r\n".encode())
                kind = TEXT
                while kind == TEXT:
                    kind, payload = read_frame(self.rfile)
                    if kind is not None:
                        write_frame(self.wfile.write, kind, payload)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class WebSocket:
    """A browser's. `status` is what the handshake got; messages pass when that is 101."""

    def __init__(self, network, url, headers):
        parts = urlsplit(url)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket = network.connect(url).sock
        self.stream = self.socket.makefile("rb")
        sent = {
            "Host": parts.netloc, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13", "Origin": f"https://{parts.netloc}", **headers,
        }
        lines = [f"GET {parts.path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        line, self.headers = read_head(self.stream)
        self.status = int(line.split()[1])
        if self.status == 101:
            assert dict(self.headers)["Sec-WebSocket-Accept"] == accept_for(key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def echo(self, text):
        """What comes back for a message."""
        write_frame(self.socket.sendall, TEXT, text.encode(), os.urandom(4))
        kind, payload = read_frame(self.stream)
        assert kind == TEXT
        return payload.decode()

    def end(self):
        """The closing handshake; whether the other side took part."""
        write_frame(self.socket.sendall, CLOSE, struct.pack("!H", 1000), os.urandom(4))
        return read_frame(self.stream) == (CLOSE, struct.pack("!H", 1000))
