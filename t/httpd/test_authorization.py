# SPDX-License-Identifier: GPL-3.0-or-later
"""httpd judges the rules: Require in all its combinations, and 403 for who is signed in but not allowed."""

import pytest

from aging import age_sessions
from entra.users import FINANCE, STAFF
from people import UNKNOWN
from programs import ENVIRONMENT
from server import ORIGIN

ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"

# path: (rules, who gets in, who is refused). Ada: Finance, Staff, Editor; Ben: Staff, Reader; Nora: nothing.
RULES = {
    "valid-user": ("Require valid-user", ["ada", "ben", "nora"], []),
    "user": ("Require user ada@contoso.example zoe@contoso.example", ["ada", "zoe"], ["ben", "nora"]),
    "group": (f"Require claim groups:{FINANCE}", ["ada", "zoe"], ["ben", "nora"]),
    "group-upper": (f"Require claim groups:{FINANCE.upper()}", ["ada"], ["ben"]),
    "role": ("Require claim roles:Editor", ["ada", "zoe"], ["ben", "nora"]),
    "role-case": ("Require claim roles:editor", [], ["ada"]),
    "any-term": (f"Require claim groups:{FINANCE} roles:Reader", ["ada", "ben"], ["nora"]),
    "two-lines": (f"Require claim groups:{FINANCE}\nRequire claim roles:Reader", ["ada", "ben"], ["nora"]),
    "regex": ("Require claim emailaddress~@contoso\\.example$", ["ada", "ben"], ["gus", "nora"]),
    "regex-free": ("Require claim displayname~Love", ["ada"], ["ben"]),
    "regex-anchored": ("Require claim roles~^(Edit|Writ)or$", ["ada", "zoe"], ["ben"]),
    "full-name": (f"Require claim {ROLE}:Editor", ["ada"], ["ben"]),
    "derived": ("Require claim employee_type_of:permanent", ["ada", "ben"], ["nora"]),
    "unknown-full": (f"Require claim {UNKNOWN}:permanent", ["ada"], ["nora"]),
    "second-value": ('Require claim "groups:Sales & Marketing"', ["zoe"], ["ada"]),
    "awkward-value": ("Require claim 'groups:CONTOSO\\Finance; Audit'", ["zoe"], ["ada"]),
    "expression": ('Require expr "%{REMOTE_USER} =~ /^(ada|nora)@/"', ["ada", "nora"], []),
    "own-name": ("Require entra-claim roles:Editor", ["ada"], ["ben"]),
    "all": (
        f"<RequireAll>\nRequire claim groups:{STAFF}\nRequire claim roles:Editor\n</RequireAll>",
        ["ada"],
        ["ben", "zoe", "nora"],
    ),
    "not": (
        "<RequireAll>\nRequire valid-user\nRequire not claim roles:Reader\n</RequireAll>",
        ["ada", "nora"],
        ["ben", "zoe"],
    ),
    "none": (
        "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire claim roles:Editor\n"
        "Require user nora@contoso.example\n</RequireNone>\n</RequireAll>",
        ["ben"],
        ["ada", "nora"],
    ),
    "ip-or-claim": ("<RequireAny>\nRequire ip 192.0.2.1\nRequire claim roles:Editor\n</RequireAny>", ["ada"], ["ben"]),
    "ip-and-claim": ("<RequireAll>\nRequire ip 127.0.0.1\nRequire claim roles:Editor\n</RequireAll>", ["ada"], ["ben"]),
}

