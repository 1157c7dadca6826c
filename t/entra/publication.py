# SPDX-License-Identifier: GPL-3.0-or-later
"""How the metadata address answers: well, or wrong in one of the ways a client must survive."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Optional

MODIFIED = "Sun, 22 Nov 2026 01:02:03 GMT"


@dataclass
class Publication:
    """Change its fields while the lookalike serves.

    body      octets in the place of the document
    status    other than 200, with `headers`
    delay     seconds before the answer
    etag      send an ETag (and Last-Modified), and answer 304 to who has that document
    fetches   the request headers of every fetch so far
    """

    body: Optional[bytes] = None
    status: int = 200
    headers: dict = field(default_factory=dict)
    delay: float = 0
    etag: bool = False
    fetches: list = field(default_factory=list)

    def answer(self, request_headers, document, version):
        """(status, headers, octets) for this request; `version` names what the document says."""
        self.fetches.append(dict(request_headers))
        if self.delay:
            time.sleep(self.delay)
        headers = dict(self.headers)
        if self.status != 200:
            return self.status, headers, b""
        if self.etag:
            tag = '"' + hashlib.sha256(version.encode()).hexdigest()[:16] + '"'
            headers.update({"ETag": tag, "Last-Modified": MODIFIED})
            if request_headers.get("If-None-Match") == tag:
                return 304, headers, b""
        return 200, headers, document if self.body is None else self.body
