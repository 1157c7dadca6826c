# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts in a database: the waiting room, approval and disabling of those who are signed in, many at once."""

import concurrent.futures
import tempfile
from pathlib import Path

import pytest

from clock import Clock
from databases import DATE, KINDS
from people import USERS
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import Visitor

PAGE = f"{ORIGIN}/page.html"
VHOST = """
    EntraSAMLAccounts waiting-room
    %s
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/open">
        AuthType entra-saml
        Require all granted
    </Location>
    <Location "/cgi-bin/env/request">
        AuthType entra-saml
        Require entra-account pending
    </Location>
    <Location "/cgi-bin/env/members">
        AuthType entra-saml
        Require entra-account active
    </Location>
    <Location "/cgi-bin/env/others">
        AuthType entra-saml
        <RequireAll>
            Require not entra-account pending
            Require valid-user
        </RequireAll>
    </Location>
    <Location "/cgi-bin/env/ways">
        AuthType entra-saml
        <RequireAll>
            Require entra-account pending
            Require entra-claim groups:nosuch
        </RequireAll>
        Require valid-user
    </Location>
"""
TRUSTED = 60


@pytest.fixture(scope="module")
def clock(tools):
    with tempfile.TemporaryDirectory(prefix="es-clock-") as folder:
        Path(folder).chmod(0o755)
        yield Clock(Path(folder))


@pytest.fixture(scope="module", params=KINDS)
def database(request, tools):
    made = KINDS[request.param](tools)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def httpd(make_httpd, database, clock):
    mpm = "event" if database.directives else "prefork"
    httpd = make_httpd(vhost=VHOST % database.directives, environment=clock.environment, mpm=mpm)
    httpd.script("env", ENVIRONMENT)
    httpd.page("page.html", "the page")
    httpd.page("open/page.shtml", 'open to <!--#echo var="REMOTE_USER" -->')
    database.serve(httpd)
    return httpd


@pytest.fixture(autouse=True)
def nobody(httpd, database, clock):
    """Each test begins with no account and the true time."""
    database.clear()
    clock.reset()


def subject(user="ada"):
    return USERS[user].object_id


def test_the_waiting_room(httpd, database, visitor):
    """Every protected page shows it; approval lets in at the next request, without another sign-in."""
    page = visitor.sign_in(PAGE)
    httpd.refused(page, "account-pending")
    assert page.url == PAGE and "Waiting for approval" in page.text
    session = visitor.session
    assert session and httpd.log.find("account-pending")
    httpd.refused(visitor.open(f"{ORIGIN}/cgi-bin/env"), "account-pending")
    [again] = page.html.xpath("//a[normalize-space()='Check again']/@href")
    assert again == "/page.html"
    httpd.refused(visitor.open(f"{ORIGIN}/saml/login?return=/page.html"), "account-pending")
    database.run("approve", subject())
    assert visitor.open(PAGE).text == "the page"
    assert visitor.session == session
    assert visitor.open(f"{ORIGIN}/cgi-bin/env/members").status == 200


def test_programs_in_the_waiting_room(httpd, visitor):
    visitor.sign_in(PAGE)
    page = visitor.fetch(PAGE)
    httpd.refused(page, "account-pending")
    assert page.type == "application/json"


def test_who_waits_is_nobody(httpd, visitor):
    """Pages that are open to all are, but without a user; pages for those who wait know him; what excludes them does."""
    visitor.sign_in(PAGE)
    assert visitor.open(f"{ORIGIN}/open/page.shtml").text == "open to (none)"
    page = visitor.open(f"{ORIGIN}/cgi-bin/env/request")
    assert page.status == 200 and page.json["REMOTE_USER"] == USERS["ada"].upn
    httpd.refused(visitor.open(f"{ORIGIN}/cgi-bin/env/members"), "account-pending")
    httpd.refused(visitor.open(f"{ORIGIN}/cgi-bin/env/others"), "account-pending")
    httpd.log.tolerate_denials()


