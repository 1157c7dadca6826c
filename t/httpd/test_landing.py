# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 27: no address that a request brings leads off the site. A sample of the corpus; the unit test takes all."""

from urllib.parse import quote

import pytest

import corpus
from cookies import origin_of
from server import HOST, ORIGIN

VHOST = """
    EntraSAMLDefaultPage /start
    <Location "/private">
        AuthType entra-saml
        Require valid-user
    </Location>
"""
CORPUS = corpus.load(HOST)
SAMPLE = CORPUS[::9]
ODD_PATHS = [
    "/private//evil.example",
    "/private/..%2f..//evil.example",
    "/private/%5c%5cevil.example",
    "/private/@evil.example",
    "/private/;//evil.example",
    "/private/?//evil.example",
    "/private/%0d%0aLocation:%20//evil.example",
]


@pytest.fixture(scope="module")
def httpd(make_httpd):
    return make_httpd(vhost=VHOST)


def landing_of(visitor, asked):
    """Where the sign-in that starts here ends; only the server can read RelayState. Leaves nobody signed in."""
    location = visitor.submit(visitor.answer(asked), follow=False).location
    visitor.jar.drop("")
    return location


def test_the_corpus_is_there():
    assert len(CORPUS) > 800


@pytest.mark.parametrize("part", range(4))
def test_refused_or_harmless(visitor, part):
    """login?return= with each candidate: 400, or a sign-in that ends where the corpus says."""
    for candidate, allowed in SAMPLE[part::4]:
        page = visitor.open(f"{ORIGIN}/saml/login?return={quote(candidate, safe='')}", follow=False)
        if page.status == 400:
            assert page.location is None and page.cookies() == [], candidate
            continue
        assert visitor.at_entra(page), candidate
        location = landing_of(visitor, page)
        assert location == (ORIGIN + allowed if allowed else f"{ORIGIN}/start"), candidate


def test_what_the_corpus_allows_is_not_refused(visitor):
    for candidate, allowed in CORPUS:
        if allowed:
            page = visitor.open(f"{ORIGIN}/saml/login?return={quote(candidate, safe='')}", follow=False)
            assert visitor.at_entra(page), candidate
            assert landing_of(visitor, page) == ORIGIN + allowed, candidate


@pytest.mark.parametrize(
    "wanted, landing",
    [
        ("", None),
        ("/private/page?a=1&b=%2F", "/private/page?a=1&b=%2F"),
        (f"{ORIGIN}/private/", "/private/"),
        (f"{ORIGIN}:443/private/", "/private/"),
        ("/private/ü".encode().decode("latin-1"), None),
    ],
)
def test_honest_addresses(visitor, wanted, landing):
    page = visitor.open(f"{ORIGIN}/saml/login?return={quote(wanted, safe='')}", follow=False)
    if landing is None:
        assert page.status == 400
    else:
        assert landing_of(visitor, page) == ORIGIN + landing


def test_with_a_session_the_way_is_short(visitor):
    """login with a session goes on at once: through the same gate."""
    visitor.sign_in(f"{ORIGIN}/private/page")
    for candidate, allowed in SAMPLE[:60] + [pair for pair in CORPUS if pair[1]]:
        page = visitor.open(f"{ORIGIN}/saml/login?return={quote(candidate, safe='')}", follow=False)
        assert page.location == (ORIGIN + allowed if page.status == 303 else None), candidate


@pytest.mark.parametrize("query", ["", "?", "?other=//evil.example"])
def test_no_address_is_the_default_page(visitor, query):
    page = visitor.open(f"{ORIGIN}/saml/login{query}", follow=False)
    assert landing_of(visitor, page) == f"{ORIGIN}/start"


def test_two_addresses(httpd, visitor):
    """Which of them counts must not depend on who reads."""
    page = visitor.open(f"{ORIGIN}/saml/login?return=/a&return=//evil.example", follow=False)
    httpd.refused(page, "form-malformed")
    assert page.location is None


def test_the_address_of_a_protected_page(visitor):
    """It is an address like any other: odd ones end on this site."""
    for path in ODD_PATHS:
        page = visitor.send("GET", ORIGIN + path, {"Accept": "text/html"})
        if visitor.at_entra(page):
            location = landing_of(visitor, page)
            assert origin_of(location) == ORIGIN and "\r" not in location, path


def test_an_absolute_request_target(visitor):
    """GET http://evil.example/private/ in the request line: what comes back leads to our origin."""
    connection = visitor.network.connect(ORIGIN)
    try:
        connection.putrequest("GET", "https://evil.example/private/page", skip_host=True)
        connection.putheader("Host", "evil.example")
        connection.putheader("Accept", "text/html")
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    assert answer.status in (303, 400, 421)
    if answer.status == 303:
        assert "evil" not in answer.headers["Location"]


@pytest.mark.parametrize("relay_state", ["https://evil.example/", "//evil.example", "/private/page", ""])
def test_relay_state_is_no_address(httpd, visitor, relay_state):
    """Only what we sealed ourselves counts."""
    form = visitor.answer(visitor.ask(f"{ORIGIN}/private/page"))
    form["RelayState"] = relay_state
    page = visitor.submit(form, follow=False)
    httpd.refused(page, "pending-unreadable")
    assert page.location is None


def test_logout_takes_no_address(visitor):
    page = visitor.open(f"{ORIGIN}/saml/logout?return=//evil.example", initiator=f"{ORIGIN}/", follow=False)
    assert "evil" not in str(page.headers) + page.text
