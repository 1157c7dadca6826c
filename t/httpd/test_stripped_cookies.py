# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody but us sees our cookies, unless a location says so; the application's own stay as they are."""

import pytest

from client import raw
from programs import ENVIRONMENT
from server import HOST, ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE, Visitor

VHOST = """
    LogFormat "%r|%{Cookie}i|%{__Host-entra-session-x}C" cookies
    CustomLog "${ROOT}/cookies.log" cookies
    ErrorDocument 400 /open/env
    ErrorDocument 404 /open/env
    ErrorDocument 417 /private/env
    AcceptPathInfo On
    ScriptAlias "/open/" "${ROOT}/cgi-bin/"
    ScriptAlias "/passing/" "${ROOT}/cgi-bin/"
    ScriptAlias "/private/" "${ROOT}/cgi-bin/"
    ProxyPass "/proxied" "${BACKEND}"
    ProxyPass "/signed-in" "${BACKEND}"
    RewriteEngine on
    RewriteRule ^/rewritten$ /private/env [PT]
    RewriteRule ^/rewritten-by-proxy$ ${BACKEND}/x [P]
    <LocationMatch "^/(private|signed-in|pages|denied)">
        AuthType entra-saml
        Require valid-user
    </LocationMatch>
    <Location "/denied">
        Require user nobody
    </Location>
    <Location "/passing">
        EntraSAMLPassCookies On
    </Location>
    <Directory "${ROOT}/htdocs/pages">
        FallbackResource /open/env
    </Directory>
    <Directory "${ROOT}/htdocs/handed-on">
        EntraSAMLPassCookies On
        RewriteEngine on
        RewriteRule ^to-open$ /open/env
        RewriteRule ^to-passing$ /passing/env
    </Directory>
    <Directory "${ROOT}/htdocs/from-open">
        RewriteEngine on
        RewriteRule ^to-passing$ /passing/env
        RewriteRule ^to-private$ /private/env
    </Directory>
    <Directory "${ROOT}/htdocs/index">
        EntraSAMLPassCookies On
        DirectoryIndex env.html
        Options +ExecCGI
        AddHandler cgi-script .html
    </Directory>
    <Directory "${ROOT}/htdocs/index">
        <Files "env.html">
            EntraSAMLPassCookies Off
        </Files>
    </Directory>
    <Directory "${ROOT}/htdocs/edits">
        EntraSAMLPassCookies On
        RequestHeader edit Cookie "^a=1" "a=2"
    </Directory>
    <Location "/edited">
        EntraSAMLPassCookies On
        ProxyPass "${BACKEND}"
    </Location>
    RequestHeader edit Cookie "^edited=here$" "set=by-admin" early
"""
APPLICATION = 'theme=dark; a="x, y";  b = c=d ; é=1'


@pytest.fixture(scope="module")
def httpd(make_httpd, backend):
    httpd = make_httpd(vhost=VHOST, define={"BACKEND": backend.url})
    httpd.script("env", ENVIRONMENT)
    httpd.page("page.shtml", '<!--#include virtual="/private/env" -->')
    httpd.page("passing.shtml", '<!--#include virtual="/passing/env" --><!--#include virtual="/open/env" -->')
    httpd.page("index/env.html", ENVIRONMENT).chmod(0o755)
    httpd.page("pages/there.html", "there")
    httpd.page("edits/page.shtml", '<!--#include virtual="/passing/env" --><!--#include virtual="/open/env" -->')
    for name in ("handed-on", "from-open"):
        httpd.page(f"{name}/index.html", name)
    return httpd


@pytest.fixture(scope="module")
def ada(httpd, entra):
    """Signed in; the two cookies are of one connection, as are those made up from them."""
    ada = Visitor(httpd.network, entra)
    ada.sign_in(f"{ORIGIN}/private/env")
    return ada


def ours(ada):
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in ada.jar.cookies.values())


def is_stripped(text, ada):
    return SESSION_COOKIE not in text and BINDING_COOKIE not in text and ada.session not in text


# Where a request may end, and whether that is in a section of ours.
PLACES = ["open/env", "private/env", "rewritten", "no-such-page", "page.shtml", "pages/x", "handed-on/to-open", "index/", "from-open/to-private"]


@pytest.mark.parametrize("path", PLACES)
def test_a_program_gets_its_own_cookies_only(ada, path):
    """Octet by octet, wherever ours stand among them; and ours still count."""
    mine = ours(ada)
    for sent in (f"{mine}; {APPLICATION}", f"{APPLICATION}; {mine}", f"theme=dark; {mine}; {APPLICATION[12:]}"):
        page = ada.open(f"{ORIGIN}/{path}", headers={"Cookie": sent.encode()})
        assert is_stripped(page.text, ada)
        assert page.json["HTTP_COOKIE"] == APPLICATION
        assert ("REMOTE_USER" in page.json) == (path in ("private/env", "rewritten", "page.shtml", "from-open/to-private", "pages/x"))


@pytest.mark.parametrize("path", PLACES)
def test_the_header_goes_with_the_last_cookie(ada, path):
    assert "HTTP_COOKIE" not in ada.open(f"{ORIGIN}/{path}").json


@pytest.mark.parametrize("path", ["proxied", "signed-in", "rewritten-by-proxy"])
def test_a_backend_gets_its_own_cookies_only(ada, backend, path):
    backend.requests.clear()
    for method in ("GET", "POST", "HEAD", "PUT", "OPTIONS"):
        ada.open(f"{ORIGIN}/{path}", method=method, headers={"Cookie": f"{ours(ada)}; {APPLICATION}".encode()})
        ada.open(f"{ORIGIN}/{path}", method=method)
    assert len(backend.requests) == 10 and is_stripped(str(backend.requests), ada)
    cookies = [[value for name, value in headers if name == "Cookie"] for _, _, headers in backend.requests]
    assert cookies == [[APPLICATION.encode().decode("latin-1")], []] * 5


