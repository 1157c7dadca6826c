# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a session is good, and what a sign-in does to the one that is there.

Two applications on one host name with different ports: a browser sends the cookies of each to both (RFC 6265 section 8.5). The
second takes the first one's sessions, the first does not take the second's; a third on the same name takes nobody's.
"""

import concurrent.futures
import datetime
import re

import pytest

from client import Form
from cookies import Cookie
from entra import Application, Tenant
from entra.service import Service
from entra.tamper import setting
from people import USERS
from programs import ENVIRONMENT
from server import HOST, ORIGIN, free_ports
from visitor import SESSION_COOKIE, made_up_token

HOUR = datetime.timedelta(hours=1)
FIRST, SECOND, THIRD = ORIGIN, f"{ORIGIN}:8443", f"{ORIGIN}:9443"
ENV = "/cgi-bin/env"
METHODS = "ENTRA_AUTHNMETHODSREFERENCES"
MULTIFACTOR = "http://schemas.microsoft.com/claims/multipleauthn"
SECTIONS = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/pay">
        EntraSAMLFreshSignIn 5min
    </Location>
    <Location "/cgi-bin/env/pay">
        EntraSAMLFreshSignIn 5min
    </Location>
"""
HOST_LINES = """
<VirtualHost 127.0.0.1:${{{name}}}>
    ServerName {host}
    DocumentRoot "${{ROOT}}/htdocs"
    ScriptAlias "/cgi-bin/" "${{ROOT}}/cgi-bin/"
    SSLEngine on
    SSLCertificateFile "${{CERTIFICATE}}"
    SSLCertificateKeyFile "${{KEY}}"
    EntraSAMLMetadata "${{ROOT}}/{name}.xml"
    EntraSAMLBaseURL {origin}
    {lines}
    {sections}
</VirtualHost>
"""


def host_lines(name, origin, lines="", host=HOST):
    return HOST_LINES.format(name=name, host=host, origin=origin, lines=lines, sections=SECTIONS)


def application(origin, signer):
    return Application(
        identifiers=[f"{origin}/saml/metadata"], reply_urls=[f"{origin}/saml/acs"], logout_url=f"{origin}/saml/logout",
        signer=signer,
    )


@pytest.fixture(scope="module")
def entra(keys):
    tenant, signer = keys
    return Service([application(origin, signer) for origin in (FIRST, SECOND, THIRD)], tenant=tenant, users=USERS)


@pytest.fixture(scope="module")
def ports():
    return dict(zip(("SECOND", "THIRD"), free_ports(2)))


@pytest.fixture(scope="module")
def httpd(make_httpd, entra, ports):
    server = "\n".join(f"Listen 127.0.0.1:{port} https" for port in ports.values())
    server += host_lines("SECOND", SECOND, f"EntraSAMLSessionsFrom {FIRST}/saml/metadata")
    server += host_lines("THIRD", THIRD)
    httpd = make_httpd(start=False, vhost=SECTIONS, server=server, define=ports)
    for name in ports:
        (httpd.root / f"{name}.xml").write_bytes(entra.metadata(entra.applications[0]))
    httpd.network.add(SECOND, ports["SECOND"])
    httpd.network.add(THIRD, ports["THIRD"])
    httpd.script("env", ENVIRONMENT)
    httpd.page("pay/page.html", "the page")
    return httpd.start()


def user_at(visitor, origin):
    """REMOTE_USER there, None where Entra would be asked."""
    page = visitor.open(origin + ENV)
    return None if visitor.at_entra(page) else page.json["REMOTE_USER"]


def cookies_of(visitor):
    return {cookie.name: cookie.value for cookie in visitor.jar.named(SESSION_COOKIE)}


def signed_in(visitor, origin, user="ada", **how):
    page = visitor.sign_in(origin + ENV, user, **how)
    assert page.json["REMOTE_USER"] == f"{user}@contoso.example"
    return page.json


def replay(visitor, cookies):
    """Does a session of these old cookies live?"""
    header = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    return not all(visitor.at_entra(visitor.open(origin + ENV, headers=header)) for origin in (FIRST, SECOND))


# --- Scopes -------------------------------------------------------------------------------------------


def test_a_session_is_good_where_it_was_made_and_where_it_is_taken(visitor):
    signed_in(visitor, FIRST)
    assert [user_at(visitor, origin) for origin in (FIRST, SECOND, THIRD)] == ["ada@contoso.example"] * 2 + [None]
    assert len(cookies_of(visitor)) == 1, "taking it makes no other"


