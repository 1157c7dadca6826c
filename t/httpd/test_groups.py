# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups: names for their object ids (row 38), and what happens when Entra leaves them out (row 39)."""

import dataclasses

import pytest

from entra.service import Service
from entra.users import FINANCE, STAFF, stable_id
from people import USERS
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import Visitor

ENV = f"{ORIGIN}/cgi-bin/env"
CROWD = stable_id("group", "7")  # max is in it (150 groups), and otto (2,000)

# path: (rules, who gets in, who is refused, what otto gets, whose groups nobody knows)
RULES = {
    "user": ("Require valid-user", ["ada", "nora"], [], "in"),
    "name": ("Require claim groups:Finance", ["ada", "zoe"], ["ben", "max"], "unknown"),
    "quoted": ('Require claim "groups:The crowd"', ["max"], ["ada"], "unknown"),
    "object-id": (f"Require claim groups:{CROWD}", ["max"], ["ada"], "unknown"),
    "as-sent": ('Require claim "groups:Sales & Marketing"', ["zoe"], ["ada"], "unknown"),
    "shadowed": ("Require claim groups:CONTOSO", [], ["zoe"], "unknown"),
    "bare": ("Require claim Group~.", [], ["ada"], "unknown"),
    "or-role": ("Require claim groups:Finance roles:Reader", ["ada", "ben"], ["nora"], "in"),
    "or-department": ("Require claim groups:Finance\nRequire claim tenantid~.", ["ada", "nora"], [], "in"),
    "no-group": ("Require claim roles:Editor", ["ada"], ["ben"], "denied"),
    "not": (
        "<RequireAll>\nRequire valid-user\nRequire not claim groups:Finance\n</RequireAll>",
        ["ben", "max"],
        ["ada"],
        "unknown",
    ),
    "none": (
        "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire claim groups:Finance\n"
        "Require user nora@contoso.example\n</RequireNone>\n</RequireAll>",
        ["ben", "max"],
        ["ada", "nora"],
        "unknown",
    ),
    "none-of-any": (
        "<RequireAll>\nRequire valid-user\n<RequireNone>\n<RequireAny>\nRequire claim groups:Finance\n"
        "Require user nora@contoso.example\n</RequireAny>\n</RequireNone>\n</RequireAll>",
        ["ben"],
        ["ada", "nora"],
        "unknown",
    ),
    "not-in-none": (
        "<RequireAll>\nRequire valid-user\n<RequireNone>\n<RequireAll>\nRequire valid-user\n"
        "Require not claim groups:Finance\n</RequireAll>\n</RequireNone>\n</RequireAll>",
        ["ada"],
        ["ben"],
        "unknown",
    ),
    "alias": ("Require finance", ["ada"], ["ben"], "unknown"),
    "not-alias": (
        "<RequireAll>\nRequire valid-user\nRequire not finance\n</RequireAll>",
        ["ben", "max"],
        ["ada"],
        "unknown",
    ),
}

SERVER = """
<AuthzProviderAlias claim finance "groups:Finance">
</AuthzProviderAlias>
"""
ENTRA = f"""
    EntraSAMLMetadata "${{ROOT}}/entra.xml"
    EntraSAMLGroup Finance {FINANCE.upper()}
    EntraSAMLGroup "The crowd" {CROWD}
    EntraSAMLGroup Staff {STAFF}
    EntraSAMLGroup CONTOSO {stable_id("group", "nobody")}
"""
VHOST = "\n".join(
    f'<Location "/cgi-bin/env/{path}">\nAuthType entra-saml\n{rules}\n</Location>'
    for path, (rules, *_) in RULES.items()
)


@pytest.fixture(scope="module")
def entra(entra):
    """As the portal has it by default: above 150 groups there is only a link."""
    [application] = entra.applications
    limited = dataclasses.replace(application, group_limit=150, extra_claims={})
    return Service([limited], tenant=entra.tenant, users=USERS)


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(server=SERVER, entra=ENTRA, vhost=VHOST)
    httpd.script("env", ENVIRONMENT)
    return httpd


@pytest.fixture(scope="module")
def people(httpd, entra):
    """Everybody once, signed in."""
    signed_in = {}
    for user in ("ada", "ben", "nora", "zoe", "max", "otto"):
        signed_in[user] = Visitor(httpd.network, entra)
        assert signed_in[user].sign_in(f"{ENV}/user", user).status == 200
    httpd.expect("groups-overage")
    return signed_in