def test_who_waits_is_no_user_of_another_way_in(httpd, database, visitor):
    """What a <RequireAll> that fails had let be seen, `valid-user` beside it does not see."""
    visitor.sign_in(PAGE)
    httpd.refused(visitor.open(f"{ORIGIN}/cgi-bin/env/ways"), "account-pending")
    database.run("approve", subject())
    assert visitor.open(f"{ORIGIN}/cgi-bin/env/ways").status == 200


def test_who_waits_can_sign_out(httpd, visitor):
    page = visitor.sign_in(PAGE)
    [form] = page.forms
    visitor.submit(form, follow=False)
    assert visitor.session is None


def test_the_row(httpd, database, visitor):
    """Key, state, profile, times."""
    visitor.sign_in(PAGE, "zoe")
    zoe = USERS["zoe"]
    row = database.account(zoe.object_id)
    assert row["authority"] == f"tenant:{visitor.entra.tenant.tenant_id}"
    assert (row["state"], row["address"]) == ("pending", "-")
    assert (row["name"], row["email"]) == (zoe.display_name, zoe.mail)
    assert DATE.match(row["created"]) and DATE.match(row["seen"])
    [names] = database.query("SELECT given_name, surname FROM entra_accounts WHERE subject = %s", zoe.object_id)
    assert tuple(names) == (zoe.given_name, zoe.surname)


def test_the_profile_follows_the_claims(httpd, database, visitor, make_visitor):
    visitor.sign_in(PAGE, "ben")
    ben, before = USERS["ben"], database.account(subject("ben"))
    assert before["email"] == "ben@contoso.example"
    changed = {"display_name": ben.display_name, "mail": ben.mail}
    try:
        ben.display_name, ben.mail = "Robert'); DROP TABLE entra_accounts;--", ""
        make_visitor().sign_in(PAGE, "ben")
    finally:
        ben.__dict__.update(changed)
    after = database.account(subject("ben"))
    assert (after["name"], after["email"]) == ("Robert'); DROP TABLE entra_accounts;--", "-")
    assert (after["id"], after["state"]) == (before["id"], "pending")


def test_disabled_is_seen_within_the_time_of_trust(httpd, database, clock, visitor, make_visitor):
    """And is the end of the session; another sign-in is refused."""
    visitor.sign_in(PAGE)
    database.run("approve", subject())
    assert visitor.open(PAGE).status == 200
    database.run("disable", subject())
    clock.advance(TRUSTED - 5)
    assert visitor.open(PAGE).status == 200, "asked again too early"
    clock.advance(6)
    httpd.refused(visitor.open(PAGE), "account-disabled")
    assert visitor.at_entra(visitor.open(PAGE))
    httpd.refused(visitor.sign_in(PAGE), "account-disabled")
    httpd.refused(make_visitor().sign_in(PAGE), "account-disabled")


def test_a_row_that_is_gone_is_made_at_the_next_sign_in(httpd, database, clock, visitor):
    visitor.sign_in(PAGE)
    database.run("remove", subject())
    assert visitor.at_entra(visitor.open(PAGE))
    httpd.refused(visitor.sign_in(PAGE), "account-pending")
    assert database.account(subject())["state"] == "pending"


def test_64_first_sign_ins_at_once_make_one_row(httpd, database, entra):
    visitors = [Visitor(httpd.network, entra) for _ in range(64)]
    forms = [visitor.answer(visitor.ask(PAGE), "nora") for visitor in visitors]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        pages = list(pool.map(lambda visitor, form: visitor.submit(form, follow=False), visitors, forms))
    assert [page.status for page in pages] == [303] * 64
    assert all(visitor.session for visitor in visitors)
    assert database.account(subject("nora"))["state"] == "pending"
    assert len(database.accounts()) == 1


def test_a_database_without_a_table(httpd, database, visitor):
    database.query("ALTER TABLE entra_accounts RENAME TO away")
    try:
        httpd.refused(visitor.sign_in(PAGE), "accounts-fault")
        assert visitor.session is None
    finally:
        database.query("ALTER TABLE away RENAME TO entra_accounts")
    httpd.refused(visitor.sign_in(PAGE), "account-pending")