VHOST = "\n".join(
    f'<Location "/cgi-bin/env/{path}">\nAuthType entra-saml\n{rules}\n</Location>'
    for path, (rules, _, _) in RULES.items()
)
SPECIAL = """
    <Location "/cgi-bin/env/any-ip">
        AuthType entra-saml
        <RequireAny>
            Require ip 127.0.0.1
            Require claim roles:Editor
        </RequireAny>
    </Location>
    <Location "/cgi-bin/env/aware">
        AuthType entra-saml
        Require all granted
    </Location>
    <Location "/cgi-bin/env/nobody">
        AuthType entra-saml
        Require all denied
    </Location>
    <Location "/cgi-bin/env/foreign">
        AuthType entra-saml
        <RequireAll>
            Require ip 192.0.2.1
            Require valid-user
        </RequireAll>
    </Location>
    <Location "/cgi-bin/env/satisfy-any">
        AuthType entra-saml
        Require claim roles:Editor
        Satisfy any
        Order deny,allow
        Deny from all
        Allow from 127.0.0.1
    </Location>
    <Location "/cgi-bin/env/satisfy-any-elsewhere">
        AuthType entra-saml
        Require claim roles:Editor
        Satisfy any
        Order deny,allow
        Deny from all
        Allow from 192.0.2.1
    </Location>
    <Directory "${ROOT}/htdocs/merged">
        AuthType entra-saml
        Require claim roles:Editor
    </Directory>
    <Directory "${ROOT}/htdocs/merged/and">
        AuthMerging And
        Require user ada@contoso.example
    </Directory>
    <Directory "${ROOT}/htdocs/merged/or">
        AuthMerging Or
        Require user ben@contoso.example
    </Directory>
    <Directory "${ROOT}/htdocs/merged/off">
        Require user nora@contoso.example
    </Directory>
    <If "%{REQUEST_URI} =~ m#^/cgi-bin/env/if/#">
        AuthType entra-saml
        Require claim roles:Editor
    </If>
    <Location "/cgi-bin/env/posts">
        AuthType entra-saml
        <Limit POST>
            Require valid-user
        </Limit>
        <LimitExcept POST>
            Require all granted
        </LimitExcept>
    </Location>
    RewriteEngine on
    RewriteCond %{LA-U:REMOTE_USER} ^ada
    RewriteRule ^/cgi-bin/env/who$ /cgi-bin/env/valid-user/ada [PT]
    RewriteCond %{LA-U:ENV:ENTRA_ROLES} Reader
    RewriteRule ^/cgi-bin/env/who$ /cgi-bin/env/valid-user/reader [PT]
    <Location "/cgi-bin/env/who">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Directory "${ROOT}/htdocs/local">
        AuthType entra-saml
        Require valid-user
    </Directory>
"""


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd):
    httpd = make_httpd(vhost=VHOST + SPECIAL, mpm=request.param)
    httpd.script("env", ENVIRONMENT)
    for folder in ("local", "local/editors", "local/broken", "merged", "merged/and", "merged/or", "merged/off"):
        httpd.page(f"{folder}/page.html", "PROTECTED page")
    httpd.page("local/editors/.htaccess", "Require claim roles:Editor\n")
    httpd.page("local/broken/.htaccess", "Require claim roles~(\n")
    return httpd


@pytest.fixture
def people(make_visitor):
    """people("ben") is Ben's browser, signed in."""
    signed_in = {}

    def person(name):
        if name not in signed_in:
            signed_in[name] = make_visitor()
            arrived = signed_in[name].sign_in(url("valid-user"), name)
            assert arrived.status == 200
        return signed_in[name]

    return person


def url(path):
    return f"{ORIGIN}/cgi-bin/env/{path}"


@pytest.mark.parametrize("path", RULES)
def test_rules(httpd, people, path):
    rules, let_in, refused = RULES[path]
    for name in let_in:
        page = people(name).open(url(path))
        assert page.status == 200, f"{name} is not let in by: {rules}"
        assert page.json["REMOTE_USER"]
    for name in refused:
        page = people(name).open(url(path))
        assert page.status == 403, f"{page.status} for {name} by: {rules}"
    httpd.log.tolerate_denials()


@pytest.mark.parametrize("path", RULES)
def test_strangers_are_sent_to_entra(visitor, path):
    assert visitor.at_entra(visitor.open(url(path)))


def test_a_denied_user_gets_403_and_the_log_says_why(httpd, people):
    """Row 36: no 401, no redirect, no loop; the log names the rule that failed, the page what to do."""
    ben = people("ben")
    page = ben.open(url("role"), follow=False)
    httpd.refused(page, "access-denied")
    assert page.location is None and page.cookies() == []
    [line] = httpd.log.find("access-denied")
    assert "ben@contoso.example" in line
    assert "roles" in " ".join(httpd.log.new())
    assert ben.open(url("valid-user")).status == 200, "the session is still there"
    httpd.log.tolerate_denials()


def test_an_expression_about_the_user_that_fails(httpd, people):
    """Row 36: mod_authz_core answers a false expression about REMOTE_USER with "needs a user". To sign in as the same
    user again would change nothing: whoever just did gets 403, not another round."""
    ben = people("ben")
    page = ben.open(url("expression"))
    for _ in range(3):
        if not ben.at_entra(page):
            break
        page = ben.submit(ben.answer(page, "ben"))
    assert page.status == 403
    httpd.log.tolerate_denials()


def test_a_denied_user_of_long_standing(httpd, people):
    """Row 36: also who signed in long ago gets 403 at once; only where a rule itself asks for a fresh sign-in, as that
    expression does, there is one round to Entra, and one only."""
    ben = people("ben")
    age_sessions(httpd, 600)
    httpd.refused(ben.open(url("role"), follow=False), "access-denied")
    asked = ben.ask(url("expression"))
    assert ben.submit(ben.answer(asked, "ben")).status == 403
    httpd.log.tolerate_denials()


def test_a_denied_program_gets_403(httpd, people):
    page = people("ben").fetch(url("role"))
    httpd.refused(page, "access-denied")
    assert page.type == "application/json" and "sign_in" not in page.json
    httpd.log.tolerate_denials()


def test_require_ip_needs_nobody(visitor):
    """Row 35: RequireAny with a rule that is met without a user does not redirect…"""
    page = visitor.open(url("any-ip"))
    assert page.status == 200 and "REMOTE_USER" not in page.json


