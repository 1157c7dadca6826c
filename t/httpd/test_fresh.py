# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sign-on asks of Entra: a fresh sign-in where a location wants one, silence, hints, classes."""

import base64
import datetime
import zlib
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from lxml import etree

from entra import names
from entra.request import Refused
from entra.tamper import setting
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import SESSION_COOKIE, Visitor

LOGIN = f"{ORIGIN}/saml/login"
PAY = f"{ORIGIN}/pay/page.html"
DAY = datetime.timedelta(days=1)
VHOST = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/pay">
        EntraSAMLFreshSignIn 5min
    </Location>
    <Location "/pay/free">
        EntraSAMLFreshSignIn Off
    </Location>
    <Location "/public">
        AuthType entra-saml
        Require all granted
    </Location>
    <Location "/cgi-bin/env">
        AuthType entra-saml
        Require all granted
        EntraSAMLFreshSignIn 5min
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    for name in ("page.html", "pay/page.html", "pay/free/page.html", "public/page.html"):
        httpd.page(name, f"the page {name}")
    httpd.script("env", ENVIRONMENT)
    return httpd


def weeks_ago():
    return datetime.datetime.utcnow() - 81 * DAY


def request_of(asked):
    """The AuthnRequest of a redirect, as its attributes, and the rest of the query."""
    query = parse_qs(urlsplit(asked.location).query, strict_parsing=True)
    xml = zlib.decompress(base64.b64decode(query.pop("SAMLRequest")[0]), -15)
    return etree.fromstring(xml), query


@pytest.fixture
def ada(visitor):
    """Signed in here, and weeks ago at Entra."""
    page = visitor.submit(visitor.visit(visitor.ask(f"{ORIGIN}/page.html"), "ada", weeks_ago()))
    assert page.text == "the page page.html"
    return visitor


# --- A fresh sign-in ----------------------------------------------------------------------------------


def test_an_old_sign_in_is_enough_elsewhere(ada):
    assert ada.open(f"{ORIGIN}/page.html").status == 200
    assert ada.open(f"{ORIGIN}/pay/free/page.html").status == 200


def test_an_old_sign_in_is_raised_where_that_is_wanted(httpd, ada):
    """The page asked for comes after the new sign-in, whose session takes the old one's place; once is enough."""
    old = ada.session
    asked = ada.ask(f"{PAY}?a=1")
    assert httpd.log.find("session-stale")
    request, _ = request_of(asked)
    assert request.get("ForceAuthn") == "true" and request.get("IsPassive") is None
    page = ada.submit(ada.visit(asked, "ada", weeks_ago()))
    assert (page.url, page.text) == (f"{PAY}?a=1", "the page pay/page.html")
    assert ada.session != old
    assert ada.open(PAY).status == 200 and ada.open(f"{ORIGIN}/page.html").status == 200
    ada.jar.store(ORIGIN, ada.jar.named(SESSION_COOKIE)[0].name + f"={old}; Path=/; Secure")
    assert ada.at_entra(ada.open(f"{ORIGIN}/page.html")), "the old session has ended"


def test_who_gives_up_keeps_what_he_has(ada):
    ada.ask(PAY)
    assert ada.open(f"{ORIGIN}/page.html").status == 200


def test_nobody_is_asked_for_a_fresh_sign_in_at_once(visitor):
    request, _ = request_of(visitor.ask(PAY))
    assert request.get("ForceAuthn") == "true"


def test_an_answer_that_is_not_fresh_is_refused(httpd, ada):
    """A page, and no second round: somebody, or something on the way, took ForceAuthn out."""
    old = ada.session
    form = ada.answer(ada.ask(PAY), "ada", setting(authn_instant=weeks_ago()))
    httpd.refused(ada.submit(form), "authn-stale")
    assert ada.session == old and ada.open(f"{ORIGIN}/page.html").status == 200


def test_an_answer_from_the_future_is_refused(httpd, visitor):
    ahead = datetime.datetime.utcnow() + datetime.timedelta(minutes=10)
    page = visitor.sign_in(f"{ORIGIN}/page.html", change=setting(authn_instant=ahead))
    httpd.refused(page, "authn-future")


