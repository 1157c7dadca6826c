# SPDX-License-Identifier: GPL-3.0-or-later
"""The two cookies: what they say, and who can get in between them."""

import re

import pytest

from cookies import Cookie
from programs import ENVIRONMENT
from server import HOST, ORIGIN, PROTECTED
from visitor import BINDING_COOKIE, SESSION_COOKIE, made_up_token

ENV = f"{ORIGIN}/cgi-bin/env"


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=PROTECTED)
    httpd.script("env", ENVIRONMENT)
    return httpd


def attributes(header):
    return {part.strip().lower() for part in header.split(";")[1:]}


def test_attributes(visitor):
    """Row 9: both host-only and Secure, the one for Entra's cross-site POST SameSite=None, the session Lax."""
    asked = visitor.ask(ENV)
    arrived = visitor.submit(visitor.answer(asked), follow=False)
    [binding] = asked.cookies()
    assert re.match(BINDING_COOKIE + r"[0-9a-f]{8}=[\w.-]{1,114};", binding)
    assert attributes(binding) == {"path=/", "secure", "httponly", "samesite=none"}
    [session] = arrived.cookies(SESSION_COOKIE)
    assert re.match(SESSION_COOKIE + r"[0-9a-f]{8}=[\w-]{43};", session)
    assert attributes(session) == {"path=/", "secure", "httponly", "samesite=lax"}
    assert visitor.jar.refused == []


def test_both_are_of_the_same_connection(visitor):
    visitor.sign_in(ENV)
    tags = {cookie.name.rpartition("-")[2] for cookie in visitor.jar.cookies.values()}
    assert len(visitor.jar.cookies) == 2 and len(tags) == 1


def test_no_cookie_for_nothing(visitor):
    """Requests of a signed-in user set no cookies."""
    visitor.sign_in(ENV)
    assert visitor.open(ENV).cookies() == []


def shadow(visitor, prefix, value):
    """A cookie of the same name as ours, set by a sibling host or an older path, that the browser sends first."""
    ours = visitor.jar.named(prefix)[0]
    foreign = Cookie(ours.name, value, HOST, True, "/cgi-bin", True, True, "none", None)
    visitor.jar.cookies[foreign.identity] = foreign


@pytest.mark.parametrize(
    "value",
    ["x", "", made_up_token(), "a" * 3000, '"quoted"', "%00"],
    ids=["short", "empty", "token", "long", "quoted", "escape"],
)
def test_a_cookie_that_shadows_the_session(visitor, value):
    """Row 15: every cookie of our name is tried, not only the first."""
    visitor.sign_in(ENV)
    shadow(visitor, SESSION_COOKIE, value)
    page = visitor.open(ENV)
    assert page.sent["Cookie"].count(SESSION_COOKIE) == 2
    assert page.sent["Cookie"].index(f"={value}") < page.sent["Cookie"].index(visitor.session), "the foreign one first"
    assert page.json["REMOTE_USER"] == "ada@contoso.example"


def test_a_cookie_that_shadows_the_sign_in(visitor):
    """Row 15: also at the reply URL."""
    asked = visitor.ask(ENV)
    ours = visitor.jar.named(BINDING_COOKIE)[0]
    form = visitor.answer(asked)
    cookie = f"{ours.name}=x; {ours.name}={made_up_token()[:22]}; {ours.name}={ours.value}"
    assert visitor.submit(form, follow=False, headers={"Cookie": cookie}).cookies(SESSION_COOKIE)


@pytest.mark.parametrize(
    "make",
    [
        lambda name, value: f"{name}={value[:-1]}",
        lambda name, value: f"{name}={value}A",
        lambda name, value: f"{name}={value[::-1]}",
        lambda name, value: f"{name.upper()}={value}",
        lambda name, value: f"x{name}={value}",
        lambda name, value: f"x={name}={value}",
        lambda name, value: f"{name}==",
        lambda name, value: ";" * 200 + "=",
    ],
    ids=["cut", "longer", "reversed", "capitals", "prefixed", "inside", "equals", "semicolons"],
)
def test_what_is_not_our_cookie(visitor, make):
    visitor.sign_in(ENV)
    ours = visitor.jar.named(SESSION_COOKIE)[0]
    page = visitor.open(ENV, headers={"Cookie": make(ours.name, ours.value)})
    assert visitor.at_entra(page)


def test_several_cookie_headers(visitor):
    """RFC 9113 lets clients split the header; httpd joins them."""
    visitor.sign_in(ENV)
    cookie = visitor.jar.header(ENV)
    assert visitor.open(ENV, headers={"Cookie": f"a=1; {'b' * 2000}=2; {cookie}; c=3"}).status == 200


def test_a_cookie_of_another_connection(visitor):
    """The name holds the connection: what another entity ID gave out is not even looked at."""
    visitor.sign_in(ENV)
    ours = visitor.jar.named(SESSION_COOKIE)[0]
    other = ours.name[:-8] + "00000000"
    assert visitor.at_entra(visitor.open(ENV, headers={"Cookie": f"{other}={ours.value}"}))
