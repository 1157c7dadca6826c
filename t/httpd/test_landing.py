# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 27: no address that a request brings leads off the site, by whichever of the places in returning.py it comes."""

from urllib.parse import quote

import pytest

import corpus
import whatwg
from client import REDIRECTS
from returning import DEAR, PLACES, World
from server import HOST, ORIGIN

ALLOWED_HOST = "intranet.example.test"
ALLOWED = f"https://{ALLOWED_HOST}/start"
VHOST = """
    EntraSAMLDefaultPage /start
    EntraSAMLIdPInitiated On
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/denied.html">
        Require claim roles:Nobody
    </Location>
"""
CORPUS = corpus.load(HOST)
HOSTILE = [candidate for candidate, landing in CORPUS if not landing]
WITH_NUL = [(candidate, None) for candidate in corpus.with_nul(HOSTILE[::9])]
# What passes, and of what must not a little of each kind.
FEW = [pair for number, pair in enumerate(CORPUS) if pair[1] or number % 25 == 0]
# The same at a host that may be returned to, and behind the very address: it is near that things go wrong.
NEAR = [one.replace(b"evil.example", ALLOWED_HOST.encode()) for one in HOSTILE[::2] if b"evil.example" in one]
NEAR = [(one, None) for one in [*NEAR, *(ALLOWED.encode() + one for one in HOSTILE[::3])]]
PASS = sum(1 for _, landing in CORPUS if landing)
TAKE_ALLOWED = [name for name in [*PLACES, *DEAR] if name.startswith(("login", "silent", "fresh", "launch"))]


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    httpd.page("page.html", "page")
    return httpd


@pytest.fixture(scope="module")
def world(httpd, entra):
    return World(httpd, entra)


@pytest.fixture(scope="module")
def allowing(make_httpd, entra):
    httpd = make_httpd(vhost=f"    EntraSAMLRelayStateAllow {ALLOWED}\n{VHOST}")
    httpd.page("page.html", "page")
    return World(httpd, entra)


def judge(world, page, candidate, may_allow=False):
    """An answer with nothing in it that leads elsewhere; the addresses it has."""
    said = page.headers.get_all("Location", [])
    cookies = page.headers.get_all("Set-Cookie", [])
    assert len(said) == (page.status in REDIRECTS) and all(cookie.startswith("__Host-entra-") for cookie in cookies), candidate
    links = page.html.xpath("//@href | //@action | //@src") if page.type == "text/html" and page.body else []
    for address in [*said, *links]:
        assert all("!" <= letter <= "~" and letter != "\\" for letter in address), (candidate, address)
        origin = whatwg.origin(address, ORIGIN)
        ours = origin == ORIGIN or address.startswith(world.entra.endpoint + "?")
        assert ours or (may_allow and is_allowed(address, origin)), (candidate, address)
    return said + links


def is_allowed(address, origin):
    rest = address[len(ALLOWED) :]
    return origin == f"https://{ALLOWED_HOST}" and address.startswith(ALLOWED) and rest[:1] in ("", "/", "?")


def ask(world, function, candidates, may_allow=False):
    """Sends them all; how many addresses there were in the answers."""
    world.log.tolerate_denials()
    world.log.tolerate("form-malformed", "logout-malformed", "logout-unsigned", "AH10244", "AH02031")
    addresses = 0
    for candidate, landing in candidates:
        for page in function(world, candidate):
            found = judge(world, page, candidate, may_allow)
            addresses += len(found)
            is_end = page.status in REDIRECTS and not found[0].startswith("/saml/login?")
            if is_end and not may_allow and not function.__name__.startswith("page"):
                assert found[0].removeprefix(ORIGIN) == (landing or "/start"), candidate
    return addresses


def test_the_corpus_is_there():
    assert len(HOSTILE) > 1000 and len(set(HOSTILE)) == len(HOSTILE)


@pytest.mark.parametrize("name", PLACES)
def test_every_candidate(world, name):
    assert ask(world, PLACES[name], CORPUS + WITH_NUL) >= PASS


@pytest.mark.parametrize("name", DEAR)
def test_a_sample(world, name):
    sample = FEW[::4] if name == "logout_at_entra" else FEW  # where one candidate takes six requests
    assert ask(world, DEAR[name], sample) >= len(sample) / 2


@pytest.mark.parametrize("name", TAKE_ALLOWED)
def test_near_what_is_allowed(allowing, name):
    ask(allowing, (PLACES | DEAR)[name], NEAR if name in PLACES else NEAR[::20], may_allow=True)


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
        assert visitor.submit(visitor.answer(page), follow=False).location == ORIGIN + landing


@pytest.mark.parametrize("query", ["", "?", "?other=//evil.example"])
def test_no_address_is_the_default_page(visitor, query):
    page = visitor.open(f"{ORIGIN}/saml/login{query}", follow=False)
    assert visitor.submit(visitor.answer(page), follow=False).location == f"{ORIGIN}/start"


def test_two_addresses(httpd, visitor):
    """Which of them counts must not depend on who reads."""
    page = visitor.open(f"{ORIGIN}/saml/login?return=/a&return=//evil.example", follow=False)
    httpd.refused(page, "form-malformed")
    assert page.location is None


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
    """Of an answer to a request only what we sealed ourselves counts."""
    form = visitor.answer(visitor.ask(f"{ORIGIN}/private/page"))
    form["RelayState"] = relay_state
    page = visitor.submit(form, follow=False)
    httpd.refused(page, "pending-unreadable")
    assert page.location is None