def test_the_other_way_round_it_is_not(visitor):
    signed_in(visitor, SECOND)
    assert [user_at(visitor, origin) for origin in (FIRST, SECOND, THIRD)] == [None, "ada@contoso.example", None]


def test_its_value_under_another_name_is_nothing(httpd, visitor, make_visitor):
    """Whoever renames the cookie that he has: the record says which connection made it."""
    signed_in(visitor, FIRST)
    [value] = cookies_of(visitor).values()
    named = {}
    for origin in (SECOND, THIRD):
        other = make_visitor()
        signed_in(other, origin)
        [named[origin]] = cookies_of(other)
    for origin, name in named.items():
        assert visitor.at_entra(visitor.open(origin + ENV, headers={"Cookie": f"{name}={value}"}))
    assert len(httpd.log.find("session-foreign")) == 2


def test_ones_own_session_comes_first(visitor):
    signed_in(visitor, FIRST, "ada")
    signed_in_second = visitor.sign_in(f"{SECOND}/saml/login?fresh=1&return={ENV}", "ada")
    assert signed_in_second.json["REMOTE_USER"] == "ada@contoso.example" and len(cookies_of(visitor)) == 2
    assert user_at(visitor, FIRST) == "ada@contoso.example", "the other's session is not ours to end"


def test_another_user_ends_what_was_taken(visitor):
    """Else this browser would be Ada again when Ben's session at the second has ended."""
    signed_in(visitor, FIRST, "ada")
    assert visitor.sign_in(f"{SECOND}/saml/login?fresh=1&return={ENV}", "ben").json["REMOTE_USER"] == "ben@contoso.example"
    assert user_at(visitor, FIRST) is None


def test_what_was_proved_at_the_other_stays_proved(visitor):
    """The second asks for a fresh sign-in; Ada's multi-factor sign-in at the first counts at the second before and after."""
    signed_in(visitor, FIRST, "ada")
    visitor.entra.users["ada"].multifactor = False
    try:
        page = visitor.sign_in(f"{SECOND}/saml/login?fresh=1&return={ENV}", "ada")
    finally:
        visitor.entra.users["ada"].multifactor = True
    assert len(cookies_of(visitor)) == 2 and MULTIFACTOR in page.json[METHODS]


def test_signing_out_where_it_was_taken(httpd, visitor):
    """The session that is in use ends, its cookie goes, and Entra is asked for the connection that has it; the user comes
    back to the page where he clicked, on its own address."""
    signed_in(visitor, FIRST)
    old = cookies_of(visitor)
    page = visitor.open(f"{SECOND}/saml/logout?return=/pay/page.html", initiator=f"{SECOND}/", follow=False)
    assert visitor.at_entra(page) and cookies_of(visitor) == {}
    assert user_at(visitor, FIRST) is None and not replay(visitor, old)
    assert re.search("signed out: .* sessions=1 by=user", "\n".join(httpd.log.new()))
    answer = visitor.entra.log_out(page.location)  # which judges the request by the application that it names
    assert answer.startswith(f"{FIRST}/saml/logout?")
    back = visitor.open(answer, initiator=visitor.entra.endpoint, follow=False)
    assert (back.status, back.location) == (303, f"{SECOND}/pay/page.html")


def test_entra_ends_it_where_it_was_made(visitor):
    """Its message to the first application ends the session, and so it is none at the second either."""
    asked = visitor.ask(FIRST + ENV)
    made = visitor.entra.sign_in(asked.location, "ada")
    visitor.submit(Form(made.action, "POST", list(made.fields.items()), visitor.entra.endpoint))
    assert user_at(visitor, SECOND) == "ada@contoso.example"
    visitor.open(visitor.entra.ask_logout(made.participant), initiator=visitor.entra.endpoint, follow=False)
    assert [user_at(visitor, origin) for origin in (FIRST, SECOND)] == [None, None]


def test_signing_out_ends_both(visitor):
    signed_in(visitor, FIRST)
    visitor.sign_in(f"{SECOND}/saml/login?fresh=1&return={ENV}", "ada")
    old = cookies_of(visitor)
    assert len(old) == 2
    visitor.open(f"{SECOND}/saml/logout", initiator=f"{SECOND}/", follow=False)
    assert cookies_of(visitor) == {} and not replay(visitor, old)


def test_signing_out_elsewhere_leaves_it(visitor):
    signed_in(visitor, FIRST)
    visitor.open(f"{THIRD}/saml/logout", initiator=f"{THIRD}/", follow=False)
    assert user_at(visitor, FIRST) == "ada@contoso.example"


