# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of accounts goes away and comes back. PostgreSQL: a file that is open does not go away."""

import socket
import tempfile
from pathlib import Path

import pytest

from clock import Clock
from databases import Postgres
from people import USERS
from server import ORIGIN

PAGE = f"{ORIGIN}/page.html"
VHOST = """
    EntraSAMLAccounts waiting-room
    %s
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
"""
TRUSTED = 60


@pytest.fixture(scope="module")
def clock(tools):
    with tempfile.TemporaryDirectory(prefix="es-clock-") as folder:
        Path(folder).chmod(0o755)
        yield Clock(Path(folder))


@pytest.fixture(scope="module")
def database(tools):
    made = Postgres(tools)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def httpd(make_httpd, database, clock):
    httpd = make_httpd(vhost=VHOST % database.directives, environment=clock.environment)
    httpd.page("page.html", "the page")
    return httpd


@pytest.fixture(autouse=True)
def nobody(httpd, database, clock):
    """Each test begins with no account and the true time."""
    database.clear()
    clock.reset()


@pytest.fixture
def ada(visitor, database):
    """Signed in and approved."""
    visitor.sign_in(PAGE)
    database.run("approve", USERS["ada"].object_id)
    assert visitor.open(PAGE).text == "the page"
    return visitor


def test_sign_ins_fail_and_sessions_wait(httpd, database, clock, ada, make_visitor):
    """Closed: nobody is let in whose account cannot be looked up; all goes on when it can, with no restart of ours."""
    database.stop()
    try:
        newcomer = make_visitor()
        page = newcomer.sign_in(PAGE, "ben")
        httpd.refused(page, "accounts-down")
        assert page.headers["Retry-After"] and newcomer.session is None
        assert ada.open(PAGE).status == 200, "it was trusted for a minute"
        clock.advance(TRUSTED + 1)
        httpd.refused(ada.open(PAGE), "accounts-down")
    finally:
        database.start()
    clock.advance(2)
    assert ada.open(PAGE).text == "the page"
    httpd.refused(newcomer.sign_in(PAGE, "ben"), "account-pending")


def test_a_restart_of_the_database_is_not_noticed(httpd, database, clock, ada):
    for _ in range(3):
        database.stop()
        database.start()
        clock.advance(TRUSTED + 1)
        assert ada.open(PAGE).text == "the page"


def test_sessions_go_on_where_that_is_said(httpd, database, clock, ada, make_visitor):
    """Those that were active; not who waits. A graceful restart changes nothing about it."""
    waiting = make_visitor()
    waiting.sign_in(PAGE, "ben")
    httpd.configure(vhost=VHOST % f"{database.directives}\n EntraSAMLAccountsWhenDown trust")
    httpd.graceful()
    database.stop()
    try:
        clock.advance(TRUSTED + 1)
        assert ada.open(PAGE).text == "the page"
        assert any("warn" in line for line in httpd.log.find("accounts-down")), "somebody must tell"
        httpd.refused(waiting.open(PAGE), "accounts-down")
        httpd.graceful()
        assert ada.open(PAGE).text == "the page"
        httpd.refused(make_visitor().sign_in(PAGE, "nora"), "accounts-down")
    finally:
        database.start()
    database.run("disable", USERS["ada"].object_id)
    clock.advance(TRUSTED + 1)
    httpd.refused(ada.open(PAGE), "account-disabled")


def test_a_row_that_cannot_be_read_is_an_answer(httpd, database, clock, ada):
    """The database is not down when it says something else than active: nobody is trusted on."""
    httpd.configure(vhost=VHOST % f"{database.directives}\n EntraSAMLAccountsWhenDown trust")
    httpd.graceful()
    database.query("ALTER TABLE entra_accounts DROP CONSTRAINT entra_accounts_state_check")
    database.query("UPDATE entra_accounts SET state = 'suspended'")
    clock.advance(TRUSTED + 1)
    httpd.refused(ada.open(PAGE), "accounts-row")
    database.query("UPDATE entra_accounts SET state = 'active'")
    assert ada.open(PAGE).text == "the page"


def test_a_database_that_never_speaks(httpd, database, visitor):
    """It takes connections and says nothing: nobody waits for it for ever, where no limit is said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = f'EntraSAMLAccountsDatabase pgsql "host=127.0.0.1 port={port} dbname=a user=b"'
        httpd.configure(vhost=VHOST % said)
        httpd.graceful()
        httpd.refused(visitor.sign_in(PAGE), "accounts-down")
