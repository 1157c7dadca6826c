# SPDX-License-Identifier: GPL-3.0-or-later
"""Many requests, octet by octet, over one connection: for tests that ask a thousand questions and need no browser."""

import http.client

from client import ACCEPT_PAGE, AGENT, Page
from cookies import origin_of


class Wire:
    """Asks one origin. Nothing is remembered, nothing is followed; cookies go along where they are given."""

    def __init__(self, network, origin):
        self.network = network
        self.origin = origin
        self.connection = None

    def ask(self, target, *, method="GET", body=None, cookie=None, fetch=False, headers=None):
        """One request with these octets as its target: as a navigation, or (`fetch`) by a script. The Page; a server that
        ends the connection without a word has refused, which counts as 400."""
        sent = {"Host": origin_of(self.origin).partition("://")[2], "User-Agent": AGENT}
        sent["Accept"] = "*/*" if fetch else ACCEPT_PAGE
        sent["Sec-Fetch-Mode"] = "cors" if fetch else "navigate"
        sent["Sec-Fetch-Dest"] = "empty" if fetch else "document"
        sent["Sec-Fetch-Site"] = "same-origin"
        if cookie:
            sent["Cookie"] = cookie
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            sent["Content-Length"] = str(len(body))
        sent.update(headers or {})
        lines = [b"%s %s HTTP/1.1" % (method.encode(), target), *(f"{name}: {value}".encode() for name, value in sent.items())]
        octets = b"\r\n".join([*lines, b"", body or b""])
        url = self.origin + "/" + target.decode("latin-1")
        # What splits the request leaves answers behind that belong to no question.
        splits = any(octet in target for octet in b"\r\n")
        answer = self._exchange(octets, method)
        if answer is None:
            return Page(url, method, sent, 400, http.client.HTTPMessage(), b"")
        if splits or answer.will_close:
            self.close()
        return Page(url, method, sent, answer.status, answer.headers, answer.content)

    def _exchange(self, octets, method):
        fresh = self.connection is None
        if fresh:
            self.connection = self.network.connect(self.origin)
        try:
            self.connection.sock.sendall(octets)
            answer = http.client.HTTPResponse(self.connection.sock, method=method)
            answer.begin()
            answer.content = answer.read()
            return answer
        except (http.client.HTTPException, OSError):
            self.close()
            return None if fresh else self._exchange(octets, method)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None
