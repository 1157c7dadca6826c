# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 28: every kind of handler against every early exit: no protected octet, and no program run, without a session.

The answers are read from the raw connection to its end: a leak once came behind a complete answer.
"""

import time

import pytest

from backend import MARK
from client import raw
from programs import WITNESS
from server import HOST, ORIGIN
from visitor import Visitor, made_up_token

VHOST = """
    EntraSAMLDefaultPage /start
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/expired">
        EntraSAMLSessionLifetime 1s
    </Location>
    <Location "/never">
        EntraSAMLUnauthenticated 401
    </Location>
    <Location "/editors">
        Require claim roles:Editor
    </Location>
    <Directory "${ROOT}/htdocs">
        Options +Indexes
    </Directory>
    AliasMatch "^/(?:never|editors|expired)/(static.txt|ssi.shtml|)$" "${ROOT}/htdocs/$1"
    ScriptAliasMatch "^/(?:(?:never|editors|expired)/)?cgi$" "${ROOT}/cgi-bin/witness"
    ProxyPassMatch "^/(?:(?:never|editors|expired)/)?proxied" "${BACKEND}"
    <LocationMatch "^/(?:(?:never|editors|expired)/)?status$">
        SetHandler server-status
    </LocationMatch>
"""

TARGETS = {
    "static": "static.txt",
    "cgi": "cgi",
    "proxy": "proxied",
    "ssi": "ssi.shtml",
    "status": "status",
    "directory": "",
}
MARKS = [b"PROTECTED", b"Apache Server Status", b"Index of", MARK.encode()]
NAVIGATE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FORM = {**NAVIGATE, "Content-Type": "application/x-www-form-urlencoded", "Content-Length": "3"}

# name: (method, where below, headers, body, status)
EXITS = {
    "redirect": ("GET", "", NAVIGATE, b"", 303),
    "redirect-head": ("HEAD", "", NAVIGATE, b"", 303),
    "program": ("GET", "", {"Sec-Fetch-Mode": "cors"}, b"", 401),
    "program-range": ("GET", "", {"Sec-Fetch-Mode": "cors", "Range": "bytes=0-9"}, b"", 401),
    "program-conditional": ("GET", "", {"Sec-Fetch-Mode": "cors", "If-None-Match": "*"}, b"", 401),
    "form": ("POST", "", FORM, b"a=b", 401),
    "json": ("POST", "", {"Content-Type": "application/json", "Content-Length": "2"}, b"{}", 401),
    "put": ("PUT", "", {"Content-Length": "2"}, b"{}", 401),
    "delete": ("DELETE", "", {}, b"", 401),
    "options": ("OPTIONS", "", {}, b"", 401),
    "preflight": ("OPTIONS", "", {"Origin": "https://a.test", "Access-Control-Request-Method": "PUT"}, b"", 401),
    "unknown-method": ("FROBNICATE", "", {}, b"", 401),
    "websocket": ("GET", "", {"Connection": "Upgrade, close", "Upgrade": "websocket"}, b"", 401),
    "made-up-session": ("GET", "", {**NAVIGATE, "Cookie": "{session}=" + made_up_token()}, b"", 303),
    "expect": ("POST", "", {**FORM, "Expect": "100-continue"}, b"a=b", 401),
    "never": ("GET", "never/", NAVIGATE, b"", 401),
    "denied": ("GET", "editors/", {**NAVIGATE, "Cookie": "{ben}"}, b"", 403),
    "denied-program": ("GET", "editors/", {"Accept": "application/json", "Cookie": "{ben}"}, b"", 403),
    "expired": ("GET", "expired/", {**NAVIGATE, "Cookie": "{ben}"}, b"", 303),
    "expired-program": ("GET", "expired/", {"Accept": "application/json", "Cookie": "{ben}"}, b"", 401),
}


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd, backend):
    httpd = make_httpd(vhost=VHOST, define={"BACKEND": backend.url}, mpm=request.param)
    httpd.page("static.txt", "PROTECTED static\n" * 2000)
    httpd.page("ssi.shtml", f'PROTECTED ssi <!--#exec cmd="echo ran >> {httpd.root}/cache/witness" -->')
    httpd.script("witness", WITNESS)
    return httpd


@pytest.fixture(scope="module")
def ben(httpd, entra):
    """A signed-in user who is no editor; older than the shortest lifetime here."""
    visitor = Visitor(httpd.network, entra)
    assert visitor.sign_in(f"{ORIGIN}/static.txt", "ben").status == 200
    time.sleep(1.1)
    return visitor


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("exit", EXITS)
def test_nothing_leaks(httpd, ben, backend, exit, target):
    method, below, headers, body, status = EXITS[exit]
    session = ben.jar.named("__Host-entra-session-")[0]
    witness = httpd.root / "cache" / "witness"
    witness.unlink(missing_ok=True)
    backend.requests.clear()
    head = {"Host": HOST, "Connection": "close", **headers}
    lines = [f"{method} /{below}{TARGETS[target]} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in head.items()]
    request = "\r\n".join([*lines, "", ""]).replace("{session}", session.name).replace(
        "{ben}", f"{session.name}={session.value}"
    )
    answer = raw(httpd.network, ORIGIN, request.encode() + body)
    final = answer.split(b"HTTP/1.1 ")[-1]
    assert int(final[:3]) == status, answer[:300]
    assert answer.count(b"HTTP/1.1 ") <= 2, "one answer, after at most a 100 Continue"
    assert not [mark for mark in MARKS if mark in answer]
    header, _, rest = final.partition(b"\r\n\r\n")
    assert_length(method, header, rest)
    assert backend.requests == [] and not witness.exists(), "a program ran"
    httpd.log.tolerate_denials()


def assert_length(method, header, rest):
    """What follows the header is exactly the one body that it announces."""
    fields = dict(line.lower().split(b": ", 1) for line in header.split(b"\r\n")[1:])
    if method == "HEAD":
        assert rest == b""
    elif b"content-length" in fields:
        assert len(rest) == int(fields[b"content-length"])
    else:
        assert rest.endswith(b"0\r\n\r\n") and rest.count(b"\r\n0\r\n") <= 1


@pytest.mark.parametrize("target", TARGETS)
def test_with_a_session_all_of_it_is_there(make_visitor, target):
    """The counterpart: the marks above do appear for who may see them."""
    visitor = make_visitor()
    visitor.sign_in(f"{ORIGIN}/static.txt")
    for below in ("", "editors/"):
        page = visitor.open(f"{ORIGIN}/{below}{TARGETS[target]}")
        assert page.status == 200 and any(mark in page.body for mark in MARKS)
