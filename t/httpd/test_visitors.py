# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 14: only a person's navigation is sent to Entra; programs get 401 and an address, forms a page."""

import pytest

from client import AGENT
from server import ORIGIN

PAGE = f"{ORIGIN}/page.html"
LOGIN = f"{ORIGIN}/saml/login"

VHOST = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/never">
        EntraSAMLUnauthenticated 401
    </Location>
    <Location "/always">
        EntraSAMLUnauthenticated redirect
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    httpd.page("page.html", "PROTECTED page")
    return httpd


def assert_told(page):
    """401 for programs: the sign-in address as header and as JSON, nothing that a program would follow blindly."""
    assert page.status == 401
    assert page.headers["WWW-Authenticate"] == f'EntraSAML login="{LOGIN}"'
    assert page.location is None and page.cookies() == []
    assert page.headers.get_all("Cache-Control") == ["no-store"]
    if page.method == "HEAD":
        assert page.body == b""
    else:
        assert page.type == "application/json"
        assert (page.json["error"], page.json["sign_in"]) == ("session-none", LOGIN)


@pytest.mark.parametrize("mode", ["cors", "no-cors", "same-origin", "websocket"])
def test_fetch(visitor, mode):
    assert_told(visitor.fetch(PAGE, mode=mode))


@pytest.mark.parametrize("dest", ["image", "script", "style", "font", "object", "embed", "worker"])
def test_parts_of_a_page(visitor, dest):
    mode = "navigate" if dest in ("object", "embed") else "no-cors"
    assert_told(visitor.fetch(PAGE, mode=mode, dest=dest))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_other_methods(visitor, method):
    assert_told(visitor.fetch(PAGE, method=method, body=b"{}", headers={"Content-Type": "application/json"}))


def test_a_preflight(visitor):
    """No redirect: a preflight that is redirected fails in every browser."""
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-token"}
    page = visitor.fetch(PAGE, initiator="https://other.elsewhere.test/", method="OPTIONS", headers=headers)
    assert_told(page)


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"Accept": "application/json, text/plain, */*"},
        {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"},
        {"Accept": "image/png,image/*;q=0.8,*/*;q=0.5"},
        {"Accept": "text/event-stream"},
    ],
    ids=str,
)
def test_programs_without_fetch_metadata(visitor, headers):
    assert_told(visitor.send("GET", PAGE, headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
        {"Accept": "*/*"},
        {},
        {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_navigations(visitor, headers, method):
    page = visitor.send(method, PAGE, {"User-Agent": AGENT, **headers})
    assert visitor.at_entra(page)


def test_the_address_for_programs_works(visitor):
    """Opened by a person it signs on, and goes on to the page that the program names."""
    page = visitor.sign_in(visitor.fetch(PAGE).json["sign_in"] + "?return=/page.html")
    assert (page.text, page.url) == ("PROTECTED page", PAGE)
    assert visitor.fetch(PAGE).text == "PROTECTED page", "and now the program gets it"


def test_a_form_post_gets_a_page(httpd, visitor):
    """A person's form: what was written is not silently thrown away by a redirect, and no JSON appears."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    page = visitor.open(PAGE, initiator=PAGE, method="POST", body=b"text=long", headers=kind)
    httpd.refused(page, "form-without-session")
    assert page.location is None


def test_never(visitor):
    """The override per location: not even a navigation is redirected."""
    page = visitor.open(f"{ORIGIN}/never/page")
    assert page.status == 401 and page.location is None and page.headers["WWW-Authenticate"]
    assert_told(visitor.fetch(f"{ORIGIN}/never/page"))


def test_always(visitor):
    """The override per location: every GET and HEAD is redirected, but nothing that writes."""
    assert visitor.at_entra(visitor.send("GET", f"{ORIGIN}/always/page", {"Accept": "application/json"}))
    assert visitor.at_entra(visitor.send("HEAD", f"{ORIGIN}/always/page", {"Accept": "application/json"}))
    assert visitor.fetch(f"{ORIGIN}/always/page", method="POST", body=b"").status == 401