def test_require_ip_keeps_the_identity(people):
    """Row 35: … and whoever is signed in stays known, also where the rule did not need him."""
    for name in ("ada", "ben"):
        seen = people(name).open(url("any-ip")).json
        assert seen["REMOTE_USER"] == f"{name}@contoso.example" and seen["ENTRA_GIVENNAME"]


def test_all_granted_is_aware(visitor, people):
    """Anonymous visitors come in as such, signed-in ones are known: there is no mode to learn."""
    assert "REMOTE_USER" not in visitor.open(url("aware")).json
    assert people("ada").open(url("aware")).json["ENTRA_ROLES"] == "Editor"


def test_all_denied_is_denied(httpd, visitor, people):
    """Nobody is sent to sign in where signing in would not help."""
    for someone in (visitor, people("ada")):
        assert someone.open(url("nobody"), follow=False).status == 403
    httpd.log.tolerate_denials()


def test_a_foreign_address_is_denied_before_anybody_signs_in(httpd, visitor, people):
    for someone in (visitor, people("ada")):
        page = someone.open(url("foreign"), follow=False)
        assert page.status == 403 and page.location is None
    httpd.log.tolerate_denials()


def test_satisfy_any(visitor, people, httpd):
    """The old directives of httpd 2.2: the address suffices, and the identity stays."""
    assert "REMOTE_USER" not in visitor.open(url("satisfy-any")).json
    assert people("ben").open(url("satisfy-any")).json["REMOTE_USER"] == "ben@contoso.example"
    assert visitor.at_entra(visitor.open(url("satisfy-any-elsewhere")))
    assert people("ada").open(url("satisfy-any-elsewhere")).status == 200
    assert people("ben").open(url("satisfy-any-elsewhere")).status == 403
    httpd.log.tolerate_denials()


def test_auth_merging(httpd, people):
    """Folders within a folder, with AuthMerging And, Or, and Off, the default."""

    def let_in(path):
        page = f"{ORIGIN}/merged{path}/page.html"
        everybody = {name: people(name).open(page) for name in ("ada", "ben", "nora", "zoe")}
        assert {page.status for page in everybody.values()} <= {200, 403}
        return {name for name, page in everybody.items() if page.status == 200}

    assert let_in("") == {"ada", "zoe"}
    assert let_in("/and") == {"ada"}
    assert let_in("/or") == {"ada", "ben", "zoe"}
    assert let_in("/off") == {"nora"}
    httpd.log.tolerate_denials()


@pytest.mark.parametrize("path", ["", "/and", "/or", "/off"])
def test_merged_rules_need_a_user_all_the_same(visitor, path):
    assert visitor.at_entra(visitor.open(f"{ORIGIN}/merged{path}/page.html"))


def test_if_sections(httpd, visitor, people):
    assert visitor.at_entra(visitor.open(url("if/x")))
    assert people("ada").open(url("if/x")).status == 200
    assert people("ben").open(url("if/x")).status == 403
    httpd.log.tolerate_denials()


def test_rules_for_some_methods(visitor, people):
    assert visitor.open(url("posts")).status == 200
    assert visitor.fetch(url("posts"), method="POST", body=b"").status == 401
    assert people("ben").fetch(url("posts"), method="POST", body=b"").status == 200


def test_rewriting_by_who_it_is(visitor, people):
    """mod_rewrite's look-ahead asks by a subrequest: it learns the user, and starts no sign-in by itself."""
    assert people("ada").open(url("who")).json["PATH_INFO"] == "/valid-user/ada"
    assert people("ben").open(url("who")).json["PATH_INFO"] == "/valid-user/reader"
    asked = visitor.open(url("who"))
    assert visitor.at_entra(asked) and len(asked.cookies()) == 1


def test_htaccess_may_require_claims(httpd, people):
    assert people("ada").open(f"{ORIGIN}/local/editors/page.html").text == "PROTECTED page"
    assert people("ben").open(f"{ORIGIN}/local/editors/page.html").status == 403
    assert people("ben").open(f"{ORIGIN}/local/page.html").text == "PROTECTED page"
    httpd.log.tolerate_denials()


def test_a_bad_regex_in_htaccess_is_500_with_its_reason(httpd, people):
    """It cannot be found by httpd -t; it must not let anybody in either."""
    page = people("ada").open(f"{ORIGIN}/local/broken/page.html")
    assert page.status == 500 and "PROTECTED" not in page.text
    assert httpd.log.find("config-regex")
    httpd.expect("config-regex")


def test_claims_are_judged_at_every_request(people, httpd):
    """A session that got in by one rule does not open another section."""
    ada = people("ada")
    assert ada.open(url("group")).status == 200
    assert ada.open(url("not")).status == 200
    assert ada.open(url("none")).status == 403
    httpd.log.tolerate_denials()
