# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows 14, 28: every way in, asked for in every manner. Nothing protected leaves without a session, nothing runs; and a
signed-in user gets exactly what the server would give without us.

ENTRA_MATRIX=FILE writes what strangers got, as a table.
"""

import os
from pathlib import Path

import pytest

from http2 import Http2
from octets import Connection
from server import HOST, ORIGIN
from spellings import ADDRESSES, spellings
from ways import ENTRIES, KINDS, LEAVES, RESTLESS, compose
from world import NOISE, TLS, World, assert_kept_out, assert_nothing_told, holds_protected, settled


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
def the_world(make_httpd, tools, backend, entra):
    return World(make_httpd, tools, backend, entra)


@pytest.fixture
def world(the_world):
    the_world.httpd.log.tolerate(*NOISE)
    return the_world


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_kind_of_request(world, matrix, entry):
    target = ENTRIES[entry]
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
            assert not holds_protected(answer.octets), about
        else:
            assert_kept_out(answer, kind, about, refused)


@pytest.mark.parametrize("path", ADDRESSES)
def test_every_spelling(world, path):
    """Protected in pieces, by every kind of section, with AllowEncodedSlashes Off, On and NoDecode."""
    reached = 0
    for host in ("off.example.test", "on.example.test", "nodecode.example.test"):
        for target in spellings(path):
            about = f"{target} at {host}"
            twin = world.unprotected("GET", target, host=host)
            entry = next(iter(RESTLESS)) if path in ENTRIES.values() and path.startswith("/server-") else None
            assert settled(world.user("GET", target, host=host), entry) == settled(twin, entry), about
            answer = world.stranger("GET", target, host=host)
            assert not holds_protected(answer.octets), about
            if holds_protected(twin.octets):
                reached += 1
                assert answer.status == 303 or target.startswith(("http", "//")), about
                assert_nothing_told(answer, about)
    assert reached >= 3 * 10, "most of them must mean what they say, or nothing is tested"


# What is not let in, and how httpd or we say so: (host, whose cookie, what comes).
EXITS = {
    "an error document": ("errors.example.test", None, {303, 401}),
    "an error document at a backend": ("proxied-errors.example.test", None, {303, 401}),
    "denied": ("editors.example.test", "ben", {403}),
    "asked to sign in anew, and just did": ("anew.example.test", "ada", {403}),
    "asked to sign in anew": ("anew.example.test", None, {303, 401}),
    "without metadata": ("pending.example.test", None, {503}),
    "without metadata, with a cookie": ("pending.example.test", "ada", {503}),
}
SOME = ["GET", "HEAD", "GET frame", "fetch", "POST form", "POST JSON", "PUT", "OPTIONS", "websocket", "BREW", "MOVE"]


@pytest.mark.parametrize("name", EXITS)
def test_every_early_exit(world, name):
    """While a page of ours is shown, or a status of httpd's, nothing of what is there goes out with it."""
    host, user, statuses = EXITS[name]
    cookie = world.signed_in(user) if user else None
    for entry, target in ENTRIES.items():
        for kind in SOME:
            about = f"{kind} {target} at {host}"
            answer = world.stranger(kind, target, host=host, cookie=cookie)
            assert answer.status in statuses, f"{about}: {answer.status}"
            assert_nothing_told(answer, about)


def test_a_section_without_a_rule(world):
    for kind in SOME:
        answer = world.stranger(kind, "/bare/page.txt", host="bare.example.test")
        assert answer.status == 500
        assert_nothing_told(answer, kind)
    world.httpd.expect("config-section")


@pytest.mark.parametrize("host", [HOST.upper(), f"{HOST}.", f"{HOST}:81", "127.0.0.1", "nobody.example", "", "[::1]", "xn--a"])
def test_another_name(world, host):
    """Who is not known by name comes to the first virtual host."""
    for kind in ("GET", "GET 1.0", "POST form"):
        answer = world.stranger(kind, "/file.txt", host=host)
        assert answer.status in (KINDS[kind][0], 400), host
        assert_nothing_told(answer, host)


def test_targets_of_another_kind(world):
    """Absolute ones, with a Host of their own mind; HTTP/1.0 without Host; HTTP/0.9, which has no headers."""
    for target in (f"http://{HOST}/file.txt", "http://elsewhere.example/file.txt", "https://off.example.test/file.txt", "ftp://x/file.txt"):
        for host in (HOST, "off.example.test", "elsewhere.example", ""):
            answer = world.stranger("GET", target, host=host)
            assert not holds_protected(answer.octets) or host_of(target) == "off.example.test", (target, host)
            if answer.status == 303:
                assert "elsewhere" not in answer.get("Location")
    for octets in (b"GET /file.txt HTTP/1.0\r\n\r\n", b"GET /cgi-bin/app HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"):
        answer = Connection(world.ports["guarded"]).ask(octets)
        assert answer.status in (303, 401)
        assert_nothing_told(answer, octets)
    for octets in (b"GET /file.txt\r\n", b"GET /cgi-bin/app\n", b"get /file.txt\r\n", b"GET /file.txt HTTP/0.9\r\n\r\n"):
        answer = Connection(world.ports["guarded"]).ask(octets, old=True)
        assert not holds_protected(answer.octets), octets


def host_of(target):
    return target.split("/")[2]


def test_pipelined(world):
    """Whom one request of a connection lets in says nothing about the next."""
    targets = ["/file.txt", "/cgi-bin/app", "/proxied/x", "/page.shtml", "/none"]
    plan = [(target, cookie) for target in targets for cookie in (world.cookie, None, world.cookie, None)]
    connection = Connection(world.ports["guarded"])
    connection.send(b"".join(compose("GET", target, cookie=cookie) for target, cookie in plan))
    for target, cookie in plan:
        answer = connection.receive()
        assert holds_protected(answer.octets) == (cookie is not None and target != "/none"), (target, cookie)
        assert answer.status == (303 if cookie is None else 404 if target == "/none" else 200)
    connection.close()


OVER_HTTP2 = ["GET", "HEAD", "GET range", "GET frame", "fetch", "POST form", "PUT", "OPTIONS", "preflight", "PROPFIND", "BREW"]


def test_http2(world, tools):
    """Many requests of one connection, by whom it may be."""
    with Http2(world.httpd.network, TLS, tools.certificate) as connection:
        for entry, target in ENTRIES.items():
            for kind in OVER_HTTP2:
                expected, method, headers, _ = KINDS[kind]
                before = world.traces()
                status, got, body = connection.ask(target, list(headers.items()), method)
                about = f"{kind} {target}: {status}"
                assert status == expected or (status == 501 and kind == "BREW"), about
                assert not holds_protected(body + b"".join(value for _, value in got)), about
                assert world.traces() == before, about
            if entry not in RESTLESS:
                cookie = ("cookie", world.cookie)
                status, got, body = connection.ask(target, [*KINDS["fetch"][2].items(), cookie])
                twin = world.unprotected("fetch", target)
                assert status == twin.status and holds_protected(body) == holds_protected(twin.body), entry
