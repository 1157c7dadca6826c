# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands around a server of ours: the lookalike Entra, a segment full of sessions, messages ready to be posted."""

import re
import subprocess
import urllib.parse
from pathlib import Path

import load
from entra import Application
from entra.service import Service
from entra.users import STAFF, User, many_groups
from server import ORIGIN, Server

# Every user of the benches has the group, as the last of his.
RULES = f"""\
    AuthType entra-saml
    Require claim groups:{STAFF}
"""


class Scene:
    """One Entra for all servers, and how to make them."""

    def __init__(self, machine, mpm="event"):
        self.machine, self.mpm = machine, mpm
        users = {str(groups): _user(groups) for groups in (5, 150)}
        application = Application(identifiers=[f"{ORIGIN}/saml/metadata"], reply_urls=[f"{ORIGIN}/saml/acs"])
        self.entra = Service([application], users=users)
        self.metadata = self.entra.metadata(application)

    def plain(self, backend=None):
        return Server(self.machine, mpm=self.mpm, backend=backend)

    def protected(self, lines="", backend=None):
        return Server(self.machine, metadata=self.metadata, rules=RULES + lines, mpm=self.mpm, backend=backend)

    def fill(self, server, sessions, groups):
        """Give the server a segment with so many sessions; Cookie headers of up to 1,000 of them."""
        command = [self.machine.programs / "fill", server.segment, server.root / "entra.xml", str(sessions), str(groups)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        size, _record, *cookies = done.stdout.decode().split()
        server.memory = f"{int(size) >> 20}M"
        return cookies

    def posts(self, server, count, groups):
        """So many messages that the server, which runs, would accept: (Cookie header, form fields)."""
        made = []
        with load.Line(server) as line:
            for _ in range(count):
                head = line.ask(load.get(), load.SENT_TO_ENTRA)
                location = re.search(r"(?i)\r\nLocation: *(\S+)", head)[1]
                cookie = re.search(r"(?i)\r\nSet-Cookie: *([^;]+)", head)[1]
                made.append((cookie, self.entra.sign_in(location, str(groups)).fields))
        return made


def requests_of(posts):
    """The octets of the POST requests."""
    return [load.post("/saml/acs", urllib.parse.urlencode(form).encode("ascii"), cookie) for cookie, form in posts]


def write_posts(server, posts):
    """For the program `floor`."""
    lines = (f"{cookie} {form['SAMLResponse']} {form['RelayState']}\n" for cookie, form in posts)
    Path(server.root / "posts").write_text("".join(lines), "ascii")


def _user(groups):
    return User(
        f"user{groups}",
        "Augusta",
        "Number",
        mail=f"user{groups}@contoso.example",
        groups=[*many_groups(groups - 1), STAFF],
        roles=["Reader"],
    )
