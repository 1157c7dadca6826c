# SPDX-License-Identifier: GPL-3.0-or-later
"""A person with a browser and an account at the lookalike Entra."""

import secrets

from client import Browser, Form
from cookies import origin_of
from server import ORIGIN

SESSION_COOKIE = "__Host-entra-session-"
BINDING_COOKIE = "__Host-entra-signin-"


class Visitor(Browser):
    """`open` and `submit` stop where a redirect leads to Entra, unknown to the network; what is here goes on.

    The lookalike is used as a library: ask() is the way there, answer() the form it would post back.
    """

    def __init__(self, network, entra):
        super().__init__(network)
        self.entra = entra

    def ask(self, url=f"{ORIGIN}/", **how):
        """Open a page that must lead to Entra; the redirect that does."""
        page = self.open(url, **how)
        assert self.at_entra(page), f"{page.status} {page.location} instead of a redirect to Entra: {page.text[:500]}"
        return page

    def at_entra(self, page):
        """Does this redirect lead to Entra?"""
        return page.status == 303 and origin_of(page.location) == origin_of(self.entra.endpoint)

    def answer(self, asked, user="ada", change=None):
        """The form that Entra would post after this redirect; `change` tampers with it."""
        if change is not None:
            self.entra.tamper(change)
        made = self.entra.sign_in(asked.location, user)
        return Form(made.action, "POST", list(made.fields.items()), self.entra.endpoint)

    def visit(self, asked, user=None, since=None):
        """The form that Entra would post when `user` has been signed in there since `since`, or (None) nobody."""
        made = self.entra.visit(asked.location, user, since)
        return Form(made.action, "POST", list(made.fields.items()), self.entra.endpoint)

    def launch(self, user="ada", change=None):
        """The form of a start from My Apps: nobody asked for it."""
        if change is not None:
            self.entra.tamper(change)
        made = self.entra.launch(self.entra.applications[0], self.entra.users[user])
        return Form(made.action, "POST", list(made.fields.items()), self.entra.endpoint)

    def finish(self, asked, user="ada", rounds=2):
        """Answer, and answer again where the sign-on starts anew; the page that comes at the end."""
        page = self.submit(self.answer(asked, user))
        for _ in range(rounds):
            if not self.at_entra(page):
                break
            page = self.submit(self.answer(page, user))
        return page

    def sign_in(self, url=f"{ORIGIN}/", user="ada", change=None):
        """From a page without a session to the end of the one round to Entra."""
        return self.submit(self.answer(self.ask(url), user, change))

    @property
    def session(self):
        """The value of the session cookie, None without one."""
        found = self.jar.named(SESSION_COOKIE)
        return found[0].value if found else None


def made_up_token():
    """A session cookie value of the right shape that no server ever gave out."""
    return secrets.token_urlsafe(32)
