# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-ins that start at Microsoft: My Apps, the launcher, the portal's Test button."""

import pytest

from entra import Tamper
from server import ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE

ELSEWHERE = "https://intranet.example.test/start"
VHOST = f"""
    EntraSAMLIdPInitiated On
    EntraSAMLRelayStateAllow {ELSEWHERE} https://other.example.test:8443
    EntraSAMLDefaultPage /start.html
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/who">
        AuthType entra-saml
        Require claim name:ben@contoso.example
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    for name in ("page.html", "start.html", "who/page.html"):
        httpd.page(name, f"the page {name}")
    return httpd


@pytest.fixture
def tile(visitor, entra):
    """tile(relay_state, user) is the form that My Apps posts, or the Test button: they are the same."""

    def tile(relay_state="", user="ada", change=None):
        entra.applications[0].relay_state = relay_state
        try:
            return visitor.launch(user, change)
        finally:
            entra.applications[0].relay_state = ""

    return tile


@pytest.mark.parametrize("source", ["My Apps", "Test"])
def test_a_launch_signs_in(httpd, visitor, tile, source):
    """No cookie of ours is in the browser: that is normal here."""
    form = tile(f"{ORIGIN}/page.html?a=1" if source == "My Apps" else "")
    page = visitor.submit(form)
    assert page.status == 200
    assert page.url == (f"{ORIGIN}/page.html?a=1" if source == "My Apps" else f"{ORIGIN}/start.html")
    answer = page.history[0]
    assert (answer.status, len(answer.cookies(SESSION_COOKIE)), len(answer.cookies(BINDING_COOKIE))) == (303, 1, 1)
    assert visitor.open(f"{ORIGIN}/page.html").status == 200


@pytest.mark.parametrize(
    "relay_state, lands",
    [
        ("/page.html", f"{ORIGIN}/page.html"),
        (f"{ORIGIN}/page.html#part", f"{ORIGIN}/page.html"),
        (ELSEWHERE, ELSEWHERE),
        (f"{ELSEWHERE}/today?x=y", f"{ELSEWHERE}/today?x=y"),
        ("https://other.example.test:8443/any/where", "https://other.example.test:8443/any/where"),
    ],
)
def test_relay_state_says_where_to(visitor, tile, relay_state, lands):
    page = visitor.submit(tile(relay_state), follow=False)
    assert (page.status, page.location) == (303, lands)
    assert visitor.session


@pytest.mark.parametrize(
    "relay_state",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test/",
        f"{ELSEWHERE}er",
        f"{ELSEWHERE}/../other",
        f"{ELSEWHERE}/%2e%2e/other",
        ELSEWHERE.replace("https:", "http:"),
        ELSEWHERE.replace(".test", ".test:8443"),
        ELSEWHERE.replace("https://", "https://intranet@"),
        ELSEWHERE.replace("intranet", "x.intranet"),
        "https://other.example.test/",
        "https://other.example.test:8443@evil.test/",
        "javascript:alert(1)",
        "data:text/html,x",
        "urn:a-token",
        "x" * 5000,
    ],
)
def test_another_relay_state_leads_to_the_default_page(httpd, visitor, tile, relay_state):
    page = visitor.submit(tile(relay_state), follow=False)
    assert (page.status, page.location) == (303, f"{ORIGIN}/start.html")
    assert visitor.session and httpd.log.find("landing-refused")


def test_return_may_lead_there_too(httpd, visitor):
    """The one gate: what RelayState may, `return` of the sign-in endpoint may, and no more."""
    asked = visitor.ask(f"{ORIGIN}/saml/login?return={ELSEWHERE}/today")
    page = visitor.submit(visitor.answer(asked), follow=False)
    assert page.location == f"{ELSEWHERE}/today"
    httpd.refused(visitor.open(f"{ORIGIN}/saml/login?return={ELSEWHERE}er"), "landing-refused")


def test_a_launch_is_good_once(httpd, visitor, make_visitor, tile):
    """Reload in the browser that used it shows the page; anywhere else it is a replay."""
    form = tile("/page.html")
    assert visitor.submit(form).text == "the page page.html"
    session = visitor.session
    assert visitor.submit(form).text == "the page page.html" and visitor.session == session
    thief = make_visitor()
    httpd.refused(thief.submit(form), "replayed")
    assert thief.session is None


def test_a_signed_in_user_stays_who_he_is(httpd, visitor, tile, make_visitor):
    """Login CSRF: a stranger's site posts the stranger's response into the browser of a signed-in user."""
    assert visitor.sign_in(f"{ORIGIN}/who/page.html", "ben").status == 200
    session = visitor.session
    form = tile("/who/page.html", "ada")
    form.page_url = "https://stranger.test/prize"
    page = visitor.submit(form)
    assert page.text == "the page who/page.html" and visitor.session == session
    assert httpd.log.find("launch-asked")
    httpd.refused(make_visitor().submit(form), "replayed")


def test_after_sign_out_entra_is_asked(visitor, tile):
    """The browser has signed in here before, but has no session: whoever is signed in at Entra in this browser comes."""
    visitor.sign_in(f"{ORIGIN}/page.html", "ben")
    visitor.open(f"{ORIGIN}/saml/logout", method="POST", body=b"", initiator=f"{ORIGIN}/page.html")
    page = visitor.submit(tile("/who/page.html", "ada"))
    assert visitor.at_entra(page) and visitor.session is None
    assert visitor.submit(visitor.answer(page, "ben")).text == "the page who/page.html"


def test_an_answer_to_a_request_is_no_launch(httpd, visitor, make_visitor):
    """InResponseTo in the signed assertion: taking it out of the response, or RelayState away, makes no launch of it."""
    form = visitor.answer(visitor.ask(f"{ORIGIN}/page.html"), change="no-relay-state")
    httpd.refused(make_visitor().submit(form), "pending-unreadable")

    def forget(tree):
        del tree.attrib["InResponseTo"]

    form = visitor.answer(visitor.ask(f"{ORIGIN}/page.html"), change=Tamper(signed=forget))
    form["RelayState"] = "/page.html"
    httpd.refused(make_visitor().submit(form), "pending-unreadable")


def test_a_launch_with_a_sign_in_of_ours_is_none(httpd, visitor, tile):
    relay_state = visitor.answer(visitor.ask(f"{ORIGIN}/page.html"))["RelayState"]
    httpd.refused(visitor.submit(tile(relay_state)), "unsolicited")
    assert visitor.session is None


@pytest.mark.parametrize(
    "change, code",
    [
        ("unsigned", "signature-missing"),
        ("other-key", "signature-key-unknown"),
        ("other-audience", "audience"),
        ("other-recipient", "recipient"),
        ("expired", "issue-instant"),
    ],
)
def test_a_launch_is_judged_like_any_answer(httpd, visitor, tile, change, code):
    httpd.refused(visitor.submit(tile("/page.html", change=change)), code)
    assert visitor.session is None


class TestOff:
    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        return make_httpd(vhost=VHOST.replace("EntraSAMLIdPInitiated On", ""))

    def test_off_by_default(self, httpd, visitor, tile):
        httpd.refused(visitor.submit(tile("/page.html")), "unsolicited")
        assert visitor.session is None


@pytest.mark.parametrize("prefix", ["/path", "http://x.example/", "https://x.example/?a", "https://*.example/", "x.example"])
def test_prefixes_that_are_none(make_httpd, prefix):
    vhost = f"    EntraSAMLRelayStateAllow https://good.example/ {prefix}\n{VHOST.replace(ELSEWHERE, '')}"
    vhost = vhost.replace("    EntraSAMLRelayStateAllow  https://other.example.test:8443\n", "")
    status, said = make_httpd(vhost=vhost, start=False).configtest()
    assert status != 0 and "reason=config-relay-state" in said and "EntraSAMLRelayStateAllow on line" in said
