# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts that exist before their owners come: by object id, by address, in a table of the site's own. And who does not
get them."""

import re

import pytest

from databases import Sqlite
from entra.names import TENANT_ID
from people import USERS
from server import ORIGIN, PROTECTED

PAGE = f"{ORIGIN}/page.html"
VHOST = f"""
    EntraSAMLAccounts existing
    EntraSAMLAccountsMatch emailaddress
    EntraSAMLAccountsDomains contoso.example Fabrikam.Example
    {PROTECTED}
"""
OTHER_CONNECTION = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def database(tools):
    return Sqlite(tools)


@pytest.fixture(scope="module")
def httpd(make_httpd, database):
    httpd = make_httpd(vhost=VHOST)
    httpd.page("page.html", "the page")
    database.serve(httpd)
    return httpd


@pytest.fixture(scope="module")
def connection(database, entra):
    """The id that the command computes is the module's."""
    printed = database.call("connection", entra.tenant.issuer, f"{ORIGIN}/saml/metadata")
    assert re.fullmatch(r"[0-9a-f]{32}\n", printed)
    return printed.strip()


@pytest.fixture(autouse=True)
def nobody(httpd, database):
    database.clear()


@pytest.fixture
def change(monkeypatch):
    """Change what the directory says of a user, for this test."""
    return lambda user, **what: [monkeypatch.setattr(USERS[user], name, value) for name, value in what.items()]


def test_by_object_id(httpd, database, visitor, make_visitor, entra):
    """Guests too: their object is one of this tenant's."""
    httpd.refused(visitor.sign_in(PAGE, "gus"), "account-missing")
    assert visitor.session is None and database.accounts() == []
    database.run("add", "--tenant", entra.tenant.tenant_id.upper(), "--object", USERS["gus"].object_id)
    assert visitor.sign_in(PAGE, "gus").text == "the page"
    httpd.refused(make_visitor().sign_in(PAGE, "ada"), "account-missing")


def test_by_address(httpd, database, connection, visitor, make_visitor, change):
    """The first member who comes with it, and nobody after that."""
    database.run("add", "--connection", connection, "Ada@Contoso.Example")
    assert visitor.sign_in(PAGE).text == "the page"
    [row] = database.accounts()
    assert (row["subject"], row["address"], row["name"]) == (USERS["ada"].object_id, "ada@contoso.example", "Ada Lovelace")
    change("ada", upn="countess@contoso.example", mail="countess@contoso.example")
    assert make_visitor().sign_in(PAGE).text == "the page", "the account is by object id now"
    change("ben", mail="ada@contoso.example")
    httpd.refused(make_visitor().sign_in(PAGE, "ben"), "account-bound")


@pytest.mark.parametrize(
    "user, prepared, claims, code",
    [
        ("gus", "gus@fabrikam.example", {}, "account-guest"),
        ("ben", "ada@contoso.example", {"mail": "ada@contoso.example", "upn": "ben@evil.example"}, "account-unverified"),
        ("ben", "ben@evil.example", {"mail": "ben@evil.example"}, "account-domain"),
        ("ben", "ben@sub.contoso.example", {"mail": "ben@sub.contoso.example"}, "account-domain"),
        ("ben", "ada@contoso.example", {"mail": "\u0430da@contoso.example"}, "account-address"),
        ("ben", "zoe@contoso.example", {"mail": "zo\u00eb@contoso.example"}, "account-address"),
        ("ben", "ada@contoso.example", {"mail": "ada@contoso.example\n"}, "account-address"),
    ],
)
def test_who_does_not_get_it(httpd, database, connection, visitor, change, user, prepared, claims, code):
    database.run("add", "--connection", connection, prepared)
    change(user, **claims)
    httpd.refused(visitor.sign_in(PAGE, user), code)
    [row] = database.accounts()
    assert (row["subject"], visitor.session) == ("-", None)


def test_another_connections_account(httpd, database, connection, visitor):
    database.run("add", "--connection", OTHER_CONNECTION, "ada@contoso.example")
    httpd.refused(visitor.sign_in(PAGE), "account-connection")


def test_two_accounts_for_one_address(httpd, database, connection, visitor):
    """The table does not let it happen for one connection; where letter case is to blame, it is noticed."""
    database.run("add", "--connection", connection, "ada@contoso.example")
    database.run("add", "--connection", connection, "ada@contoso.example", code=1)
    assert visitor.sign_in(PAGE).text == "the page"


def test_a_pending_account_is_not_enough(httpd, database, connection, visitor):
    database.run("add", "--pending", "--connection", connection, "ada@contoso.example")
    httpd.refused(visitor.sign_in(PAGE), "account-pending")
    assert visitor.session is None
    database.run("approve", "ada@contoso.example")
    assert visitor.sign_in(PAGE).text == "the page"


def test_a_tenant_that_claims_to_be_another(httpd, database, visitor):
    """An application with a signing key of its own may map whatever it likes to any claim."""
    other = "97fb2e3d-d978-44e1-bb74-0aa0109189b5"
    database.run("add", "--tenant", other, "--object", USERS["ada"].object_id)

    def forge(facts):
        facts.attributes = [(name, [other] if name == TENANT_ID else values) for name, values in facts.attributes]

    httpd.refused(visitor.sign_in(PAGE, change=forge), "account-tenant")