def test_the_session_endpoint_tells_of_it(visitor):
    signed_in(visitor, FIRST)
    said = visitor.fetch(f"{SECOND}/saml/session")
    assert said.json["user"] == "ada@contoso.example" and said.json["sign_out"] == f"{SECOND}/saml/logout"
    assert visitor.fetch(f"{THIRD}/saml/session").status == 401
    assert visitor.fetch(f"{SECOND}/saml/session", initiator=f"{FIRST}/").status == 403, "another port is another origin"


# --- A sign-in where there is a session ---------------------------------------------------------------


def test_a_new_id_at_every_sign_in(visitor):
    seen = []
    for _ in range(3):
        visitor.sign_in(f"{FIRST}/saml/login?fresh=1&return={ENV}")
        assert not [old for old in seen if replay(visitor, old)]
        seen.append(cookies_of(visitor))
        assert user_at(visitor, FIRST) == "ada@contoso.example"
    assert len({str(cookies) for cookies in seen}) == 3


def test_a_sign_in_raises_and_never_lowers(visitor):
    """Weeks ago at Entra and by password only, after a sign-in of today with two factors."""
    signed_in(visitor, FIRST, "ada")
    first = visitor.fetch(f"{FIRST}/saml/session").json["authenticated"]
    visitor.entra.users["ada"].multifactor = False
    try:
        page = visitor.sign_in(f"{FIRST}/saml/login?fresh=1&return={ENV}", "ada")
    finally:
        visitor.entra.users["ada"].multifactor = True
    assert page.json[METHODS].split(";")[-1] == MULTIFACTOR
    assert visitor.fetch(f"{FIRST}/saml/session").json["authenticated"] >= first


def test_another_user_begins_from_nothing(visitor):
    signed_in(visitor, FIRST, "ada")
    old = cookies_of(visitor)
    page = visitor.sign_in(f"{FIRST}/saml/login?fresh=1&return={ENV}", "ben")
    assert page.json["REMOTE_USER"] == "ben@contoso.example" and MULTIFACTOR not in page.json[METHODS]
    assert not replay(visitor, old)


def test_side_by_side(visitor):
    """Two tabs at Entra: the answer that comes last is the older sign-in."""
    slow, quick = visitor.ask(f"{FIRST}{ENV}"), visitor.ask(f"{FIRST}{ENV}?quick")
    assert MULTIFACTOR in visitor.submit(visitor.answer(quick)).json[METHODS]
    before = visitor.fetch(f"{FIRST}/saml/session").json["authenticated"]
    visitor.entra.users["ada"].multifactor = False
    try:
        old = setting(authn_instant=datetime.datetime.utcnow() - HOUR)
        page = visitor.submit(visitor.answer(slow, change=old))
    finally:
        visitor.entra.users["ada"].multifactor = True
    assert MULTIFACTOR in page.json[METHODS]
    assert visitor.fetch(f"{FIRST}/saml/session").json["authenticated"] == before


def test_twenty_tabs_at_once(visitor):
    """Posted in parallel, each tab with the cookies of the moment: all come to their pages, nobody goes round."""
    asked = [visitor.ask(f"{FIRST}{ENV}?{tab}") for tab in range(20)]
    forms = [visitor.answer(page) for page in asked]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        pages = list(pool.map(visitor.submit, forms))
    assert [page.json["QUERY_STRING"] for page in pages] == [str(tab) for tab in range(20)]


def shadow(visitor, count, path):
    """Cookies of our name that a sibling host planted, sent before ours for a longer path, behind it for its own."""
    name = visitor.jar.named(SESSION_COOKIE)[0].name
    for number in range(count):
        foreign = Cookie(name, made_up_token(), HOST, number % 2 == 0, path, True, True, "none", None)
        visitor.jar.cookies[(*foreign.identity, number)] = foreign


