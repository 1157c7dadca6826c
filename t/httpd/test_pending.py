# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-ins under way: many tabs, lost cookies, stale pages, the Back button."""

import html
import random

import pytest

from aging import aged_relay_state
from server import ORIGIN, PROTECTED
from visitor import BINDING_COOKIE, SESSION_COOKIE, Visitor

PAGE = f"{ORIGIN}/page.html"
TAB = 'tab of <!--#echo var="REMOTE_USER" -->: <!--#echo var="QUERY_STRING" -->'


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=PROTECTED, server="EntraSAMLPreserveMemory 1M")
    httpd.page("page.html", "PROTECTED page")
    httpd.page("tab.shtml", TAB)
    return httpd


# --- Tabs ---------------------------------------------------------------------------------------------


def open_tabs(visitor, count, tail=""):
    """Every tab asks before any answer has brought a cookie, as a browser does that restores its windows."""
    tabs = []
    for number in range(count):
        blank = Visitor(visitor.network, visitor.entra)
        asked = blank.ask(f"{ORIGIN}/tab.shtml?tab={number}{tail}")
        tabs.append((f"tab={number}{tail}", asked))
        for value in asked.cookies():
            visitor.jar.store(asked.url, value)
    return tabs


def finish_tabs(visitor, tabs):
    for query, asked in tabs:
        page = visitor.finish(asked)
        assert page.status == 200, f"{query}: {page.status} {page.location}"
        assert html.unescape(page.text) == f"tab of ada@contoso.example: {query}"
        assert len(page.sent["Cookie"]) < 1024
    assert len(visitor.jar.named(BINDING_COOKIE)) == 1 and len(visitor.jar.named(SESSION_COOKIE)) == 1


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_thirty_tabs_in_any_order(make_httpd, entra, mpm):
    httpd = make_httpd(vhost=PROTECTED, mpm=mpm)
    httpd.page("tab.shtml", TAB)
    visitor = Visitor(httpd.network, entra)
    tabs = open_tabs(visitor, 30)
    random.Random(1).shuffle(tabs)
    finish_tabs(visitor, tabs)


def test_two_hundred_tabs(visitor):
    """Row 11: opened before the first cookie, with addresses of 4 KiB, finished last to first; the Cookie header stays
    below 1 KiB, and so do the redirects below theirs."""
    tabs = open_tabs(visitor, 200, "&" + "x" * 4000)
    assert all(len(asked.location) <= 2048 for _, asked in tabs)
    finish_tabs(visitor, tabs[::-1])


@pytest.mark.parametrize("length", [600, 8100])
def test_tabs_with_long_addresses(visitor, length):
    """Row 11: 600 octets travel along, more are kept by the server; cookies and redirects do not grow."""
    tabs = open_tabs(visitor, 2, "&" + "x" * length)
    finish_tabs(visitor, tabs)
    query, asked = tabs[0]
    again = visitor.finish(asked)  # Back, and the form of Entra once more
    assert html.unescape(again.text) == f"tab of ada@contoso.example: {query}"


def test_the_binding_cookie_is_reused(visitor):
    """One cookie however many sign-ins: the second redirect sets none."""
    assert visitor.ask(PAGE).cookies(BINDING_COOKIE)
    assert not visitor.ask(PAGE).cookies(BINDING_COOKIE)


# --- Cookies that do not come back --------------------------------------------------------------------


def test_a_lost_sign_in_cookie_starts_again_and_ends(httpd, visitor):
    """Row 10: a browser that keeps no cookies gets a page after three rounds, not a loop."""
    page = visitor.ask(PAGE)
    for _ in range(2):
        form = visitor.answer(page)
        visitor.jar.drop("")
        page = visitor.submit(form)
        assert visitor.at_entra(page), f"{page.status} instead of another round"
    form = visitor.answer(page)
    visitor.jar.drop("")
    httpd.refused(visitor.submit(form), "signon-loop")
    assert visitor.session is None


def test_one_lost_cookie_does_no_harm(httpd, visitor):
    """The restart keeps the page that was asked for."""
    form = visitor.answer(visitor.ask(f"{PAGE}?a=1"))
    visitor.jar.drop("")
    again = visitor.submit(form)
    assert visitor.at_entra(again) and again.cookies(BINDING_COOKIE)
    page = visitor.submit(visitor.answer(again))
    assert (page.text, page.url) == ("PROTECTED page", f"{PAGE}?a=1")
    assert httpd.log.find("binding-missing")


