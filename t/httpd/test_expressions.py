# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims where httpd evaluates things: the function entra_claim in whatever takes an expression, and logs.

Ada is in Finance and Staff and an Editor, Ben in Staff and a Reader, Zoe's names and groups hold what needs escapes.
"""

import pytest

from entra.users import FINANCE, STAFF
from people import COST_CENTRE, UNKNOWN
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import Visitor

ENV = f"{ORIGIN}/cgi-bin/env"
IS_EDITOR = "'Editor' in entra_claim('roles')"

VHOST = f"""
    EntraSAMLGroup Finance {FINANCE}
    EntraSAMLGroup Staff {STAFF}
    EntraSAMLClaim {COST_CENTRE} costcentre
    LogFormat "%m %<U%<q|%{{surname}}^EC|%{{groups}}^EC|%{{group_names}}^EC|%{{no_such}}^EC|%{{ENTRA_SURNAME}}e|%<{{surname}}^EC|%{{displayname}}^EC" claims
    CustomLog "${{ROOT}}/claims.log" claims
    CustomLog "${{ROOT}}/editors.log" "%<U%<q" "expr={IS_EDITOR}"
    ErrorDocument 404 /open/env
    ErrorDocument 410 /cgi-bin/env/error
    ScriptAlias "/open/" "${{ROOT}}/cgi-bin/"
    AliasMatch "^/early/" "${{ROOT}}/cgi-bin/env"
    RewriteEngine on
    RewriteCond expr "{IS_EDITOR}"
    RewriteRule ^/early/ - [E=EARLY:editor]
    <LocationMatch "^/(cgi-bin|early|page)">
        AuthType entra-saml
        Require valid-user
    </LocationMatch>
    <Location "/cgi-bin/env">
        SetEnvIfExpr "{IS_EDITOR}" SET=editor
        Header set X-Surname "expr=%{{entra_claim:surname}}"
        RequestHeader set X-Groups "expr=%{{entra_claim:groups}}"
        LogMessage "says %{{entra_claim:surname}}" hook=fixups "expr={IS_EDITOR}"
        RewriteEngine on
        RewriteCond expr "{IS_EDITOR}"
        RewriteRule ^ - [E=REWRITTEN:editor]
        RewriteCond "%{{ENV:ENTRA_ROLES}}" "!^Editor$"
        RewriteRule ^ - [E=OTHER:yes]
    </Location>
    <Location "/early">
        <If "{IS_EDITOR}">
            SetEnv IF editor
        </If>
    </Location>
    <Directory "${{ROOT}}/htdocs/page">
        RewriteEngine on
        RewriteRule ^onwards$ /cgi-bin/env
    </Directory>
    <Location "/gone">
        Redirect gone "/gone"
    </Location>
