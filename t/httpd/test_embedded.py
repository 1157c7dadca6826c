# SPDX-License-Identifier: GPL-3.0-or-later
"""EntraSAMLSessionCookie None: an application inside of Teams or SharePoint, and what other sites may not do with it."""

import pytest

from programs import ENVIRONMENT
from reasons import assert_own_answer
from server import ORIGIN
from visitor import SESSION_COOKIE

ENV = f"{ORIGIN}/cgi-bin/env"
LOGIN = f"{ORIGIN}/saml/login"
LOGOUT = f"{ORIGIN}/saml/logout"
PORTAL = "https://portal.elsewhere.test/"
EVIL = "https://evil.elsewhere.test/"
VHOST = """
    EntraSAMLSessionCookie None
    EntraSAMLSingleLogout Off
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    httpd.script("env", ENVIRONMENT)
    return httpd


@pytest.fixture
def user(visitor):
    arrived = visitor.submit(visitor.answer(visitor.ask(ENV)), follow=False)
    [made] = arrived.cookies(SESSION_COOKIE)
    assert made.endswith("; Path=/; Secure; HttpOnly; SameSite=None") and visitor.jar.refused == []
    return visitor


def test_inside_of_another_site(user):
    page = user.fetch(ENV, initiator=PORTAL, mode="navigate", dest="iframe")
    assert page.json["REMOTE_USER"] == "ada@contoso.example"
    assert user.fetch(ENV, initiator=PORTAL).json["REMOTE_USER"] == "ada@contoso.example"


def test_the_cookie_is_erased_as_it_was_set(user):
    page = user.open(LOGOUT, initiator=ENV, method="POST", body=b"")
    [erased] = page.cookies(SESSION_COOKIE)
    assert "; SameSite=None; Max-Age=0" in erased and user.session is None
    assert user.at_entra(user.open(ENV))


# What the browser of a user who visits evil.elsewhere.test may send, with all his cookies: method, headers.
OF_OTHERS = {
    "a form": ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.elsewhere.test"}),
    "a form of a sandbox": ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": "null"}),
    "a form of a sibling": ("POST", {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.test"}),
    "a form, without fetch metadata": ("POST", {"Origin": "https://evil.elsewhere.test", "Referer": EVIL}),
    "a form of a sandbox, without": ("POST", {"Origin": "null"}),
    "a form of an old browser": ("POST", {"Referer": EVIL}),
    "a form of an old browser that says nothing": ("POST", {}),
    "a script": ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Origin": "https://evil.elsewhere.test"}),
    "a link": ("GET", {"Sec-Fetch-Site": "cross-site", "Referer": EVIL}),
    "an image": ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
    "a frame": ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}),
    "an image of an old browser": ("GET", {"Referer": EVIL}),
    "an image of an old browser that says nothing": ("GET", {}),
}


def send(user, name, url):
    method, headers = OF_OTHERS[name]
    page = user.send(method, url, {"Accept": "text/html", **headers}, b"" if method == "POST" else None)
    assert SESSION_COOKIE in page.sent["Cookie"], "it does come along"
    return page


def test_others_sign_nobody_out(user):
    for name in OF_OTHERS:
        page = send(user, name, LOGOUT)
        assert page.status == 200 and page.location is None and page.cookies() == [], name
        assert_own_answer(page)
        assert user.open(ENV).status == 200, f"{name}: still signed in"


@pytest.mark.parametrize("query", ["", "?return=/cgi-bin/env", "?fresh=1", "?passive=1", "?return=/saml/logout"])
def test_others_change_nothing_by_the_sign_in_endpoint(user, query):
    """At most a sign-in begins; the session that is there is the same, and goes on."""
    before = user.session
    for name in OF_OTHERS:
        page = send(user, name, LOGIN + query)
        assert page.status in (303, 401, 405) and page.cookies(SESSION_COOKIE) == [], name
        if page.status == 303:
            assert user.at_entra(page) == ("fresh" in query), name
        assert user.session == before and user.open(ENV).status == 200, name


@pytest.mark.parametrize("headers", [{"Referer": ENV}, {"Origin": ORIGIN}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
def test_an_own_form_signs_out(user, headers):
    assert user.send("POST", LOGOUT, {"Accept": "text/html", **headers}, b"").status == 200
    assert user.session is None