def session_of(name):
    return f"{SESSION_COOKIE}{name}"


@pytest.mark.parametrize(
    "sent, left",
    [
        ("{name}={value}; {name}={value}; {name}=x", None),
        (session_of("00000000") + "={value}; a=1; " + BINDING_COOKIE + "ffffffff=x", "a=1"),
        ("a=1;{name}={value};b=2", "a=1;b=2"),
        ('a="1; {name}={value}; 2"', 'a="1; 2"'),
        ("{name}={value}, a=1", "a=1"),
        ("a=1, {name}={value}, b=2", "a=1, b=2"),
        ("{name}={value}\r\nCookie: a=1", "a=1"),
        ("a=1\r\nCOOKIE: {name}={value}\r\ncookie: b=2", "a=1, b=2"),
        ("  \t {name}  ={value}\t; a=1", "a=1"),
        ('{name}="{value}"', None),
        ("{name}", None),
        ("{name}=" + "x" * 5000 + "; a=1", "a=1"),
        ("; ".join(["{name}={value}"] * 70), None),
        ("a=1;;; {name}={value};", "a=1;;;"),
    ],
    ids=["repeated", "other connections", "no blanks", "in quotes", "comma", "commas", "two headers", "three headers",
         "blanks", "quoted", "bare", "long", "many", "semicolons"],
)
def test_odd_headers(ada, httpd, backend, sent, left):
    """As octets on the wire."""
    backend.requests.clear()
    name = ada.jar.named(SESSION_COOKIE)[0].name
    cookie = sent.format(name=name, value=ada.session)
    request = f"GET /proxied HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
    assert raw(httpd.network, ORIGIN, request.encode()).startswith(b"HTTP/1.1 200")
    [(_, _, headers)] = backend.requests
    assert [value for header, value in headers if header == "Cookie"] == ([left] if left else [])


def test_a_location_that_wants_them(ada):
    """Whichever way a request gets there, and however many locations it has been to."""
    sent = f"a=1; {ours(ada)}; b=2"
    for path in ("passing/env", "handed-on/to-passing", "from-open/to-passing"):
        assert ada.open(f"{ORIGIN}/{path}", headers={"Cookie": sent}).json["HTTP_COOKIE"] == sent
    first, second = ada.open(f"{ORIGIN}/passing.shtml", headers={"Cookie": sent}).text.split("}\n")[:2]
    assert sent in first and "a=1; b=2" in second and is_stripped(second, ada)
    assert ada.open(f"{ORIGIN}/passing/env").json["HTTP_COOKIE"] == ada.jar.header(f"{ORIGIN}/passing/env")


def test_what_an_administrator_made_of_them_goes_no_further(ada):
    """By mod_headers where they pass: to a subrequest or an error document where they do not, without ours."""
    sent = f"a=1; {ours(ada)}; b=2"
    first, second = ada.open(f"{ORIGIN}/edits/page.shtml", headers={"Cookie": sent}).text.split("}\n")[:2]
    assert f"a=2; {ours(ada)}; b=2" in first and "a=2; b=2" in second and is_stripped(second, ada)
    assert ada.open(f"{ORIGIN}/edits/none", headers={"Cookie": sent}).json["HTTP_COOKIE"] == "a=2; b=2"


@pytest.mark.parametrize(
    "head, user", [("", None), (f"Host: {HOST}\r\nExpect: miracles\r\n", "ada@contoso.example")], ids=["no host", "expectation"]
)
def test_what_httpd_refuses_before_any_hook(ada, httpd, head, user):
    """Its ErrorDocument is the first that comes to us: the program there gets none of ours, and ours still count."""
    request = f"GET / HTTP/1.1\r\n{head}Connection: close\r\nCookie: a=1; {ours(ada)}; b=2\r\n\r\n"
    answer = raw(httpd.network, ORIGIN, request.encode()).decode("latin-1")
    assert '"HTTP_COOKIE": "a=1; b=2"' in answer and is_stripped(answer, ada)
    assert (f'"REMOTE_USER": "{user}"' in answer) == (user is not None)


def test_what_an_administrator_has_written_stays(ada, backend):
    backend.requests.clear()
    ada.open(f"{ORIGIN}/edited", headers={"Cookie": f"edited=here; {ours(ada)}"})
    [(_, _, headers)] = backend.requests
    assert dict(headers)["Cookie"] == "set=by-admin"


def test_logs_and_echoes(ada, httpd):
    """Not in a log of cookies, whatever became of the request, nor in the answer to TRACE."""
    httpd.log.tolerate_denials()
    log = httpd.root / "cookies.log"
    before = len(log.read_text("utf-8"))
    paths = ["private/env", "denied", "saml/metadata", "saml/login?return=/", "open/env", "no-such-page", "proxied"]
    for path in paths:
        ada.open(f"{ORIGIN}/{path}", follow=False, headers={"Cookie": f"a=1; {ours(ada)}"})
    trace = ada.send("TRACE", f"{ORIGIN}/open/env", {"Cookie": f"a=1; {ours(ada)}"})
    assert trace.status == 200 and b"Cookie: a=1\r\n" in trace.body and is_stripped(trace.text, ada)
    assert httpd.wait(lambda: log.read_text("utf-8")[before:].count("|a=1|") == len(paths) + 1)
    assert is_stripped(log.read_text("utf-8")[before:], ada)