"""

# What an expression says of ada, ben and nora; and of anybody who is not signed in, for whom it is never true.
EXPRESSIONS = {
    "in": (IS_EDITOR, {"ada"}),
    "string": ("entra_claim('roles') == 'Editor'", {"ada"}),
    "variable form": ("%{entra_claim:roles} == 'Editor'", {"ada"}),
    "capitals": ("'Editor' in ENTRA_Claim('roles')", {"ada"}),
    "one of several": (f"'{STAFF}' in entra_claim('groups')", {"ada", "ben"}),
    "joined": (f"entra_claim('groups') == '{FINANCE};{STAFF}'", {"ada"}),
    "regex": ("%{entra_claim:roles} =~ /^(Edit|Read)/", {"ada", "ben"}),
    "full name": ("'Reader' in entra_claim('http://schemas.microsoft.com/ws/2008/06/identity/claims/role')", {"ben"}),
    "alias": ("entra_claim('costcentre') == 'Analysis'", {"ada"}),
    "full name of an alias": (f"entra_claim('{COST_CENTRE}') == 'Analysis'", {"ada"}),
    "derived": ("'full; time' in entra_claim('employee_type_of')", {"ada", "ben"}),
    "full name unknown": (f"'full; time' in entra_claim('{UNKNOWN}')", {"ada", "ben"}),
    "escaped": (r"entra_claim('employee_type_of') == 'permanent;full\\; time'", {"ada", "ben"}),
    "group names": ("'Finance' in entra_claim('group_names')", {"ada"}),
    "group names joined": ("entra_claim('group_names') == 'Finance;Staff'", {"ada"}),
    "present": ("-n entra_claim('groups')", {"ada", "ben"}),
    "overage": ("entra_claim('groups_overage') == '1'", set()),
    "name by a variable": ("'Editor' in entra_claim(%{env:NAME_OF_IT})", {"ada"}),
    "odd name by a variable": ("-n entra_claim(%{env:ODD_NAME})", set()),
    "no such claim": ("-n entra_claim('no_such')", set()),
}
RULES = "\n".join(
    f'<Location "/cgi-bin/env/rule-{number}">\nRequire expr "{expression}"\n</Location>'
    for number, (expression, _) in enumerate(EXPRESSIONS.values())
)


@pytest.fixture(scope="module")
def httpd(make_httpd, tools):
    httpd = make_httpd(
        server=f'LoadModule log_debug_module "{tools.libexec}/mod_log_debug.so"\nLogLevel log_debug:info',
        vhost=f'SetEnvIf Host . NAME_OF_IT=roles "ODD_NAME= x y"\n{VHOST}{RULES}',
    )
    httpd.script("env", ENVIRONMENT)
    httpd.page("page.shtml", '<!--#include virtual="/cgi-bin/env" -->')
    httpd.page("page/x.shtml", f'<!--#if expr="{IS_EDITOR}" -->editor<!--#else -->nobody<!--#endif -->')
    return httpd


@pytest.fixture(scope="module")
def people(httpd, entra):
    signed_in = {}
    for name in ("ada", "ben", "nora", "zoe"):
        signed_in[name] = Visitor(httpd.network, entra)
        signed_in[name].sign_in(ENV, name)
    return signed_in


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_rule(httpd, people, make_visitor, name):
    """Who is not signed in is asked to, and nobody else gets in."""
    expression, let_in = EXPRESSIONS[name]
    httpd.log.tolerate_denials()
    url = f"{ENV}/rule-{list(EXPRESSIONS).index(name)}"
    allowed = {person for person in ("ada", "ben", "nora") if people[person].open(url).status == 200}
    assert allowed == let_in, expression
    stranger = make_visitor()
    assert stranger.at_entra(stranger.open(url)) and stranger.fetch(url).status == 401
    for person in {"ada", "ben", "nora"} - let_in:
        assert people[person].open(url).status == 403


def test_a_rule_of_the_whole_host(make_httpd, entra):
    """The endpoints stay open for who has yet to sign in, but to none whom another rule denies."""
    httpd = make_httpd(
        vhost=f"""
        <Location "/">
            AuthType entra-saml
            <RequireAll>
                Require expr "%{{QUERY_STRING}} != 'denied'"
                Require valid-user
                Require expr "{IS_EDITOR}"
            </RequireAll>
        </Location>"""
    )
    httpd.script("env", ENVIRONMENT)
    httpd.log.tolerate_denials()
    ada, ben = (Visitor(httpd.network, entra) for _ in range(2))
    assert ada.open(f"{ORIGIN}/saml/metadata").status == 200 and ada.open(f"{ORIGIN}/saml/metadata?denied").status == 403
    assert ada.fetch(f"{ORIGIN}/saml/session").status == 401
    assert ada.sign_in(ENV).json["REMOTE_USER"] == "ada@contoso.example" and ada.fetch(f"{ORIGIN}/saml/session").status == 200
    assert ben.sign_in(ENV, "ben").status == 403


def test_what_variables_are_made_of_it(httpd, people):
    """SetEnvIfExpr and <If> come before authorization, rewrite rules of a virtual host before everything."""
    ada, ben = (people[name].open(ENV) for name in ("ada", "ben"))
    assert {name: ada.json.get(name) for name in ("SET", "REWRITTEN", "OTHER")} == {"SET": "editor", "REWRITTEN": "editor", "OTHER": None}
    assert {name: ben.json.get(name) for name in ("SET", "REWRITTEN", "OTHER")} == {"SET": None, "REWRITTEN": None, "OTHER": "yes"}
    assert (ada.headers["X-Surname"], ada.json["HTTP_X_GROUPS"]) == ("Lovelace", f"{FINANCE};{STAFF}")
    assert len([line for line in httpd.log.new() if "says Lovelace" in line]) == 1
    assert not [line for line in httpd.log.new() if "says Okafor" in line]
    ada, ben = (people[name].open(f"{ORIGIN}/early/x").json for name in ("ada", "ben"))
    assert (ada["EARLY"], ada["IF"]) == ("editor", "editor") and not {"EARLY", "IF"} & set(ben)


def test_in_headers_values_stay_as_they_are(people):
    """As the environment has them: UTF-8, no control characters, escapes between values only."""
    zoe = people["zoe"]
    page = zoe.open(ENV)
    assert page.headers["X-Surname"].encode("latin-1").decode() == zoe.entra.users["zoe"].surname.replace("\\", r"\\").replace(";", r"\;")
    assert page.json["HTTP_X_GROUPS"] == page.json["ENTRA_GROUPS"]


def test_subrequests_and_where_there_is_no_session(httpd, people, make_visitor):
    """mod_include's conditions and the programs it runs; a place that is not ours; a stranger; another virtual host."""
    ada, ben, stranger = people["ada"], people["ben"], make_visitor()
    assert (ada.open(f"{ORIGIN}/page/x.shtml").text, ben.open(f"{ORIGIN}/page/x.shtml").text) == ("editor", "nobody")
    assert ada.open(f"{ORIGIN}/page.shtml").json["REWRITTEN"] == "editor"
    assert ada.open(f"{ORIGIN}/gone").json["REWRITTEN"] == "editor", "an error document in a section of ours"
    assert ada.open(f"{ORIGIN}/page/onwards").json["REWRITTEN"] == "editor", "an internal redirect"
    assert "REWRITTEN" not in ben.open(f"{ORIGIN}/page/onwards").json
    for visitor in (ada, stranger):
        seen = visitor.open(f"{ORIGIN}/open/env").json
        assert not {"SET", "REWRITTEN", "EARLY"} & set(seen)
        assert visitor.open(f"{ORIGIN}/no-such-page").status == 404


