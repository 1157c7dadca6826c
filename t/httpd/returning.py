# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place that takes an address to return to: a function each, which sends a candidate there and yields what comes
back, whatever else it takes to hear of it. What comes back is judged in test_landing.py, the same for all.

A new endpoint that takes an address is a new function here.
"""

from urllib.parse import parse_qs, quote, urlencode, urlsplit

from server import ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE, Visitor
from wire import Wire

PLACES = {}
DEAR = {}  # the same for places that need a message signed for each candidate: they see those that pass, and a sample


def place(registry):
    def register(function):
        registry[function.__name__] = function
        return function

    return register


class World:
    """A server, somebody who is signed in there, and one connection for all questions. `launched` is an answer of Entra's
    that nobody asked for, `failed` one that says that nobody is signed in: a browser with a binding cookie may bring both
    any number of times."""

    def __init__(self, httpd, entra):
        self.entra = entra
        self.log = httpd.log
        self.wire = Wire(httpd.network, ORIGIN)
        self.visitor = visitor = Visitor(httpd.network, entra)
        visitor.sign_in(f"{ORIGIN}/page.html")
        session, binding = (visitor.jar.named(prefix)[0] for prefix in (SESSION_COOKIE, BINDING_COOKIE))
        self.session, self.binding = f"{session.name}={session.value}", f"{binding.name}={binding.value}"
        self.launched = visitor.launch()["SAMLResponse"]
        silent = Visitor(httpd.network, entra)
        self.failed = silent.visit(silent.ask(f"{ORIGIN}/saml/login?passive=1"))["SAMLResponse"]

    def get(self, path, **how):
        return self.wire.ask(path.encode("ascii"), **how)

    def post(self, response, relay_state, cookie):
        body = urlencode({"SAMLResponse": response, "RelayState": relay_state}).encode()
        return self.wire.ask(b"/saml/acs", method="POST", body=body, cookie=cookie)

    def at_entra(self, page):
        return page.status == 303 and page.headers["Location"].startswith(self.entra.endpoint + "?")

    def sign_in(self, asked):
        """What the ACS answers when somebody signs in after this redirect, and when the same form comes again."""
        fields = self.entra.sign_in(asked.headers["Location"], "ada").fields
        cookie = self.binding if asked.sent.get("Cookie") else asked.headers["Set-Cookie"].partition(";")[0]
        for _ in range(2):
            yield self.post(fields["SAMLResponse"], fields["RelayState"], cookie)


def relay_state(page):
    return parse_qs(urlsplit(page.headers["Location"]).query)["RelayState"][0]


# --- the sign-in endpoint, whose `return` travels sealed in RelayState and comes back at the ACS ------------------------


def login(world, query, candidate, **how):
    return world.get(f"/saml/login?{query}return={quote(candidate, safe='')}", **how)


@place(PLACES)
def login_with_a_session(world, candidate):
    yield login(world, "", candidate, cookie=f"{world.session}; {world.binding}")


@place(PLACES)
def silent_login(world, candidate):
    asked = login(world, "passive=1&", candidate, cookie=world.binding)
    yield world.post(world.failed, relay_state(asked), world.binding) if world.at_entra(asked) else asked


@place(DEAR)
def login_without_a_session(world, candidate):
    """The ACS twice: the second time the pending sign-in is used."""
    asked = login(world, "", candidate)
    yield from world.sign_in(asked) if world.at_entra(asked) else [asked]


@place(DEAR)
def fresh_login(world, candidate):
    asked = login(world, "fresh=1&", candidate, cookie=f"{world.session}; {world.binding}")
    yield from world.sign_in(asked) if world.at_entra(asked) else [asked]


# --- the page first asked for, whatever stands in the request line ------------------------------------------------------


@place(PLACES)
def page_for_a_form(world, candidate):
    """A page with a link to the sign-in."""
    yield world.wire.ask(candidate, method="POST", body=b"a=b")


@place(PLACES)
def page_denied(world, candidate):
    """A page with a button that signs out, and returns to where the page wanted to."""
    target = f"/denied.html?return={quote(candidate, safe='')}"
    yield world.get(target, cookie=world.session)


@place(PLACES)
def page_first_asked_for(world, candidate):
    asked = world.wire.ask(candidate)
    yield from world.sign_in(asked) if world.at_entra(asked) else [asked]


# --- the sign-out endpoint -----------------------------------------------------------------------------------------------


def logout(world, candidate, **how):
    return world.get(f"/saml/logout?return={quote(candidate, safe='')}", **how)


@place(PLACES)
def logout_by_link(world, candidate):
    yield logout(world, candidate)


@place(PLACES)
def logout_by_form(world, candidate):
    yield logout(world, candidate, method="POST", body=b"")


@place(PLACES)
def logout_from_elsewhere(world, candidate):
    """A page with a button."""
    yield logout(world, candidate, headers={"Sec-Fetch-Site": "cross-site"})


@place(PLACES)
def answered_logout(world, candidate):
    """Entra's answer brings RelayState back, which is sealed; this one is nobody's."""
    yield world.get(f"/saml/logout?SAMLResponse=fZE%3D&RelayState={quote(candidate, safe='')}", cookie=world.session)


@place(DEAR)
def logout_at_entra(world, candidate):
    """Somebody signs out, is sent to Entra, and comes back with its answer."""
    visitor = Visitor(world.visitor.network, world.entra)
    visitor.sign_in(f"{ORIGIN}/page.html")
    address = f"{ORIGIN}/saml/logout?return={quote(candidate, safe='')}"
    asked = visitor.open(address, initiator=f"{ORIGIN}/page.html", follow=False)
    yield visitor.open(world.entra.log_out(asked.location), initiator=world.entra.endpoint, follow=False)


# --- a sign-in that Entra starts: RelayState is an address ---------------------------------------------------------------


@place(PLACES)
def launch_into_a_browser_that_signed_in_before(world, candidate):
    """By way of the sign-in endpoint, where the session goes on."""
    page = world.post(world.launched, candidate, world.binding)
    yield page
    if page.status == 303 and page.headers["Location"].startswith("/saml/login?"):
        yield world.get(page.headers["Location"], cookie=world.session)


@place(DEAR)
def launch_into_a_new_browser(world, candidate):
    yield world.post(world.visitor.launch()["SAMLResponse"], candidate, None)