def test_the_command(httpd, database, connection):
    """What it prints, and how it ends."""
    assert "usage:" in database.call(code=2) and "usage:" in database.call("--help")
    for words in (["accounts"], ["accounts", "burn"], ["accounts", "list", "--colour"], ["accounts", "list", "--driver", "x"]):
        database.call(*words, code=2)
    database.run("approve", code=2)
    database.run("list", "--state", "Active", code=2)
    database.run("add", "ada@contoso.example", code=2)
    database.run("add", "--connection", connection[:31], "ada@contoso.example", code=2)
    database.run("add", "--connection", connection, "zo\u00eb@contoso.example", code=2)
    database.run("add", "--tenant", "x", "--object", USERS["ada"].object_id, code=2)
    assert "nobody is 4711" in database.run("approve", "4711", code=1)
    secret = ["--driver", "pgsql", "--params", "host=/nowhere password=sesame"]
    assert "sesame" not in database.call("accounts", "list", *secret, code=3)
    assert "sesame" not in database.call("accounts", "list", *secret[:3], "host=/nowhere open sesame", code=3)
    params = httpd.root / "params"
    params.write_text(f"{database.file}\n", "utf-8")
    assert database.call("accounts", "list", "--driver", "sqlite3", "--params-file", str(params)).startswith("id\t")
    assert "accounts init" in database.call("accounts", "list", "--driver", "sqlite3", "--params", f"{params}.db", code=3)
    database.run("add", "--connection", connection, "ada@contoso.example")
    database.query("UPDATE entra_accounts SET display_name = %s, email = %s", "\x1b[2J\x9bA\tB", "ben@contoso.example")
    [row] = database.accounts()
    assert row["name"] == "?[2J?A?B"
    database.run("approve", "ben@contoso.example", code=1)  # a profile is what its owner says
    database.run("disable", row["id"])
    assert [account["id"] for account in database.accounts()] == [row["id"]]
    assert database.file.stat().st_mode & 0o777 == 0o600


OWN = """
    EntraSAMLAccounts jit
    EntraSAMLAccountsKey name
    EntraSAMLAccountsDatabase sqlite3 "${ROOT}/state/accounts/own.db"
    EntraSAMLAccountsStatement find "SELECT number, authority, login, NULL, NULL, \\
        CASE barred WHEN 0 THEN 'active' ELSE 'disabled' END FROM members WHERE authority = %s AND login = %s"
    EntraSAMLAccountsStatement create "INSERT INTO members (authority, login, barred, note) SELECT %s, %s, 0, %s || %s || %s"
    EntraSAMLAccountsProfile full_name displayname
    EntraSAMLAccountsStatement profile "UPDATE members SET full_name = %s, last = %s WHERE number = %s"
"""


def test_a_table_of_the_sites_own(httpd, database, visitor, make_visitor, connection):
    """With a claim for a key, and a unique key that refuses the second of two."""
    own = Sqlite(database.tools)
    own.file = database.file.with_name("own.db")
    own.query("CREATE TABLE members (number INTEGER PRIMARY KEY, authority, login, barred, note, full_name, last, UNIQUE (authority, login))")
    own.file.chmod(0o666)
    httpd.configure(vhost=OWN + PROTECTED)
    httpd.graceful()
    try:
        assert visitor.sign_in(PAGE).text == "the page"
        [row] = own.query("SELECT authority, login, full_name FROM members")
        assert row == (f"connection:{connection}", "ada@contoso.example", "Ada Lovelace")
        own.query("UPDATE members SET barred = 1")
        httpd.refused(make_visitor().sign_in(PAGE), "account-disabled")
    finally:
        httpd.configure(vhost=VHOST)
        httpd.graceful()


@pytest.mark.parametrize(
    "line, code",
    [
        ("EntraSAMLAccounts some", "config-value"),
        ("EntraSAMLAccountsDatabase nosql x", "config-accounts"),
        ("EntraSAMLAccountsDatabase sqlite3", "config-accounts"),
        ("EntraSAMLAccountsStatement look 'SELECT 1'", "config-accounts"),
        ("EntraSAMLAccountsStatement find 'SELECT %s'", "config-accounts"),
        ("EntraSAMLAccountsStatement profile 'UPDATE x SET y = %s WHERE z = %s'", "config-accounts"),
        ("EntraSAMLAccountsKey Name", "config-accounts"),
        ("EntraSAMLAccountsMatch 'a b'", "config-accounts"),
        ("EntraSAMLAccountsMatch name", "config-accounts"),
        ("EntraSAMLAccountsDomains *.contoso.example", "config-accounts"),
        ("EntraSAMLAccountsProfile state name", "config-accounts"),
        ("EntraSAMLAccountsProfile \"name = 'x'; --\" name", "config-accounts"),
        ("EntraSAMLAccountsProfile name", "config-accounts"),
        ("EntraSAMLAccountsProfile name name\n EntraSAMLAccountsProfile name upn", "config-accounts"),
        ("EntraSAMLAccountsTrust 2h", "config-time"),
        ("EntraSAMLAccountsWhenDown perhaps", "config-value"),
    ],
)
def test_lines_that_cannot_work(make_httpd, line, code):
    """With file, line and reason, from httpd -t."""
    httpd = make_httpd(start=False, vhost=f"    EntraSAMLAccounts jit\n {line}\n{PROTECTED}")
    status, printed = httpd.configtest()
    assert status != 0 and f"reason={code}" in printed, printed
    assert re.search(rf"line {httpd.line_of(line.splitlines()[-1])} of ", printed), printed


def test_a_rule_that_names_no_state(make_httpd):
    for words in ("", "approved", "active waiting"):
        httpd = make_httpd(start=False, vhost=f'<Location "/">\n AuthType entra-saml\n Require entra-account {words}\n</Location>')
        status, printed = httpd.configtest()
        assert status != 0 and "config-rule" in printed, printed