def test_programs_get_401(httpd, ada):
    page = ada.fetch(PAY)
    httpd.refused(page, "session-stale")
    assert page.json["sign_in"] == f"{LOGIN}?fresh=1"
    assert page.headers["WWW-Authenticate"] == f'EntraSAML login="{LOGIN}?fresh=1"'
    assert page.cookies() == []


def test_the_sign_in_endpoint_asks_for_a_fresh_one(ada):
    """With a live session too: the way for who cannot be sent from the page itself."""
    asked = ada.ask(f"{LOGIN}?fresh=1&return=/pay/page.html")
    request, _ = request_of(asked)
    assert request.get("ForceAuthn") == "true"
    page = ada.submit(ada.answer(asked))
    assert (page.status, page.url) == (200, PAY)


@pytest.mark.parametrize("query", ["fresh=0", "fresh=", "fresh=1&passive=1"])
def test_what_fresh_may_not_be(httpd, ada, query):
    httpd.refused(ada.open(f"{LOGIN}?{query}"), "hint-refused")


def test_a_form_gets_a_page(httpd, ada):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    page = ada.open(PAY, method="POST", body=b"a=b", headers=kind, initiator=f"{ORIGIN}/page.html")
    httpd.refused(page, "form-without-session")
    [link] = page.html.xpath("//a/@href[starts-with(., '/saml/login')]")
    assert link == "/saml/login?fresh=1"


def test_where_all_are_granted_a_stale_user_is_a_stranger(ada):
    """A session that is not enough here gives nobody a name."""
    page = ada.open(f"{ORIGIN}/cgi-bin/env")
    assert page.status == 200 and "REMOTE_USER" not in page.json


# --- Silence ------------------------------------------------------------------------------------------

SILENT = f"{LOGIN}?passive=1&return="


def test_a_silent_attempt_signs_in_whom_entra_knows(visitor):
    asked = visitor.ask(f"{SILENT}/public/page.html")
    request, _ = request_of(asked)
    assert request.get("IsPassive") == "true" and request.get("ForceAuthn") is None
    page = visitor.submit(visitor.visit(asked, "ada"))
    assert page.text == "the page public/page.html" and visitor.session


def test_a_silent_attempt_that_fails_ends_on_the_page(httpd, visitor):
    page = visitor.submit(visitor.visit(visitor.ask(f"{SILENT}/public/page.html")))
    assert (page.status, page.text) == (200, "the page public/page.html")
    assert visitor.session is None and "AADSTS50058" in httpd.log.find("silent-failed")[0]


def test_a_page_that_needs_a_user_asks_once(visitor):
    """The ordinary sign-on follows, which is not silent; it ends on the page, and nothing goes round."""
    page = visitor.submit(visitor.visit(visitor.ask(f"{SILENT}/page.html")))
    assert visitor.at_entra(page)
    request, _ = request_of(page)
    assert request.get("IsPassive") is None
    assert visitor.submit(visitor.visit(page, "ada")).text == "the page page.html"


def test_a_second_silent_attempt_waits_a_minute(visitor):
    visitor.submit(visitor.visit(visitor.ask(f"{SILENT}/public/page.html")))
    page = visitor.open(f"{SILENT}/public/page.html")
    assert page.text == "the page public/page.html" and visitor.session is None


def test_an_error_without_the_browsers_cookie_is_an_error(httpd, visitor, make_visitor):
    form = visitor.visit(visitor.ask(f"{SILENT}/public/page.html"))
    httpd.refused(make_visitor().submit(form), "response-status")


def test_with_a_session_nothing_is_asked(ada):
    assert ada.open(f"{SILENT}/page.html").text == "the page page.html"


# --- Hints --------------------------------------------------------------------------------------------


def test_hints_reach_entra_beside_the_request(visitor):
    asked = visitor.ask(f"{LOGIN}?login_hint=ben@contoso.example&whr=contoso.example&return=/page.html")
    request, rest = request_of(asked)
    assert (rest["login_hint"], rest["whr"]) == (["ben@contoso.example"], ["contoso.example"])
    assert b"ben@" not in etree.tostring(request) and set(rest) == {"RelayState", "login_hint", "whr"}
    page = visitor.submit(visitor.visit(asked))
    assert page.text == "the page page.html"


