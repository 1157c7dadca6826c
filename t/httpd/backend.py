# SPDX-License-Identifier: GPL-3.0-or-later
"""An application behind ProxyPass: it tells what reached it, and counts."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MARK = "PROTECTED-BY-PROXY"


class Backend:
    def __init__(self):
        self.requests = []  # (method, path, headers as a list of pairs)
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                backend.requests.append((self.command, self.path, self.headers.items()))
                body = json.dumps({"mark": MARK, "path": self.path, "headers": self.headers.items()}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if self.path.startswith("/cacheable"):
                    self.send_header("Cache-Control", "public, max-age=60")
                    self.send_header("Expires", self.date_time_string(time.time() + 60))
                    self.send_header("Last-Modified", self.date_time_string(time.time() - 3600))
                if self.path.startswith("/network"):
                    self.send_header("CDN-Cache-Control", "private")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
