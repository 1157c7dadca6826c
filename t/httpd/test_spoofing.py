# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 29: no client sends what the module sends. Every spelling of every exported name, on every way through httpd, over
HTTP/1.1 and HTTP/2; what arrives is what the backend or the program behind says that it got.

`pytest -s t/httpd/test_spoofing.py` prints the table: names down, ways across.
"""

import json

import pytest

from client import raw
from http2 import Http2
from server import HOST, ORIGIN, PLAIN_ORIGIN
from visitor import Visitor

OTHER = "https://other.example.test"  # a host of the same server, without Entra

VHOST = """
    Protocols h2 http/1.1
    EntraSAMLClaim http://example.com/claims/cost-centre costcentre
    RewriteEngine on
    RewriteRule ^/rewritten$ /cgi-bin/env [PT]
    ErrorDocument 404 /open/error
    ErrorDocument 400 /cgi-bin/env
    ProxyPass "/app" "${BACKEND}/app"
    ProxyPass "/aware" "${BACKEND}/aware"
    ProxyPass "/open" "${BACKEND}/open"
    <Location "/app">
        AuthType entra-saml
        Require valid-user
        EntraSAMLHeader X-User user
        EntraSAMLHeader X-Groups groups
        EntraSAMLHeader X_Centre costcentre percent
        EntraSAMLHeaderPrefix X-Entra-
        EntraSAMLEnvPrefix SAML_
        EntraSAMLEnv roles TEAM
        EntraSAMLEnvValues both
    </Location>
    <Location "/aware">
        AuthType entra-saml
        Require all granted
    </Location>
    <Location "/leaving">
        AuthType entra-saml
        Require valid-user
        EntraSAMLHeader X-User user
        RewriteEngine on
        RewriteRule ^ /open/left [L]
    </Location>
    <Location "/parent.shtml">
        AuthType entra-saml
        Require valid-user
        EntraSAMLHeader X-User user
        EntraSAMLHeaderPrefix X-Entra-
    </Location>
    <Location "/listed">
        AuthType entra-saml
        Require valid-user
        EntraSAMLHeader X-User user
    </Location>
    <Location "/listed/index.cgi">
        EntraSAMLHeader Off
        EntraSAMLExportNot groups
    </Location>
    Alias "/listed" "${ROOT}/cgi-bin/listed"
    <Directory "${ROOT}/cgi-bin/listed">
        DirectoryIndex index.cgi
    </Directory>
"""

# Another host's sections, which the attacked host knows nothing of; and one whose backend is the same.
SERVER = """
LoadModule http2_module "${LIBEXEC}/mod_http2.so"
MaxKeepAliveRequests 0
<VirtualHost 127.0.0.1:${HTTPS}>
    ServerName other.example.test
    Protocols h2 http/1.1
    SSLEngine on
    SSLCertificateFile "${CERTIFICATE}"
    SSLCertificateKeyFile "${KEY}"
    ProxyPass "/" "${BACKEND}/"
    <Location "/far">
        EntraSAMLHeader X-Far user
        EntraSAMLEnv groups FAR_GROUPS
    </Location>
