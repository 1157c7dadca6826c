# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 36: what the log says of a denial. Each rule of ours that was against the user, by what it asks and how much he has of
it; what he has is told at trace level and nowhere else. Row 37: expressions are compiled with the configuration."""

import re

import pytest

from entra.users import FINANCE, STAFF
from people import USERS
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import Visitor

# section: (rules, what the log says of Zoe's denial). Zoe: three groups, Reader and Editor, a password only.
SECTIONS = {
    "absent": ("Require claim upn:x", ["claim upn:x: claim upn is absent"]),
    "several": (
        "Require claim roles:Owner groups:x",
        ["claim roles:Owner groups:x: none of 2 values of claim roles matches, none of 3 values of claim groups matches"],
    ),
    "lines": (
        "Require claim roles:Owner\nRequire entra-mfa\nRequire claim tenantid~^x",
        [
            "claim roles:Owner: none of 2 values of claim roles matches",
            "entra-mfa: none of 1 value of claim authnmethodsreferences says multi-factor",
            "claim tenantid~^x: none of 1 value of claim tenantid matches",
        ],
    ),
    "not": (
        "<RequireAll>\nRequire valid-user\nRequire not claim roles:Reader\n</RequireAll>",
        ["not claim roles:Reader: one of 2 values of claim roles matches"],
    ),
    "none": (
        "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire claim roles:Owner\nRequire claim roles:Editor\n"
        "</RequireNone>\n</RequireAll>",
        ["claim roles:Editor: one of 2 values of claim roles matches"],
    ),
    "alias": ("Require owners", ["claim roles:Owner: none of 2 values of claim roles matches"]),
    "own-name": ("Require entra-claim roles:Owner", ["entra-claim roles:Owner: none of 2 values of claim roles matches"]),
    "many": (
        "\n".join(f"Require claim roles:Role{number}" for number in range(11)),
        [f"claim roles:Role{number}: none of 2 values" for number in range(8)] + ["and 3 more"],
    ),
    "others": ("Require user ada@contoso.example", ["none of ours was against it"]),
    "partly": (
        "<RequireAll>\n<RequireAny>\nRequire claim roles:Owner\nRequire claim roles:Editor\n</RequireAny>\n"
        "Require user ada@contoso.example\n</RequireAll>",
        ["claim roles:Owner: none of 2 values of claim roles matches"],
    ),
}
# What she has. Her name in REMOTE_USER is no secret in the log.
VALUES = [
    "Editor;Reader", "Reader;Editor", FINANCE, STAFF, "Sales", "Finance; Audit", USERS["zoe"].object_id, "ngstr", "R&D", "Zo",
    "authenticationmethod/password", "62e90394",
]
SERVER = '<AuthzProviderAlias claim owners "roles:Owner">\n</AuthzProviderAlias>\n'
VHOST = "\n".join(
    f'<Location "/cgi-bin/env/{path}">\nAuthType entra-saml\n{rules}\n</Location>'
    for path, (rules, _) in {**SECTIONS, "in": ("Require valid-user", [])}.items()
)
HTACCESS = """
    <Directory "${ROOT}/htdocs/local">
        AuthType entra-saml
        Require valid-user
    </Directory>
