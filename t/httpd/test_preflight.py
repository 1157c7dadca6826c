# SPDX-License-Identifier: GPL-3.0-or-later
"""EntraSAMLPreflight: a CORS preflight passes without a session, and nothing else is reached by one."""

import pytest

from backend import MARK
from client import raw
from server import HOST, ORIGIN

OTHER = "https://spa.elsewhere.test"
ASKING = {"Origin": OTHER, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-token"}

# An interface that answers preflights itself, and says which method it was run for.
INTERFACE = """\
#!/bin/sh
echo "Access-Control-Allow-Origin: https://spa.elsewhere.test"
[ "$PATH_INFO" = /local ] && { echo "Location: /protected/page.txt"; echo; exit; }
echo "Content-Type: text/html"
echo
echo "ran for $REQUEST_METHOD"
[ "$PATH_INFO" = /ssi ] && echo '<!--#include virtual="/protected/page.txt" --><!--#include virtual="/cgi-bin/interface/part" -->'
exit 0
"""

VHOST = """
    ErrorDocument 410 /protected/page.txt
    ErrorDocument 409 /cgi-bin/interface
    ProxyPass "/proxied" "${BACKEND}"
    RewriteEngine on
    RewriteRule ^/rewritten$ /cgi-bin/interface [PT]
    <Location "/">
        AuthType entra-saml
        Require valid-user
        EntraSAMLPreflight On
    </Location>
    <Location "/cgi-bin">
        Options +Includes +ExecCGI
        SetOutputFilter INCLUDES
    </Location>
    <Directory "${ROOT}/htdocs">
        RewriteEngine on
        RewriteRule gone$ - [G]
        RewriteRule conflict$ - [R=409]
    </Directory>
    <Directory "${ROOT}/htdocs/front">
        FallbackResource /cgi-bin/interface
    </Directory>
    <Directory "${ROOT}/htdocs/dir">
        DirectoryIndex /cgi-bin/interface
    </Directory>
    <Directory "${ROOT}/htdocs/index">
        DirectoryIndex index.php
        <Files "index.php">
            SetHandler show
        </Files>
    </Directory>
    Action show /cgi-bin/interface virtual
    <Location "/off">
        EntraSAMLPreflight Off
    </Location>
    <Location "/inside">
        <RequireAll>
            Require ip 192.0.2.1
            Require valid-user
        </RequireAll>
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd, backend):
    httpd = make_httpd(vhost=VHOST, define={"BACKEND": backend.url})
    httpd.script("interface", INTERFACE)
    for path in ("protected/page.txt", "off/page.txt", "inside/page.txt"):
        httpd.page(path, "PROTECTED page")
    httpd.page("index/index.php", "PROTECTED source")
    httpd.page("front/x.txt", "PROTECTED page")
    httpd.page("dir/x.txt", "PROTECTED page")
    return httpd


def preflight(visitor, path, method="OPTIONS", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in {**ASKING, **headers}.items() if value is not None}
    return visitor.send(method, f"{ORIGIN}{path}", {"Accept": "*/*", "Sec-Fetch-Mode": "cors", **sent})


def assert_kept_out(page):
    assert page.status in (401, 403) and "PROTECTED" not in page.text and "ran for" not in page.text
    assert page.headers["Access-Control-Allow-Origin"] is None


WAYS = ["/cgi-bin/interface", "/rewritten", "/front/any", "/dir/", "/index/"]


@pytest.mark.parametrize("path", WAYS)
def test_it_reaches_what_answers_it(visitor, path):
    page = preflight(visitor, path)
    assert (page.status, page.text.strip()) == (200, "ran for OPTIONS")
    assert page.headers["Access-Control-Allow-Origin"] == OTHER and page.cookies() == []


def test_a_backend(visitor, backend):
    before = len(backend.requests)
    page = preflight(visitor, "/proxied/x")
    assert page.status == 200 and page.json["mark"] == MARK
    [(method, _, headers)] = backend.requests[before:]
    assert method == "OPTIONS" and dict(headers)["Access-Control-Request-Method"] == "PUT"


def test_a_file_answers_what_it_allows(visitor):
    page = preflight(visitor, "/protected/page.txt")
    assert page.status == 200 and page.body == b"" and "GET" in page.headers["Allow"]


NONE = {
    "no origin": {"Origin": None},
    "an empty origin": {"Origin": ""},
    "no method asked for": {"Access_Control_Request_Method": None},
    "an override": {"X_HTTP_Method_Override": "GET"},
    "another override": {"X_HTTP_Method": "GET"},
    "one more override": {"X_Method_Override": "GET"},
}


@pytest.mark.parametrize("name", NONE)
@pytest.mark.parametrize("path", [*WAYS, "/proxied/x"])
def test_what_is_none(visitor, backend, name, path):
    before = len(backend.requests)
    assert_kept_out(preflight(visitor, path, **NONE[name]))
    assert len(backend.requests) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PROPFIND", "options", "OPTIONSX"])
def test_no_other_method(visitor, method):
    page = preflight(visitor, "/cgi-bin/interface", method=method)
    if method == "HEAD":
        assert page.status == 401 and page.headers["Access-Control-Allow-Origin"] is None
    else:
        assert_kept_out(page)


@pytest.mark.parametrize("body", ["Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"])
def test_no_body(httpd, body):
    head = f"OPTIONS /cgi-bin/interface HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
    asking = "".join(f"{name}: {value}\r\n" for name, value in ASKING.items())
    answer = raw(httpd.network, ORIGIN, (head + asking + body).encode()).decode()
    assert answer.startswith("HTTP/1.1 401 ") and "ran for" not in answer


def test_off(visitor):
    assert_kept_out(preflight(visitor, "/off/page.txt"))


def test_a_denial_stays_one(httpd, visitor):
    assert_kept_out(preflight(visitor, "/inside/page.txt"))
    httpd.log.tolerate_denials()


ERRORS = {"/protected/gone": 410, "/gone": 410, "/conflict": 409, "/cgi-bin/interface/local": 401, "/cgi-bin/interface/ssi": 200}


@pytest.mark.parametrize("way", ERRORS)
def test_nothing_is_reached_by_another_method(httpd, visitor, way):
    """Error documents, the page that a program leads to, the parts of its page: httpd itself asks for them, with GET."""
    page = preflight(visitor, way)
    assert "PROTECTED" not in page.text and "ran for GET" not in page.text
    assert page.status == ERRORS[way]
    if way.endswith("ssi"):
        assert page.text.startswith("ran for OPTIONS")
        httpd.expect("include:error")


@pytest.mark.parametrize("way", ERRORS)
def test_a_user_sees_all_of_it(visitor, way):
    visitor.sign_in(f"{ORIGIN}/protected/page.txt")
    page = visitor.open(ORIGIN + way)
    assert "ran for GET" in page.text if way.endswith(("conflict", "ssi")) else page.text == "PROTECTED page"
