# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows 14, 28: every way in, asked for in every manner. Nothing protected leaves without a session, nothing runs; and a
signed-in user gets exactly what the server would give without us.

ENTRA_MATRIX=FILE writes what strangers got, as a table.
"""

import os
import re
from pathlib import Path

import pytest

from octets import Connection
from server import HOST, ORIGIN, free_ports
from visitor import Visitor
from ways import APP, CANARY, ENTRIES, KINDS, LEAVES, PAGES, RAW_APP, RESTLESS, compose, host_lines, lines_of_modules

ENTRA = 'EntraSAMLMetadata "${ROOT}/entra.xml"\nEntraSAMLEntityID https://app.example.test/saml/metadata\n'
WHOLE = ENTRA + '<Location "/">\nAuthType entra-saml\nRequire valid-user\n</Location>\n'
SHARED = """
    Listen 127.0.0.1:{port}
    Protocols h2c http/1.1
    TraceEnable On
    ExtendedStatus Off
    MaxKeepAliveRequests 0
    DavLockDB "${{ROOT}}/cache/dav"
    <Proxy "balancer://app">
        BalancerMember "${{BACKEND}}"
    </Proxy>
"""
# Of what nobody may hear without a session; what httpd may say of an address in either case.
TELLING = {
    "etag", "last-modified", "content-range", "accept-ranges", "dav", "ms-author-via", "allow", "tcn", "alternates",
    "content-location", "x-canary", "sec-websocket-accept", "content-disposition", "expires",
}  # fmt: skip
# What we add, what is of the connection, and the frame of a program's answer, which hangs on how fast it came.
OURS = {"date", "cache-control", "connection", "keep-alive", "upgrade", "content-length", "transfer-encoding"}
# What httpd's own modules have to say of such requests, whoever sends them.
NOISE = ("AH00135", "AH00592", "AH01374", "AH10187", "dav:error")


class World:
    """The server, its twin, and somebody signed in."""

    def __init__(self, httpd, twin_port, backend, entra):
        self.httpd = httpd
        self.backend = backend
        self.guarded = Connection(httpd.ports["http"])
        self.twin = Connection(twin_port)
        httpd.network.add(ORIGIN, httpd.ports["http"], tls=False)
        self.ada = Visitor(httpd.network, entra)
        assert CANARY in self.ada.sign_in(f"{ORIGIN}/file.txt").text
        self.cookie = self.ada.jar.header(f"{ORIGIN}/")

    def stranger(self, kind, target, **how):
        """What a stranger gets; nothing may run for it, and nothing be written."""
        before = self.traces()
        answer = self.guarded.ask(compose(kind, target, **how), KINDS[kind][1] == "HEAD")
        assert self.traces() == before, f"{kind} {target}: something ran or was written"
        return answer

    def user(self, kind, target, **how):
        return self.guarded.ask(compose(kind, target, cookie=self.cookie, **how), KINDS[kind][1] == "HEAD")

    def unprotected(self, kind, target, **how):
        """The twin gets the same cookie: some answers repeat the request."""
        return self.twin.ask(compose(kind, target, cookie=self.cookie, **how), KINDS[kind][1] == "HEAD")

    def traces(self):
        root = self.httpd.root
        ran = root / "cache" / "ran"
        dav = root / "htdocs" / "dav"
        return ran.exists() and ran.stat().st_size, len(self.backend.requests), sorted(os.listdir(dav))

    def tidy(self):
        """What DAV has changed is as before."""
        for file in (self.httpd.root / "htdocs" / "dav").iterdir():
            file.unlink()
        self.httpd.page("dav/file.txt", PAGES["dav/file.txt"]).chmod(0o666)
        os.utime(self.httpd.root / "htdocs" / "dav" / "file.txt", (1_700_000_000, 1_700_000_000))


@pytest.fixture(scope="module")
def matrix():
    """(entry, kind) -> what a stranger got."""
    found = {}
    yield found
    if os.environ.get("ENTRA_MATRIX"):
        Path(os.environ["ENTRA_MATRIX"]).write_text(as_table(found), "utf-8")


def as_table(found):
    lines = [f"| | {' | '.join(KINDS)} |", f"|---|{'---|' * len(KINDS)}"]
    for entry in ENTRIES:
        lines.append(f"| {entry} `{ENTRIES[entry]}` | {' | '.join(str(found.get((entry, kind), '')) for kind in KINDS)} |")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world(make_httpd, tools, backend, entra):
    [port] = free_ports(1)
    shared = lines_of_modules(tools) + SHARED.format(port=port)
    httpd = make_httpd(
        entra="",
        plain=host_inside(WHOLE),
        server=shared + host_lines(port, HOST, ""),
        define={"BACKEND": backend.url},
        start=False,
    )
    for path, text in PAGES.items():
        os.utime(httpd.page(path, text), (1_700_000_000, 1_700_000_000))
    (httpd.root / "htdocs" / "dav").chmod(0o777)
    httpd.script("app", APP)
    httpd.script("nph-app", RAW_APP)
    httpd.start()
    return World(httpd, port, backend, entra)


def host_inside(lines):
    """For the template's own virtual host, which has begun already."""
    return host_lines(0, "", lines).split("\n", 2)[2].rsplit("</VirtualHost>", 1)[0]


def assert_nothing_told(answer, about):
    """No protected octet, and no header that speaks of what is there."""
    assert CANARY.encode() not in answer.octets, f"{about}: {answer.octets[:600]}"
    told = {name.lower() for name, _ in answer.headers} & TELLING
    assert not told, f"{about}: tells {told}"


def assert_kept_out(answer, kind, about, refused=None):
    """Sent to Entra or 401, as `kind` says; or what httpd says of such a request before it asks for whom it is."""
    expected = KINDS[kind][0]
    if refused is not None and answer.status == refused:
        assert CANARY.encode() not in answer.octets, about
        return
    assert answer.status == expected, f"{about}: {answer.status} instead of {expected}: {answer.octets[:300]}"
    if expected == 303:
        assert answer.get("Location").startswith("https://login.microsoftonline.com/"), about
    assert_nothing_told(answer, about)
    assert answer.all("Cache-Control") == ["no-store"], about


def settled(answer, entry):
    """What must be the same for user and twin."""
    headers = sorted((name, value) for name, value in answer.headers if name.lower() not in OURS)
    if entry in RESTLESS:
        return answer.status, answer.get("Content-Type")
    body = re.sub(rb'"[^"]*opaquelocktoken[^"]*"|opaquelocktoken:[0-9a-f-]+', b"", answer.body)
    body = re.sub(rb'\["(X-Forwarded|Host|Connection)[^\]]*\]', b"", body)
    return answer.status, [pair for pair in headers if pair[0] != "Lock-Token"], body


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_kind_of_request(world, matrix, entry):
    target = ENTRIES[entry]
    world.httpd.log.tolerate(*NOISE)
    for kind in KINDS:
        about = f"{kind} {target}"
        refused = None
        if kind not in LEAVES:
            world.tidy()
            twin = world.unprotected(kind, target)
            world.tidy()
            assert settled(world.user(kind, target), entry) == settled(twin, entry), about
            world.tidy()
            refused = twin.status if twin.status >= 400 else None
        answer = world.stranger(kind, target)
        matrix[entry, kind] = answer.status
        if KINDS[kind][1] == "TRACE":
            assert CANARY.encode() not in answer.octets, about
        else:
            assert_kept_out(answer, kind, about, refused)