</VirtualHost>
"""
PLAIN = 'ProxyPass "/" "${BACKEND}/"'

# What a section here exports, and how a client may write it: what CGI and its kin make the same name of. Each pair is the
# header's name and its value; "spoofed" must not arrive.
NAMES = {
    "a header": ["X-User", "x-user", "X-USER", "X_User", "x_user", "X.User", "x~user"],
    "its companion": ["X-Groups-Missing", "x_groups_missing"],
    "a header with _": ["X_Centre", "X-Centre", "x-centre"],
    "a header of the prefix": ["X-Entra-Groups", "x_entra_groups", "X-Entra_Anything", "x-entra-", "X.Entra.Name"],
    "a variable": ["ENTRA_GROUPS", "Entra-Groups", "entra.groups", "Entra-Anything"],
    "the user": ["Remote-User", "REMOTE_USER", "remote.user"],
    "a variable of another prefix": ["SAML_NAME", "saml-name", "Saml.Anything"],
    "a variable of its own name": ["TEAM", "team", "Team-1", "TEAM_12", "team-count", "Team.Count"],
    "another host's": ["X-Far", "x_far", "FAR_GROUPS", "far-groups-1"],
}
SPELLINGS = [(kind, name) for kind, names in NAMES.items() for name in names]

# Ways through httpd: (origin, path, does somebody sign in first, status).
WAYS = {
    "open proxy": (ORIGIN, "/open/x", False, 200),
    "aware proxy": (ORIGIN, "/aware", False, 200),
    "signed in": (ORIGIN, "/app", True, 200),
    "program": (ORIGIN, "/cgi-bin/env", False, 200),
    "rewritten": (ORIGIN, "/rewritten", False, 200),
    "subrequest": (ORIGIN, "/page.shtml", False, 200),
    "error document": (ORIGIN, "/missing", False, 200),
    "endpoint's error": (ORIGIN, "/saml/login?return=https://evil.test/", False, 400),
    "left by redirect": (ORIGIN, "/leaving", True, 200),
    "other host": (OTHER, "/x", False, 200),
    "plain host": (PLAIN_ORIGIN, "/x", False, 200),
}
PROTOCOLS = ["HTTP/1.1", "HTTP/2"]
ASKED = [(way, protocol) for way in WAYS for protocol in PROTOCOLS if protocol != "HTTP/2" or WAYS[way][0] != PLAIN_ORIGIN]
PROGRAM = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\nenv\n"  # quick: it is asked a thousand times
KEPT = ("X-Other", "kept")  # what arrives shows that the answer tells of headers at all


@pytest.fixture(scope="module")
def httpd(make_httpd, backend, tools):
    define = {"BACKEND": backend.url, "LIBEXEC": tools.libexec}
    httpd = make_httpd(start=False, vhost=VHOST, server=SERVER, plain=PLAIN, define=define)
    httpd.script("env", PROGRAM)
    (httpd.root / "cgi-bin" / "listed").mkdir()
    httpd.script("listed/index.cgi", PROGRAM)
    httpd.page("page.shtml", '<!--#include virtual="/cgi-bin/env" -->')
    httpd.page("parent.shtml", '<!--#include virtual="/cgi-bin/env" -->')
    httpd.serve("other.example.test")
    return httpd.start()


@pytest.fixture(scope="module")
def zoe(httpd, entra):
    person = Visitor(httpd.network, entra)
    person.sign_in(f"{ORIGIN}/app", "zoe")
    return person


class Asker:
    """The same requests over either protocol."""

    def __init__(self, httpd, tools, person, origin, protocol):
        self.httpd, self.origin = httpd, origin
        cookie = person and person.jar.header(origin + "/")
        self.headers = [KEPT, *([("Cookie", cookie)] if cookie else [])]
        self.line = Http2(httpd.network, origin, tools.certificate) if protocol == "HTTP/2" else None
        self.connection = None if self.line else httpd.network.connect(origin + "/")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (self.line.socket if self.line else self.connection).close()

    def ask(self, path, *headers):
        """(status, body) of a request with these headers, repeated where they are."""
        if self.line:
            status, _, body = self.line.ask(path, [*self.headers, *headers])
            return status, body.decode()
        self.connection.putrequest("GET", path)
        for name, value in [*self.headers, *headers]:
            self.connection.putheader(name, value)
        self.connection.endheaders()
        answer = self.connection.getresponse()
        body = answer.read().decode()
        if answer.will_close:  # after some errors
            self.connection.close()
            self.connection = self.httpd.network.connect(self.origin + "/")
        return answer.status, body


def outcome(asker, path, status, name):
    """What becomes of a header by this name: alone, empty before it, twice."""
    for headers in ([(name, "spoofed")], [(name, ""), (name, "spoofed")], [(name, "spoofed"), (name.upper(), "spoofed")]):
        got, body = asker.ask(path, *headers)
        if got != status or "kept" not in body:
            return f"{got}"
        if "spoofed" in body:
            return "passed"
    return "removed"


@pytest.fixture(scope="module")
def matrix():
    """Filled by the tests of the ways, printed by the last one."""
    return {}


@pytest.mark.parametrize("way, protocol", ASKED)
def test_way(httpd, tools, zoe, matrix, way, protocol):
    origin, path, is_signed_in, status = WAYS[way]
    if way == "endpoint's error":
        httpd.log.tolerate("landing-refused")
    with Asker(httpd, tools, zoe if is_signed_in else None, origin, protocol) as asker:
        for kind, name in SPELLINGS:
            # Where no section of the host is ours, and no section sends it, somebody else may mean this header.
            expected = "passed" if kind == "the user" and origin != ORIGIN else "removed"
            found = outcome(asker, path, status, name)
            matrix[name, way, protocol] = found
            assert found == expected, (name, way, protocol)


def test_matrix(matrix):
    """The table of all of them: the last row says what was asked for."""
    columns = [column for column in ASKED if (SPELLINGS[0][1], *column) in matrix]
    width = max(len(name) for _, name in SPELLINGS)
    marks = {"removed": "-", "passed": "P"}
    print("\n" + "\n".join(f"{'':{width}}  {chr(ord('a') + i)}  {way}, {protocol}" for i, (way, protocol) in enumerate(columns)))
    print(f"{'':{width}}  " + " ".join(chr(ord("a") + i) for i in range(len(columns))))
    for _, name in SPELLINGS:
        print(f"{name:{width}}  " + " ".join(marks[matrix[name, *column]] for column in columns))
    print(f"{len(matrix)} cells, three requests each; - removed, P passed (a host without Entra that sends no such header)")
    assert set(matrix.values()) <= {"removed", "passed"}


def backend_headers(asker, path, *headers):
    """What reached the backend."""
    status, body = asker.ask(path, *headers)
    assert status == 200, body
    return [tuple(pair) for pair in json.loads(body)["headers"]]


def folded(name):
    return "".join(c.upper() if c.isascii() and c.isalnum() else "_" for c in name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_true_value_is_there_once(httpd, tools, zoe, entra, protocol):
    """Whatever the client sends beside it."""
    user = entra.users["zoe"].upn
    with Asker(httpd, tools, zoe, ORIGIN, protocol) as asker:
        for _, name in SPELLINGS:
            got = backend_headers(asker, "/app", (name, "spoofed"), (name, "spoofed"))
            assert [value for key, value in got if folded(key) == "X_USER"] == [user], name
            assert [value for key, value in got if folded(key) == "X_ENTRA_USER"] == [user], name


@pytest.mark.parametrize("tokens", ["X-User", "close, x-user", "X_GROUPS , X-Groups,x-user", "keep-alive,X-Entra-Name"])
def test_no_header_is_dropped_on_the_way(httpd, tools, zoe, tokens):
    """Connection names headers that mod_proxy must not pass on: a client would make itself nobody."""
    with Asker(httpd, tools, zoe, ORIGIN, "HTTP/1.1") as asker:
        names = {folded(name) for name, _ in backend_headers(asker, "/app", ("Connection", tokens))}
        assert {"X_USER", "X_GROUPS", "X_ENTRA_NAME"} <= names


def test_other_tokens_of_connection_still_count(httpd, tools, zoe):
    with Asker(httpd, tools, zoe, ORIGIN, "HTTP/1.1") as asker:
        got = backend_headers(asker, "/app", ("Connection", "X-Mine, X-User, close"), ("X-Mine", "for this hop"))
        assert "X-Mine" not in dict(got) and "X-User" in dict(got)


def test_trailers_come_too_late(httpd, zoe, backend):
    """MergeTrailers makes headers of what follows the body: by then ours have been sent."""
    cookie = zoe.jar.header(f"{ORIGIN}/")
    request = (
        f"POST /app HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        "Trailer: X-User\r\n\r\n3\r\nabc\r\n0\r\nX-User: spoofed\r\n\r\n"
    )
    backend.requests.clear()
    assert raw(httpd.network, ORIGIN, request.encode()).startswith(b"HTTP/1.1 200")
    [(_, _, headers)] = backend.requests
    assert "spoofed" not in str(headers) and len([name for name, _ in headers if folded(name) == "X_USER"]) == 1


def test_a_section_that_sends_none_gets_none(httpd, tools, zoe):
    """Left by an internal redirect, a subrequest, and DirectoryIndex: what was set for the section before is gone."""
    with Asker(httpd, tools, zoe, ORIGIN, "HTTP/1.1") as asker:
        assert not [name for name, _ in backend_headers(asker, "/leaving") if folded(name).startswith("X_USER")]
        for path in ("/parent.shtml", "/listed/", "/listed/index.cgi"):
            status, body = asker.ask(path)
            assert status == 200 and 'HTTP_X_OTHER=kept' in body, body
            assert "HTTP_X_USER" not in body and "HTTP_X_ENTRA" not in body, path
        assert "ENTRA_GROUPS" not in asker.ask("/listed/")[1] and "ENTRA_SURNAME" in asker.ask("/listed/")[1]