@pytest.mark.parametrize("count, path", [(1, "/cgi-bin"), (1, "/"), (50, "/cgi-bin"), (50, "/")])
def test_every_cookie_of_our_name_is_tried(visitor, count, path):
    """Row 15: resume, a sign-in that must find what it replaces, and sign-out."""
    signed_in(visitor, FIRST)
    old = cookies_of(visitor)
    shadow(visitor, count, path)
    page = visitor.open(FIRST + ENV)
    assert page.json["REMOTE_USER"] == "ada@contoso.example" and page.sent["Cookie"].count(SESSION_COOKIE) == count + 1
    asked = visitor.ask(f"{FIRST}/saml/login?fresh=1&return={ENV}")
    assert visitor.submit(visitor.answer(asked)).json["REMOTE_USER"] == "ada@contoso.example"
    assert not replay(visitor, old)
    [new] = [cookie for cookie in visitor.jar.named(SESSION_COOKIE) if cookie.same_site == "lax"]
    visitor.open(f"{FIRST}/saml/logout", initiator=f"{FIRST}/", follow=False)
    assert not replay(visitor, {new.name: new.value})


# --- Configuration ------------------------------------------------------------------------------------

OTHER = f"{SECOND}/saml/metadata"
CODE = "config-sessions-from"


def judged(make_httpd, entra, first, second="", origin=SECOND, outside="", third=None):
    """httpd -t of two hosts, or with the metadata of a `third` of three: (status, what it printed)."""
    host = origin.removeprefix("https://").partition(":")[0]
    server = "Listen 127.0.0.1:8443 https\nListen 127.0.0.1:9443 https\n" + outside
    server += host_lines("SECOND", origin, second, host)
    if third:
        server += host_lines("THIRD", THIRD, f"EntraSAMLEntityID {OTHER}")
    httpd = make_httpd(start=False, vhost=first + SECTIONS, server=server, define={"SECOND": 8443, "THIRD": 9443})
    (httpd.root / "SECOND.xml").write_bytes(entra.metadata(entra.applications[1]))
    (httpd.root / "THIRD.xml").write_bytes(third or b"")
    return httpd.configtest()


@pytest.mark.parametrize(
    "first, second, words",
    [
        ("urn:nobody", "", "no virtual host of this server has the entity ID urn:nobody"),
        (OTHER, "EntraSAMLRemoteUser displayname", "another EntraSAMLRemoteUser"),
        (OTHER, "EntraSAMLClaim http://x/y role_x", "another EntraSAMLRemoteUser, EntraSAMLClaim"),
        (OTHER, "EntraSAMLRequiredClaims employeeid", "another EntraSAMLRemoteUser, EntraSAMLClaim or EntraSAMLRequiredClaims"),
    ],
)
def test_scopes_that_cannot_work(make_httpd, entra, first, second, words):
    status, printed = judged(make_httpd, entra, f"EntraSAMLSessionsFrom {first}", second)
    assert status != 0 and f"reason={CODE}: EntraSAMLSessionsFrom on line" in printed and words in printed, printed


def test_another_host_name_can_never_work(make_httpd, entra):
    """Session cookies are host-only. What a host inherits may be meant for others, and is no fault."""
    other = "https://other.example.test"
    line = f"EntraSAMLSessionsFrom {other}/saml/metadata"
    status, printed = judged(make_httpd, entra, line, origin=other)
    assert status != 0 and f"reason={CODE}" in printed and "same host name" in printed, printed
    status, printed = judged(make_httpd, entra, "", origin=other, outside=line + "\n")
    assert status == 0, printed


def test_an_entity_id_of_two_tenants(make_httpd, entra):
    """Whose sessions are meant is not said; of one tenant, on two hosts, they are the same."""
    line = f"EntraSAMLSessionsFrom {OTHER}"
    second = entra.applications[1]
    status, printed = judged(make_httpd, entra, line, third=entra.metadata(second))
    assert status == 0, printed
    stranger = Service([second], tenant=Tenant("97fb2e3d-d978-44e1-bb74-0aa0109189b5", entra.tenant.signer), users=USERS)
    status, printed = judged(make_httpd, entra, line, third=stranger.metadata(second))
    assert status != 0 and f"reason={CODE}" in printed and "several tenants" in printed, printed


def test_too_many(make_httpd, entra):
    hosts = [f"{ORIGIN}:{port}" for port in range(20000, 20009)]
    lines = "".join(host_lines("SECOND", host) for host in hosts)
    entity_ids = " ".join(f"{host}/saml/metadata" for host in hosts)
    status, printed = judged(make_httpd, entra, f"EntraSAMLSessionsFrom {entity_ids}", outside=lines)
    assert status != 0 and "9 entity IDs are more than 8" in printed, printed


def test_scopes_that_can(make_httpd, entra):
    """Each of the other, one named twice, and ones own."""
    own = f"EntraSAMLSessionsFrom {FIRST}/saml/metadata {OTHER} {OTHER}"
    status, printed = judged(make_httpd, entra, own, own)
    assert status == 0, printed
