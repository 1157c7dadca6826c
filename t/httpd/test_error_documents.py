# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 28: an ErrorDocument inside of a protected section is as protected as everything there. httpd would show it to
anybody: it does not ask the rules again where both addresses have the same configuration."""

import pytest

from backend import MARK
from server import ORIGIN

VHOST = """
    ErrorDocument 400 /in/help.html
    ErrorDocument 401 /in/help.html
    ErrorDocument 403 /in/help.html
    ErrorDocument 404 /in/help.html
    ErrorDocument 409 /proxied/help.html
    ErrorDocument 410 /proxied/help.html
    RewriteEngine on
    RewriteRule ^/in/conflict - [R=409,L]
    RewriteCond %{LA-U:REMOTE_USER} ^ada@
    RewriteRule ^/in/looked-up /in/page.html
    Redirect gone /in/old
    Redirect gone /old
    ProxyPass "/proxied" "${BACKEND}/proxied"
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/in/denied">
        Require claim roles:Nobody
    </Location>
    <LocationMatch "^/(proxied|old)">
        Require claim roles:Editor
    </LocationMatch>
"""
# Refused before the rules are asked, by them, and behind them.
EARLY = ["/in/old", "/old", "/in/a%2fb", "/proxied/a%2fb", "/in/conflict"]
LATE = ["/in/page.html", "/in/none", "/in/denied/x"]


@pytest.fixture(scope="module")
def httpd(make_httpd, backend):
    httpd = make_httpd(vhost=VHOST, define={"BACKEND": backend.url})
    httpd.page("in/help.html", "PROTECTED help")
    httpd.page("in/page.html", "PROTECTED page")
    return httpd


def ask(visitor, path, method):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return visitor.open(
        ORIGIN + path, method=method, body=b"a=1" if method == "POST" else None, headers=kind, follow=False
    )


@pytest.mark.parametrize("path", [*EARLY, *LATE])
def test_strangers_see_none(visitor, backend, path):
    before = len(backend.requests)
    for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT"):
        page = ask(visitor, path, method)
        assert "PROTECTED" not in page.text and page.status in (303, 401, 404, 409, 410), method
    assert len(backend.requests) == before


def test_users_see_them(visitor):
    """Also where nobody had asked who they are."""
    visitor.sign_in(f"{ORIGIN}/in/page.html")
    for path, status, text in (
        ("/in/old", 200, MARK), ("/old", 200, MARK), ("/in/conflict", 200, MARK), ("/in/a%2fb", 404, "PROTECTED help"),
        ("/in/none", 404, "PROTECTED help"), ("/in/looked-up", 200, "PROTECTED page"),
    ):  # fmt: skip
        page = ask(visitor, path, "GET")
        assert (page.status, text in page.text) == (status, True), path


def test_who_is_denied_there_sees_none(httpd, visitor):
    """The rules of the document's own place count."""
    visitor.finish(visitor.ask(f"{ORIGIN}/in/page.html"), "ben")
    assert "PROTECTED" not in ask(visitor, "/old", "GET").text
    for path in ("/in/none", "/in/denied/x"):
        assert ask(visitor, path, "GET").text == "PROTECTED help", "he may see it, whatever led there"
    httpd.log.tolerate_denials()