"""
# file: (its text, the reason in the log)
BROKEN = {
    "regex": ("Require claim roles~(\n", 'config-regex: Require: regex "(" of claim roles does not compile: '),
    "negated": ("<RequireAll>\nRequire valid-user\nRequire not claim roles~[z-a]\n</RequireAll>\n", "config-regex: "),
    "term": ("Require claim Editor\n", 'config-rule: Require: "Editor" is neither name:value nor name~regex'),
    "quote": ('Require claim "roles:Editor\n', "config-rule: Require: a quotation mark is not closed"),
    "age": ("Require entra-authn-age never\n", "config-time: Require: "),
    "mfa": ("Require entra-mfa please\n", "config-rule: Require: "),
}
GOOD = {
    "claim": ("Require claim roles:Editor\n", {"ada", "zoe"}),
    "regex": ("Require claim roles~^(?i)EDIT\n", {"ada", "zoe"}),
    "mfa": ("Require entra-mfa\n", {"ada"}),
    "age": ("Require entra-authn-age 1h\n", {"ada", "ben", "zoe"}),
    "both": ("AuthMerging And\n<RequireAny>\nRequire entra-mfa\nRequire claim roles:Reader\n</RequireAny>\n", {"ada", "ben", "zoe"}),
}


@pytest.fixture(scope="module", params=["debug", "trace1"])
def level(request):
    return request.param


@pytest.fixture(scope="module")
def httpd(make_httpd, level):
    httpd = make_httpd(server=f"{SERVER}LogLevel notice entra_saml:{level}", vhost=VHOST + HTACCESS)
    httpd.script("env", ENVIRONMENT)
    for kind, files in (("broken", BROKEN), ("good", GOOD)):
        for name, (text, _) in files.items():
            httpd.page(f"local/{kind}-{name}/page.txt", "let in")
            httpd.page(f"local/{kind}-{name}/.htaccess", text)
    return httpd


@pytest.fixture(scope="module")
def people(httpd, entra):
    signed_in = {}
    for user in ("ada", "ben", "zoe"):
        signed_in[user] = Visitor(httpd.network, entra)
        assert signed_in[user].sign_in(url("in"), user).status == 200
    return signed_in


@pytest.fixture(autouse=True)
def quiet(httpd, people):
    httpd.log.tolerate_denials()


def url(path):
    return f"{ORIGIN}/cgi-bin/env/{path}"


@pytest.mark.parametrize("path", SECTIONS)
def test_the_log_names_each_rule_that_was_against_the_user(httpd, people, path):
    httpd.refused(people["zoe"].open(url(path)), "access-denied")
    [line] = httpd.log.find("access-denied")
    said = re.search(r"lets the user see \S+; (.*)\. No Require line", line)[1].split("; ")
    assert len(said) == len(SECTIONS[path][1])
    for found, wanted in zip(said, SECTIONS[path][1]):
        assert found.startswith(wanted)


def test_values_are_logged_at_trace_level_alone(httpd, people, level):
    """Whoever collects logs for the day's work collects nobody's groups."""
    for path in SECTIONS:
        people["zoe"].open(url(path))
    lines = [line for line in httpd.log.new() if "entra_saml:" in line]
    told = [line for line in lines if any(value in line for value in VALUES)]
    assert len(lines) >= len(SECTIONS)
    if level == "trace1":
        assert [line for line in told if "claim roles:Owner groups:x: roles=Reader;Editor groups=" in line]
        assert [line for line in told if "entra-mfa: http://schemas.microsoft.com/ws/" in line]
    assert not [line for line in told if ":trace" not in line]
    assert bool(told) == (level == "trace1")


def test_nothing_is_said_of_who_gets_in(httpd, people):
    """Alternatives that fail are no news."""
    people["ada"].open(url("own-name"))
    people["ada"].open(f"{ORIGIN}/local/good-both/page.txt")
    assert len(httpd.log.find("access-denied")) == 1


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_line_in_htaccess_is_500_with_its_reason(httpd, people, name):
    """Row 37: for everybody, whether it would have been judged or not."""
    _, reason = BROKEN[name]
    for user in ("ada", "ben"):
        page = people[user].open(f"{ORIGIN}/local/broken-{name}/page.txt")
        assert page.status == 500 and "let in" not in page.text
    assert f"reason={reason}" in "\n".join(httpd.log.new())
    httpd.expect(reason.partition(":")[0], 2)


@pytest.mark.parametrize("name", GOOD)
def test_htaccess_may_have_every_line(httpd, people, name):
    let_in = {user for user in people if people[user].open(f"{ORIGIN}/local/good-{name}/page.txt").status == 200}
    assert let_in == GOOD[name][1]