def test_a_guests_name(visitor):
    name = "gus_fabrikam.example#EXT#@contoso.onmicrosoft.example"
    asked = visitor.ask(f"{LOGIN}?login_hint={quote(name)}")
    assert request_of(asked)[1]["login_hint"] == [name]


@pytest.mark.parametrize(
    "query",
    [
        "login_hint=ada",
        "login_hint=",
        "login_hint=a%40b.c%26whr%3Devil.example",
        "login_hint=%3Cscript%3E@x.y",
        "login_hint=a%40b.c%0D%0ASet-Cookie:x",
        "whr=x",
        "whr=https://evil.example/",
        "whr=" + "a." * 130 + "bc",
        "passive=0",
        "passive=true",
    ],
)
def test_what_is_no_hint_is_refused(httpd, visitor, query):
    page = visitor.open(f"{LOGIN}?{query}")
    httpd.refused(page, "hint-refused")
    assert "<script" not in page.text and page.cookies() == []


@pytest.mark.parametrize("name", ["return", "login_hint", "whr", "passive"])
def test_a_parameter_twice(httpd, visitor, name):
    httpd.refused(visitor.open(f"{LOGIN}?{name}=1&{name}=1"), "form-malformed")


def test_the_longest_page_goes_before_the_hint(visitor):
    """2,048 characters are the limit; without room the hint stays away, and the page comes back."""
    page = "/page.html?" + "x" * 680
    asked = visitor.ask(f"{LOGIN}?login_hint={'a' * 200}@{'b' * 60}.example&whr=contoso.example&return={page}")
    assert len(asked.location) <= 2048
    assert visitor.submit(visitor.visit(asked, "ada")).url == ORIGIN + page


# --- Classes ------------------------------------------------------------------------------------------


class TestAuthnContext:
    X509 = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"

    def visitor_of(self, make_httpd, entra, *classes):
        httpd = make_httpd(vhost=f"EntraSAMLAuthnContext {' '.join(classes)}\n{VHOST}")
        httpd.page("page.html", "the page page.html")
        return Visitor(httpd.network, entra)

    def test_classes_are_asked_for(self, make_httpd, entra):
        visitor = self.visitor_of(make_httpd, entra, self.X509, names.PASSWORD)
        asked = visitor.ask(f"{ORIGIN}/page.html")
        context = request_of(asked)[0].find(f"{{{names.PROTOCOL}}}RequestedAuthnContext")
        assert context.get("Comparison") == "exact" and [entry.text for entry in context] == [self.X509, names.PASSWORD]
        assert visitor.submit(visitor.answer(asked)).text == "the page page.html"

    def test_a_class_that_entra_cannot_give(self, make_httpd, entra):
        visitor = self.visitor_of(make_httpd, entra, self.X509)
        with pytest.raises(Refused, match="AADSTS75011"):
            visitor.answer(visitor.ask(f"{ORIGIN}/page.html"))

    def test_none_by_default(self, visitor):
        request, _ = request_of(visitor.ask(f"{ORIGIN}/page.html"))
        assert [etree.QName(child).localname for child in request] == ["Issuer"]


@pytest.mark.parametrize(
    "line",
    ["EntraSAMLAuthnContext Password", 'EntraSAMLAuthnContext "urn:x y"', "EntraSAMLAuthnContext " + "urn:x " * 9,
     "EntraSAMLAuthnContext urn:" + "x" * 200],
)
def test_classes_that_are_none(make_httpd, line):
    status, said = make_httpd(vhost=f"    {line}\n{VHOST}", start=False).configtest()
    code = "config-authn-context"
    assert status != 0 and f"reason={code}: EntraSAMLAuthnContext on line" in said


@pytest.mark.parametrize("time", ["59s", "31d", "0", "never", "On"])
def test_times_that_are_none(make_httpd, time):
    status, said = make_httpd(vhost=f"<Location />\nEntraSAMLFreshSignIn {time}\n</Location>", start=False).configtest()
    assert status != 0 and "reason=config-time" in said
