# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a session lasts, and what it survives."""

import concurrent.futures
import datetime
import threading
import time

import pytest

from aging import age_sessions
from entra.tamper import Tamper
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import SESSION_COOKIE, Visitor, made_up_token

ENV = f"{ORIGIN}/cgi-bin/env"
VHOST = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/cgi-bin/env/idle">
        EntraSAMLSessionIdle 8s
    </Location>
    <Location "/cgi-bin/env/short">
        EntraSAMLSessionLifetime 2s
    </Location>
"""


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd):
    httpd = make_httpd(vhost=VHOST, mpm=request.param)
    httpd.script("env", ENVIRONMENT)
    httpd.page("who.shtml", '<!--#echo var="REMOTE_USER" -->')
    return httpd


def test_idle_lifetime_of_a_location(httpd, visitor):
    """Row 21: use keeps a session alive, a pause ends it there; elsewhere it goes on."""
    visitor.sign_in(f"{ENV}/idle")
    for _ in range(6):
        time.sleep(1.5)
        assert visitor.open(f"{ENV}/idle").status == 200
    time.sleep(8.2)
    page = visitor.open(f"{ENV}/idle")
    assert visitor.at_entra(page)
    assert httpd.log.find("session-idle")
    assert visitor.open(ENV).status == 200, "where an hour is allowed the session is good"


def test_absolute_lifetime_of_a_location(httpd, visitor):
    """Row 21: no use prolongs it; the location with the default of 8 hours goes on."""
    visitor.sign_in(f"{ENV}/short")
    deadline = time.monotonic() + 2.1
    while time.monotonic() < deadline:
        time.sleep(0.3)
        visitor.open(ENV)
    assert visitor.at_entra(visitor.open(f"{ENV}/short"))
    assert httpd.log.find("session-expired")
    assert visitor.open(ENV).status == 200


def test_eight_hours_are_the_default(httpd, visitor):
    """Row 21: a working day without a directive, and not more."""
    visitor.sign_in(ENV)
    age_sessions(httpd, 8 * 3600 - 120)
    assert visitor.open(ENV).status == 200
    visitor.jar.drop("")
    visitor.sign_in(ENV)
    age_sessions(httpd, 8 * 3600 + 1)
    assert visitor.at_entra(visitor.open(ENV))
    assert httpd.log.find("session-expired")


def test_session_not_on_or_after_is_honoured(visitor):
    """Row 21: where the IdP says when the session ends, it ends."""

    def end_soon(tree):
        for statement in tree.iter("{urn:oasis:names:tc:SAML:2.0:assertion}AuthnStatement"):
            statement.set("SessionNotOnOrAfter", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3)))

    assert visitor.sign_in(ENV, change=Tamper(unsigned=end_soon)).status == 200
    time.sleep(3.1)
    assert visitor.at_entra(visitor.open(ENV))


def test_the_life_of_the_assertion_is_not_the_sessions(visitor):
    """Row 21: an assertion good for seconds makes a session good for hours."""

    def short(said):
        said.not_on_or_after = said.confirmation_until = said.response_issued - datetime.timedelta(seconds=176)

    assert visitor.sign_in(ENV, change=short).status == 200
    time.sleep(4.2)
    assert visitor.open(ENV).status == 200


@pytest.mark.parametrize("how", ["graceful", "reload", "restart"])
def test_restarts_keep_sessions(httpd, visitor, how):
    """Graceful restart, hard restart in the same parent, full stop and start."""
    visitor.sign_in(ENV)
    for _ in range(2):
        getattr(httpd, how)()
        assert visitor.open(ENV).json["REMOTE_USER"] == "ada@contoso.example"


def test_requests_under_way_during_graceful_restarts(httpd, visitor):
    """Nobody loses his session for a moment: neither generation of children knows another table."""
    visitor.sign_in(ENV)
    stop = threading.Event()

    def use():
        seen = set()
        while not stop.is_set():
            page = visitor.open(f"{ORIGIN}/who.shtml")
            seen.add((page.status, page.text if page.status == 200 else page.location))
        return seen

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        users = [pool.submit(use) for _ in range(4)]
        for _ in range(4):
            time.sleep(0.3)
            httpd.graceful()
        stop.set()
        assert {outcome for user in users for outcome in user.result()} == {(200, "ada@contoso.example")}


def test_a_new_sign_in_makes_a_new_session_and_ends_the_old_one(visitor, make_visitor):
    """Also when the ACS does not see the old cookie: Lax stays at home on Entra's POST."""
    visitor.sign_in(ENV)
    old = dict(visitor.jar.cookies)
    time.sleep(2.1)
    asked = visitor.ask(f"{ENV}/short")
    arrived = visitor.submit(visitor.answer(asked, "ben"), follow=False)
    assert SESSION_COOKIE not in arrived.sent["Cookie"]
    assert visitor.open(ENV).json["REMOTE_USER"] == "ben@contoso.example"
    keeper = make_visitor()
    keeper.jar.cookies = old
    assert keeper.session != visitor.session
    assert keeper.at_entra(keeper.open(ENV))


def test_login_with_a_session_just_goes_on(visitor):
    """A bookmark of the sign-in address costs no round to Entra."""
    visitor.sign_in(ENV)
    page = visitor.open(f"{ORIGIN}/saml/login?return=/cgi-bin/env")
    assert page.json["REMOTE_USER"] == "ada@contoso.example"


def test_two_people_never_mix(make_visitor):
    ada, ben = make_visitor(), make_visitor()
    ada.sign_in(ENV, "ada")
    ben.sign_in(ENV, "ben")
    for _ in range(10):
        assert ada.open(ENV).json["REMOTE_USER"] == "ada@contoso.example"
        assert ben.open(ENV).json["REMOTE_USER"] == "ben@contoso.example"


def test_a_made_up_token_is_no_session(visitor):
    visitor.sign_in(ENV)
    cookie = visitor.jar.named(SESSION_COOKIE)[0]
    assert visitor.at_entra(visitor.open(ENV, headers={"Cookie": f"{cookie.name}={made_up_token()}"}))


def test_hosts_share_no_session_without_the_same_connection(make_httpd, entra):
    """Two virtual hosts with entity IDs of their own: the cookie of one means nothing to the other."""
    httpd = make_httpd(
        vhost=VHOST,
        server="""
<VirtualHost 127.0.0.1:${HTTPS}>
    ServerName other.example.test
    EntraSAMLMetadata "${ROOT}/entra.xml"
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    SSLEngine on
    SSLCertificateFile "${CERTIFICATE}"
    SSLCertificateKeyFile "${KEY}"
</VirtualHost>
""",
    )
    httpd.script("env", ENVIRONMENT)
    httpd.serve("other.example.test")
    visitor = Visitor(httpd.network, entra)
    visitor.sign_in(ENV)
    mine = visitor.jar.named(SESSION_COOKIE)[0]
    stranger = Visitor(httpd.network, entra)
    name = stranger.open("https://other.example.test/").cookies()[0].partition("=")[0].replace("signin", "session")
    assert name != mine.name
    for cookie in (f"{mine.name}={mine.value}", f"{name}={mine.value}"):
        page = stranger.open("https://other.example.test/", headers={"Cookie": cookie})
        assert stranger.at_entra(page)
    assert httpd.log.find("session-foreign")