def read(log, httpd, count=1):
    """The log's lines once it has so many, split, by what was asked for. They come when the answer has long been read."""
    lines = []

    def have():
        lines[:] = [line.split("|") for line in log.read_text("utf-8").splitlines() if "logged" in line]
        return len(lines) >= count

    assert httpd.wait(have)
    return {line[0]: line[1:] for line in lines}


def test_logs(httpd, people, make_visitor):
    """Escaped by the log's rules, however a request went on; nothing of whoever is not signed in there."""
    httpd.log.tolerate_denials()
    zoe, ada, ben, stranger = people["zoe"], people["ada"], people["ben"], make_visitor()
    zoe.open(f"{ENV}?logged=zoe")
    ada.open(f"{ENV}?logged=ada")
    ben.open(f"{ENV}/rule-0?logged=denied")
    stranger.open(f"{ENV}?logged=stranger")
    ada.open(f"{ORIGIN}/open/env?logged")
    ada.open(f"{ORIGIN}/page/no-such-page?logged")
    ben.open(f"{ORIGIN}/gone?logged")
    ada.open(f"{ORIGIN}/saml/metadata?logged")
    lines = read(httpd.root / "claims.log", httpd, 8)
    surname = r"\xc3\x85ngstr\xc3\xb6m\\; n\xc3\xa9e Brown\\\\Gr\xc3\xbcn"
    seen = lines["GET /cgi-bin/env?logged=zoe"]
    assert seen[0] == seen[4] == seen[5] == surname and r"Zo\xc3\xab \"Zo\" <R&D>" in seen[6]
    seen = lines["GET /cgi-bin/env?logged=ada"]
    assert seen == ["Lovelace", f"{FINANCE};{STAFF}", "Finance;Staff", "-", "Lovelace", "Lovelace", "Ada Lovelace"]
    assert lines["GET /cgi-bin/env/rule-0?logged=denied"][:2] == ["Okafor", STAFF], "who is denied is known"
    for nobody in ("/cgi-bin/env?logged=stranger", "/open/env?logged", "/saml/metadata?logged"):
        assert lines[f"GET {nobody}"] == ["-"] * 7
    seen = lines["GET /page/no-such-page?logged"]
    assert (seen[0], seen[4], seen[5]) == ("Lovelace", "-", "Lovelace"), "the error page is in an open place"
    seen = lines["GET /gone?logged"]
    assert (seen[0], seen[4], seen[5]) == ("Okafor", "Okafor", "-"), "the error page is in one of ours"
    assert set(read(httpd.root / "editors.log", httpd, 3)) == {
        "/cgi-bin/env?logged=ada", "/cgi-bin/env?logged=zoe", "/page/no-such-page?logged"
    }


@pytest.mark.parametrize(
    "line, told",
    [
        ("SetEnvIfExpr \"entra_claim('') == 'x'\" A=b", "entra_claim('') names no claim"),
        ("SetEnvIfExpr \"'x' in entra_claim('two words')\" A=b", "entra_claim('two words') is not the name of a claim"),
        ('Header set X "expr=%{entra_claim:two words}"', "entra_claim('two words') is not the name of a claim"),
        ("SetEnvIfExpr \"'x' in entra_claims('roles')\" A=b", "entra_claims"),
        ('SetEnvIfExpr "%{entra_claim} == 1" A=b', "entra_claim"),
    ],
    ids=["empty", "list", "string", "another function", "no argument"],
)
def test_what_is_no_claim_fails_the_configuration(make_httpd, line, told):
    status, printed = make_httpd(start=False, vhost=line).configtest()
    assert status != 0 and told in printed, printed


def test_without_a_site(make_httpd):
    """In a virtual host without Entra nobody is anybody."""
    condition = f'SetEnvIfExpr "{IS_EDITOR}" SET=editor\nHeader set X "expr=<%{{entra_claim:roles}}>"\nLogFormat "logged|%{{roles}}^EC" x\nCustomLog "${{ROOT}}/x.log" x'
    httpd = make_httpd(entra="", vhost=condition)
    httpd.script("env", ENVIRONMENT)
    page = httpd.browser().open(ENV)
    assert "SET" not in page.json and page.headers["X"] == "<>"
    assert read(httpd.root / "x.log", httpd) == {"logged": ["-"]}


def test_log_format_without_mod_log_config(make_httpd):
    """The function does not need the log."""
    httpd = make_httpd(without=("log_config",), vhost=f"<Location />\nAuthType entra-saml\nRequire expr \"{IS_EDITOR}\"\n</Location>")
    httpd.script("env", ENVIRONMENT)
    assert httpd.browser().fetch(ENV).status == 401
    httpd.log.tolerate_denials()