def test_a_session_cookie_that_never_comes_back(httpd, visitor):
    """Row 10: sessions are made and their cookie is filtered out; the third visit gets a page that says so."""
    for _ in range(2):
        arrived = visitor.submit(visitor.answer(visitor.ask(PAGE)), follow=False)
        assert arrived.cookies(SESSION_COOKIE)
        visitor.jar.drop(SESSION_COOKIE)
    httpd.refused(visitor.open(PAGE), "session-loop")
    assert visitor.at_entra(visitor.open(f"{ORIGIN}/other.html")), "other pages are not concerned"


def test_a_dead_session_cookie_that_cannot_be_replaced(httpd, visitor, make_visitor):
    """Row 10: an old cookie still comes and the new one never does: that ends as well."""
    visitor.sign_in(PAGE)
    [dead] = visitor.jar.named(SESSION_COOKIE)
    twin = make_visitor()
    twin.jar.cookies = dict(visitor.jar.cookies)
    twin.open(f"{ORIGIN}/saml/logout", initiator=PAGE)
    for _ in range(4):
        visitor.jar.drop(SESSION_COOKIE)
        visitor.jar.cookies[dead.identity] = dead
        page = visitor.open(PAGE)
        if not visitor.at_entra(page):
            break
        visitor.submit(visitor.answer(page), follow=False)
    httpd.refused(page, "session-loop")


def test_signing_out_and_in_again_is_no_loop(visitor):
    for _ in range(4):
        assert visitor.sign_in(PAGE).text == "PROTECTED page"
        visitor.open(f"{ORIGIN}/saml/logout", initiator=PAGE)


# --- Time ---------------------------------------------------------------------------------------------


def test_the_login_page_may_stay_open(httpd, visitor):
    """Row 12: pending sign-ins do not depend on the server's memory: also a full restart leaves them valid."""
    asked = visitor.ask(PAGE)
    httpd.restart()
    assert visitor.submit(visitor.answer(asked)).text == "PROTECTED page"


def late(httpd, form, seconds):
    """The form as it comes when the sign-in page was open for so long."""
    form = form.copy()
    form["RelayState"] = aged_relay_state(httpd, form["RelayState"], seconds)
    return form


def test_within_the_hour(httpd, visitor):
    """Row 12: 59 minutes before Entra's page are no reason to start again."""
    form = visitor.answer(visitor.ask(PAGE))
    assert visitor.submit(late(httpd, form, 59 * 60)).text == "PROTECTED page"


def test_after_the_hour(httpd, visitor):
    """Row 12: one silent restart, which keeps the page; no error for the person."""
    form = visitor.answer(visitor.ask(f"{PAGE}?a=1"))
    again = visitor.submit(late(httpd, form, 61 * 60))
    assert visitor.at_entra(again) and visitor.session is None
    assert httpd.log.find("pending-expired")
    page = visitor.submit(visitor.answer(again))
    assert (page.text, page.url) == ("PROTECTED page", f"{PAGE}?a=1")


def test_always_too_late_ends(httpd, visitor):
    """Whoever comes too late three times gets the page that ends a loop."""
    asked = visitor.ask(PAGE)
    for _ in range(2):
        asked = visitor.submit(late(httpd, visitor.answer(asked), 2 * 3600))
        assert visitor.at_entra(asked)
    httpd.refused(visitor.submit(late(httpd, visitor.answer(asked), 2 * 3600)), "signon-loop")


# --- Back, reload, bookmark ---------------------------------------------------------------------------


def test_back_and_reload(visitor):
    """Row 13: the same form again, with the session alive: the page, without a round to Entra, and no new session."""
    form = visitor.answer(visitor.ask(PAGE))
    visitor.submit(form)
    session = visitor.session
    again = visitor.submit(form, follow=False)
    assert (again.status, again.location, again.cookies()) == (303, PAGE, [])
    assert visitor.submit(form).text == "PROTECTED page"
    assert visitor.session == session


def test_a_bookmark_of_the_reply_url(visitor):
    """Row 13: GET ends on the default page."""
    page = visitor.open(f"{ORIGIN}/saml/acs", follow=False)
    assert (page.status, page.location) == (303, f"{ORIGIN}/")


def test_the_landing_decides_when_the_session_is_gone(visitor):
    """Back after the session ended: one more round, then the page."""
    form = visitor.answer(visitor.ask(PAGE))
    visitor.submit(form)
    visitor.jar.drop(SESSION_COOKIE)
    page = visitor.submit(form)
    assert visitor.at_entra(page)
    assert visitor.submit(visitor.answer(page)).text == "PROTECTED page"
