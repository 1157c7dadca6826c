# SPDX-License-Identifier: GPL-3.0-or-later
"""Local sign-out: really gone, by a person's own doing only."""

import pytest

from programs import ENVIRONMENT
from reasons import assert_own_answer
from server import ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE

ENV = f"{ORIGIN}/cgi-bin/env"
LOGOUT = f"{ORIGIN}/saml/logout"
VHOST = """
    EntraSAMLSingleLogout Off
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
"""


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd):
    httpd = make_httpd(vhost=VHOST, mpm=request.param)
    httpd.script("env", ENVIRONMENT)
    return httpd


@pytest.fixture
def user(visitor):
    assert visitor.sign_in(ENV).status == 200
    return visitor


def assert_gone(page, user, old):
    """A page says so, the cookie is erased, and its old value is worth nothing."""
    assert page.status == 200 and page.type == "text/html"
    assert_own_answer(page)
    assert user.session is None
    [erased] = page.cookies(SESSION_COOKIE)
    assert "secure" in erased.lower() and "path=/" in erased.lower(), "else a browser would not accept it"
    assert user.at_entra(user.open(ENV))
    user.jar.cookies = old
    assert user.at_entra(user.open(ENV)), "the session itself has ended, not only its cookie"


@pytest.mark.parametrize("initiator", [ENV, f"{ORIGIN}/saml/logout"])
def test_by_post(httpd, user, initiator):
    old = dict(user.jar.cookies)
    page = user.open(LOGOUT, initiator=initiator, method="POST", body=b"")
    assert len([line for line in httpd.log.new() if "signed out" in line]) == 1, "one line tells of it"
    assert_gone(page, user, old)


def test_by_a_link_of_the_same_site(user):
    old = dict(user.jar.cookies)
    assert_gone(user.open(LOGOUT, initiator=ENV), user, old)


@pytest.mark.parametrize("headers", [{"Referer": ENV}, {"Origin": ORIGIN}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
def test_by_a_link_of_browsers_with_less_to_say(user, headers):
    """Sec-Fetch-Site decides, else Origin or Referer."""
    old = dict(user.jar.cookies)
    page = user.send("GET", LOGOUT, {"Accept": "text/html", **headers})
    assert_gone(page, user, old)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Referer": ENV},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
        {"Referer": "https://evil.test/"},
        {"Referer": f"https://evil.test/?{ORIGIN}/"},
        {"Referer": f"{ORIGIN}.evil.test/"},
        {"Referer": f"{ORIGIN}@evil.test/"},
        {"Origin": "null"},
        {"Origin": "http://app.example.test"},
        {},
    ],
    ids=str,
)
def test_another_sites_link_asks_first(httpd, user, headers):
    """Nobody is signed out by an image or a link elsewhere: there is a page with a button, and the button works."""
    old = dict(user.jar.cookies)
    page = user.send("GET", LOGOUT, {"Accept": "text/html", **headers})
    assert page.status == 200 and page.cookies() == []
    assert_own_answer(page)
    assert user.open(ENV).status == 200, "still signed in"
    [form] = page.forms
    assert (form.action, form.method) == (LOGOUT, "POST")
    assert_gone(user.submit(form), user, old)
    assert httpd.log.find("logout-unconfirmed")


def test_another_sites_form_does_nothing(user):
    """A cross-site POST comes without the session cookie (Lax): there is nothing to end."""
    page = user.open(LOGOUT, initiator="https://evil.elsewhere.test/", method="POST", body=b"")
    assert SESSION_COOKIE not in page.sent.get("Cookie", "")
    assert page.status == 200


def test_the_session_survives_another_sites_form(user):
    """… and the answer to that POST must not erase the cookie either."""
    user.open(LOGOUT, initiator="https://evil.elsewhere.test/", method="POST", body=b"")
    assert user.session and user.open(ENV).status == 200


def test_without_a_session(visitor):
    """No error: whoever wants out is out."""
    page = visitor.open(LOGOUT, initiator=ENV)
    assert page.status == 200 and page.type == "text/html"


def test_all_sessions_that_came_along_end(user, make_visitor):
    """Two cookies of the name: both sessions end."""
    other = make_visitor()
    other.sign_in(ENV, "ben")
    ours, theirs = (someone.jar.named(SESSION_COOKIE)[0] for someone in (user, other))
    cookie = f"{ours.name}={ours.value}; {theirs.name}={theirs.value}"
    user.open(LOGOUT, initiator=ENV, method="POST", body=b"", headers={"Cookie": cookie})
    assert other.at_entra(other.open(ENV))


def test_other_sessions_go_on(user, make_visitor):
    other = make_visitor()
    other.sign_in(ENV, "ben")
    user.open(LOGOUT, initiator=ENV)
    assert other.open(ENV).json["REMOTE_USER"] == "ben@contoso.example"


def test_the_next_sign_in_is_a_new_session(user):
    old = user.session
    user.open(LOGOUT, initiator=ENV)
    user.sign_in(ENV)
    assert user.session not in (None, old)
    assert len(user.jar.named(BINDING_COOKIE)) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_methods(user, method):
    page = user.open(LOGOUT, initiator=ENV, method=method)
    assert page.status == 405 and user.open(ENV).status == 200


def test_programs(user):
    """A script's POST of the same origin signs out too."""
    assert user.fetch(LOGOUT, initiator=ENV, method="POST", body=b"").status == 200
    assert user.at_entra(user.open(ENV))