@pytest.fixture(autouse=True)
def quiet(httpd, people):
    httpd.log.tolerate_denials()
    httpd.log.tolerate("AH01632")  # an error in a rule: of the alias that does not know the groups


@pytest.mark.parametrize("path", RULES)
def test_who_gets_in(httpd, people, path):
    _, inside, outside, _ = RULES[path]
    for user in inside:
        assert people[user].open(f"{ENV}/{path}").status == 200, user
    for user in outside:
        httpd.refused(people[user].open(f"{ENV}/{path}"), "access-denied")


@pytest.mark.parametrize("path", RULES)
def test_who_is_in_too_many_groups(httpd, people, path):
    """No rule about groups lets him in, whichever way it is turned; all other rules are judged as ever."""
    expected = RULES[path][3]
    page = people["otto"].open(f"{ENV}/{path}")
    if expected == "in":
        assert page.status == 200
    else:
        httpd.refused(page, "access-denied" if expected == "denied" else "groups-unknown")


def test_the_page_says_what_to_do(httpd, people):
    page = people["otto"].open(f"{ENV}/name")
    httpd.refused(page, "groups-unknown")
    assert page.html.findtext(".//h1") == "No access"
    assert "in too many" in page.words and "Ask your administrator" in page.words
    [line] = httpd.log.find("groups-unknown")
    assert "claim groups is unknown, Entra sent groups.link" in line and "app roles" in line


def test_the_application_sees_names(people):
    assert people["ada"].open(f"{ENV}/user").json["ENTRA_GROUP_NAMES"] == "Finance;Staff"
    assert people["max"].open(f"{ENV}/user").json["ENTRA_GROUP_NAMES"] == "The crowd"
    for user in ("nora", "otto"):
        assert "ENTRA_GROUP_NAMES" not in people[user].open(f"{ENV}/user").json


def test_the_application_sees_that_groups_are_unknown(people):
    seen = people["otto"].open(f"{ENV}/user").json
    assert seen["ENTRA_GROUPS_OVERAGE"] == "1" and seen["ENTRA_GROUPS_LINK"].endswith("/getMemberObjects")
    assert "ENTRA_GROUPS" not in seen
    assert "ENTRA_GROUPS_OVERAGE" not in people["max"].open(f"{ENV}/user").json


def test_nobody_can_send_these_names(people):
    """Row 29: neither as a header nor as a variable made of one."""
    headers = {"Entra-Group-Names": "Finance", "ENTRA_GROUPS_OVERAGE": "1"}
    seen = people["nora"].open(f"{ENV}/user", headers=headers).json
    assert not [name for name in seen if "GROUP" in name]


@pytest.mark.parametrize(
    "line, code",
    [
        ("EntraSAMLGroup Finance", "config-group"),
        ("EntraSAMLGroup Finance Finance", "config-group"),
        (f"EntraSAMLGroup {FINANCE} {STAFF}", "config-group"),
        (f"EntraSAMLGroup A {FINANCE}\n EntraSAMLGroup A {STAFF}", "config-group"),
        ("EntraSAMLRequiredClaims", "config-value"),
        ("EntraSAMLRequiredClaims mail http://x/", "config-claim"),
        ("EntraSAMLClaim http://x/y group_names", "config-claim"),
    ],
)
def test_what_httpd_t_refuses(make_httpd, line, code):
    httpd = make_httpd(start=False, entra='EntraSAMLMetadata "${ROOT}/entra.xml"\n' + line)
    status, printed = httpd.configtest()
    assert status != 0 and f"reason={code}" in printed, printed


def test_a_virtual_hosts_names_come_to_those_of_the_main_server(make_httpd, entra):
    """And a name that both have is one given twice."""
    httpd = make_httpd(
        server=f"EntraSAMLGroup Main {FINANCE}", entra=f'EntraSAMLMetadata "${{ROOT}}/entra.xml"\nEntraSAMLGroup Own {STAFF}',
        vhost='<Location "/">\nAuthType entra-saml\nRequire claim groups:Main\nRequire claim groups:Own\n</Location>',
    )
    httpd.script("env", ENVIRONMENT)
    seen = Visitor(httpd.network, entra).sign_in(ENV, "ada").json
    assert seen["ENTRA_GROUP_NAMES"] == "Main;Own"
