# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application gets, section by section: variables, their names and forms; request headers, their encodings and
limits (row 40). That nobody else can send them is test_spoofing.py's."""

import base64
import re
from urllib.parse import unquote

import pytest

from entra import names
from entra.users import FINANCE
from people import BARE, COST_CENTRE, UNKNOWN
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import Visitor

GROUPS = [FINANCE, "CONTOSO\\Finance; Audit", "Sales & Marketing"]  # zoe's
JOINED = f"{FINANCE};CONTOSO\\\\Finance\\; Audit;Sales & Marketing"
CENTRE = "R&D; Labs\\North"

# What sections say, what their application finds, and what it does not.
SECTIONS = {
    "default": ("", {"ENTRA_GROUPS": JOINED, "ENTRA_GROUP": FINANCE, "ENTRA_GROUP_NAMES": "Fin\u0085ance;Geld"}, ["ENTRA_GROUPS_1"]),
    "prefix": (
        "EntraSAMLEnvPrefix SAML_",
        {"SAML_GROUPS": JOINED, "SAML_COSTCENTRE": "R&D\\; Labs\\\\North", "SAML_GROUP_NAMES": "Fin ance;Geld"},
        ["ENTRA_GROUPS"],
    ),
    "rename": (
        f"EntraSAMLEnv groups TEAM\nEntraSAMLEnv {UNKNOWN} kind\nEntraSAMLEnv costcentre CENTRE\n"
        "EntraSAMLEnv group_names TEAMS",
        {"TEAM": JOINED, "kind": "permanent;full\\; time", "CENTRE": "R&D\\; Labs\\\\North", "TEAMS": "Fin ance;Geld"},
        ["ENTRA_GROUPS", "ENTRA_EMPLOYEE_TYPE_OF", "ENTRA_COSTCENTRE", "ENTRA_GROUP_NAMES"],
    ),
    "swapped": (
        "EntraSAMLEnv groups ENTRA_ROLES\nEntraSAMLEnv roles ENTRA_GROUPS",
        {"ENTRA_ROLES": JOINED, "ENTRA_GROUPS": "Reader;Editor"},
        [],
    ),
    "stolen": (  # by a name that a claim makes for itself
        "EntraSAMLEnv roles ENTRA_GROUP", {"ENTRA_GROUP": "Reader;Editor", "ENTRA_GROUPS": JOINED}, [],
    ),
    "allowed": (
        f"EntraSAMLExport surname {COST_CENTRE} employee_type_of",
        {"ENTRA_SURNAME": "Ångström\\; née Brown\\\\Grün", "ENTRA_COSTCENTRE": "R&D\\; Labs\\\\North",
         "ENTRA_EMPLOYEE_TYPE_OF": "permanent;full\\; time"},
        ["ENTRA_GROUPS", "ENTRA_GROUP_NAMES", "ENTRA_NAME", "ENTRA_GROUP"],
    ),
    "none": ("EntraSAMLExport none", {"REMOTE_USER": "zoe@contoso.example"}, ["ENTRA_NAME", "ENTRA_GROUP_NAMES"]),
    "denied": (
        f"EntraSAMLExportNot groups group_names\nEntraSAMLExportNot {BARE}",
        {"ENTRA_ROLES": "Reader;Editor"},
        ["ENTRA_GROUPS", "ENTRA_GROUP_NAMES"],
    ),
    "denied-though-allowed": ("EntraSAMLExport groups roles\nEntraSAMLExportNot groups", {"ENTRA_ROLES": "Reader;Editor"}, ["ENTRA_GROUPS"]),
    "indexed": (
        "EntraSAMLEnvValues indexed",
        {"ENTRA_GROUPS_1": GROUPS[0], "ENTRA_GROUPS_2": GROUPS[1], "ENTRA_GROUPS_3": GROUPS[2], "ENTRA_GROUPS_COUNT": "3",
         "ENTRA_NAME_1": "zoe@contoso.example", "ENTRA_NAME_COUNT": "1", "ENTRA_COSTCENTRE_1": CENTRE,
         "ENTRA_GROUP_NAMES_2": "Geld"},
        ["ENTRA_GROUPS", "ENTRA_NAME", "ENTRA_GROUPS_0", "ENTRA_GROUPS_4"],
    ),
    "both": (
        "EntraSAMLEnvValues both\nEntraSAMLEnv groups TEAM\nEntraSAMLEnvPrefix SAML_",
        {"TEAM": JOINED, "TEAM_2": GROUPS[1], "TEAM_COUNT": "3", "SAML_ROLES_2": "Editor"},
        ["ENTRA_GROUPS", "SAML_GROUPS", "SAML_GROUPS_1"],
    ),
    "outer": ("EntraSAMLEnvPrefix OUT_\nEntraSAMLEnv groups TEAM\nEntraSAMLEnv roles PART\nEntraSAMLExportNot surname", {"TEAM": JOINED}, ["OUT_SURNAME"]),
    # Nearer sections go before those around them, lines add up, what is denied stays denied.
    "outer/inner": (
        "EntraSAMLEnvPrefix IN_\nEntraSAMLEnv name TEAM\nEntraSAMLExport all\nEntraSAMLExportNot displayname",
        {"TEAM": "zoe@contoso.example", "IN_GROUPS": JOINED, "PART": "Reader;Editor"},
        ["OUT_GROUPS", "IN_SURNAME", "OUT_SURNAME", "IN_ROLES", "IN_DISPLAYNAME"],
    ),
    "outer/inner/most": ("EntraSAMLExport groups roles name", {"TEAM": "zoe@contoso.example", "PART": "Reader;Editor"}, ["IN_DISPLAYNAME"]),
}

HEADERS = {
    "each": (
        "EntraSAMLHeader X-User user\nEntraSAMLHeader X-Name displayname\nEntraSAMLHeader X-Name-P displayname percent\n"
        "EntraSAMLHeader X-Name-B displayname base64\nEntraSAMLHeader X-Centre costcentre percent\n"
        f"EntraSAMLHeader X-Kind {UNKNOWN} percent\nEntraSAMLHeader X-Teams group_names\nEntraSAMLHeader X-None upn"
    ),
    "all": "EntraSAMLHeaderPrefix X-Entra- percent\nEntraSAMLHeader X-Entra-Groups groups base64\nEntraSAMLExportNot wids",
    "some": "EntraSAMLHeaderPrefix X-Entra-\nEntraSAMLExport roles user\nEntraSAMLHeader X-Mail emailaddress",
    "odd": "EntraSAMLHeader X-U surname\nEntraSAMLHeader X-P surname percent\nEntraSAMLHeader X-B surname base64",
    "many": "EntraSAMLHeader X-Groups groups\nEntraSAMLHeader X-B groups base64\nEntraSAMLHeader X-User user\nEntraSAMLEnvPrefix SAML_",
    "few": "EntraSAMLHeaderLimit 64\nEntraSAMLHeader X-Groups groups\nEntraSAMLHeader X-Tenant tenantid base64",
    "nest": "EntraSAMLHeader X-User user\nEntraSAMLHeader X-Roles roles\nEntraSAMLHeaderPrefix X-Entra-",
    "nest/off": "EntraSAMLHeader Off\nEntraSAMLHeaderPrefix Off\nEntraSAMLHeader X-Mail emailaddress",
    "nest/anew": "EntraSAMLHeader X_User displayname percent\nEntraSAMLHeaderPrefix Off",
}


def section(path, lines):
    return f'<Location "/{path}">\nAuthType entra-saml\nRequire valid-user\n{lines}\n</Location>\n'


VHOST = "\n".join(
    [
        'ScriptAliasMatch "^/env/" "${ROOT}/cgi-bin/env"',
        'ProxyPass "/to" "${BACKEND}/to"',
        'ProxyPass "/httpd" "http://127.0.0.1:${PORT}/cgi-bin/env"',
        f'EntraSAMLGroup "Fin\u0085ance" {FINANCE}',
        f"EntraSAMLGroup Geld {FINANCE}",
        f"EntraSAMLClaim {COST_CENTRE} costcentre",
        *(section(f"env/{path}", lines) for path, (lines, _, _) in SECTIONS.items()),
        *(section(f"to/{path}", lines) for path, lines in HEADERS.items()),
        section("httpd", HEADERS["many"] + '\nHeader set Cut "%{SAML_HEADERS_MISSING}e"'),
        section("httpd/wide", "EntraSAMLHeaderLimit 9K"),
        '<Directory "${ROOT}/htdocs/own">\nAllowOverride All\n</Directory>',
    ]
)


@pytest.fixture(scope="module")
def httpd(make_httpd, backend):
    behind = make_httpd(entra="")  # another httpd, with limits of its own
    httpd = make_httpd(vhost=VHOST, define={"BACKEND": backend.url, "PORT": behind.ports["http"]})
    for each in (behind, httpd):
        each.script("env", ENVIRONMENT)
    return httpd


@pytest.fixture(scope="module")
def zoe(httpd, entra):
    person = Visitor(httpd.network, entra)
    person.sign_in(f"{ORIGIN}/env/default", "zoe")
    return person


def sent(person, backend, path):
    """The headers that the backend got, as UTF-8 has them."""
    backend.requests.clear()
    page = person.open(f"{ORIGIN}/to/{path}")
    assert page.status == 200, page.text
    [(_, _, headers)] = backend.requests
    return {name: value.encode("latin-1").decode("utf-8") for name, value in headers}


# --- variables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SECTIONS)
def test_variables(zoe, path):
    _, expected, absent = SECTIONS[path]
    for _ in range(2):  # the first request may make the plan
        seen = zoe.open(f"{ORIGIN}/env/{path}").json
        assert {name: seen.get(name) for name in expected} == expected
        assert not [name for name in absent if name in seen]


def test_plans_survive_restarts(httpd, zoe):
    for turn in (httpd.graceful, httpd.reload):
        turn()
        assert zoe.open(f"{ORIGIN}/env/outer/inner").json["IN_GROUPS"] == JOINED


def test_two_thousand_variables(httpd, entra):
    person = Visitor(httpd.network, entra)
    person.sign_in(f"{ORIGIN}/env/indexed", "tess")
    seen = person.open(f"{ORIGIN}/env/indexed").json
    assert seen["ENTRA_ROLES_COUNT"] == "2000" and seen["ENTRA_ROLES_2000"] == "Role.1999"


def test_not_in_htaccess(httpd, zoe):
    """A client's headers are removed before httpd looks for .htaccess files."""
    for line in ("EntraSAMLHeader X-User user", "EntraSAMLEnv groups TEAM", "EntraSAMLExportNot groups", "EntraSAMLEnvPrefix A_"):
        httpd.page("own/page.txt", "text")
        httpd.page("own/.htaccess", line)
        page = zoe.open(f"{ORIGIN}/own/page.txt")
        assert page.status == 500 and "not allowed here" in "".join(httpd.log.find("core:alert"))
    httpd.expect("core:alert", 4)


# --- headers ----------------------------------------------------------------------------------------------


def test_each_header(zoe, backend, entra):
    got, user = sent(zoe, backend, "each"), entra.users["zoe"]
    assert got["X-User"] == user.upn and got["X-Name"] == user.display_name
    assert unquote(got["X-Name-P"]) == user.display_name and got["X-Name-P"].isascii()
    assert base64.b64decode(got["X-Name-B"], validate=True).decode() == user.display_name
    assert unquote(got["X-Centre"]) == CENTRE and ";" not in got["X-Centre"]
    assert [unquote(value) for value in got["X-Kind"].split(";")] == ["permanent", "full; time"]
    assert got["X-Teams"] == "Fin ance;Geld"  # a control character of the configuration
    assert "X-None" not in got and not [name for name in got if name.endswith("-Missing")]


def test_all_claims(zoe, backend):
    got = sent(zoe, backend, "all")
    assert [base64.b64decode(value).decode() for value in got["X-Entra-Groups"].split(";")] == GROUPS
    assert unquote(got["X-Entra-Costcentre"]) == CENTRE and got["X-Entra-User"] == "zoe%40contoso.example"
    assert got["X-Entra-Employee-Type-Of"] == "permanent;full%3B%20time" and got["X-Entra-Group-Names"] == "Fin%20ance;Geld"
    assert {"X-Entra-Name", "X-Entra-Emailaddress", "X-Entra-Roles"} <= got.keys() and "X-Entra-Wids" not in got


def test_some_claims(zoe, backend):
    """The allow list is for what is not named; a line names its claim itself."""
    got = sent(zoe, backend, "some")
    assert {name for name in got if name.startswith("X-Entra-")} == {"X-Entra-Roles", "X-Entra-User"}
    assert got["X-Mail"] == "zoë@contoso.example"


def test_nested_sections(zoe, backend, entra):
    around, off, anew = (sent(zoe, backend, path) for path in ("nest", "nest/off", "nest/anew"))
    assert around["X-User"] and around["X-Roles"] and around["X-Entra-Name"]
    assert {name for name in off if name.startswith("X-") and "Forwarded" not in name} == {"X-Mail"}
    assert "X-User" not in anew and unquote(anew["X_User"]) == entra.users["zoe"].display_name
    assert anew["X-Roles"] == "Reader;Editor" and "X-Entra-Name" not in anew


ODD = [
    "Zoë", "日本語 テスト", "😀 👩‍👩‍👧", "a;b", "c\\d", "\\;", "", "50% + ü", "'\"<&>`$(x)", "=?utf-8?q?x?=", "x" * 300, "\u00a0", "Ω\u202eevil",
]
SMUGGLED = ["Doe\r\nX-Forged: yes\r\n\r\nGET /forged HTTP/1.1", "tab\tbell\x7f", "nel\u0085c1\u009b"]


def test_odd_values(httpd, entra, backend):
    """Whatever somebody calls himself arrives as he does, in each encoding, and adds nothing to the request."""

    def change(said):
        said.attributes = [(name, ODD + SMUGGLED if name == names.SURNAME else values) for name, values in said.attributes]

    person = Visitor(httpd.network, entra)
    person.sign_in(f"{ORIGIN}/env/default", "ada", change)
    got = sent(person, backend, "odd")
    # XML makes one line feed of a carriage return and the one behind it.
    plain = [re.sub("[\x00-\x1f\x7f\x80-\x9f]", " ", value.replace("\r\n", "\n")) for value in SMUGGLED]
    coded = [re.sub("[\x00-\x1f\x7f]", " ", value.replace("\r\n", "\n")) for value in SMUGGLED]
    values = [re.sub(r"\\(.)", r"\1", value) for value in re.findall(r"((?:[^;\\]|\\.)*)(?:;|$)", got["X-U"] + ";")[:-1]]
    assert [value.split() for value in values] == [value.split() for value in ODD + plain]
    assert [unquote(value).split() for value in got["X-P"].split(";")] == [value.split() for value in ODD + coded]
    assert [base64.b64decode(value).decode().split() for value in got["X-B"].split(";")] == [value.split() for value in ODD + coded]
    assert "X-Forged" not in got and len(backend.requests) == 1


# --- limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key, missing, missing_coded", [("max", 0, 25), ("otto", 1834, 1875)])
def test_many_groups(httpd, entra, backend, key, missing, missing_coded):
    """150, the most that Entra sends of itself, and 2,000: whole values, and how many are not there."""
    person = Visitor(httpd.network, entra)
    person.sign_in(f"{ORIGIN}/env/default", key)
    got, groups = sent(person, backend, "many"), entra.users[key].groups
    assert got["X-Groups"].split(";") == groups[: len(groups) - missing]
    assert got.get("X-Groups-Missing") == (str(missing) if missing else None)
    assert [base64.b64decode(group).decode() for group in got["X-B"].split(";")] == groups[: len(groups) - missing_coded]
    assert got["X-B-Missing"] == str(missing_coded)
    assert max(len(value) for value in got.values()) <= 6144
    # Once in a while in each child, and not at every request.
    for _ in range(5):
        sent(person, backend, "many")
    httpd.log.tolerate("header-limit")
    assert len(httpd.log.find("header-limit")) <= 2


def test_what_is_said_of_missing_values(httpd, make_visitor, backend):
    visitor = make_visitor()
    visitor.sign_in(f"{ORIGIN}/env/default", "max")
    got = sent(visitor, backend, "few")
    assert got["X-Groups"].count(";") == 0 and got["X-Groups-Missing"] == "149"
    assert len(got["X-Tenant"]) == 48
    httpd.expect("header-limit")
    [line] = httpd.log.find("header-limit")
    assert 'header X-Groups of user "max@contoso.example" lacks 149 values beyond 64 octets' in line
    seen = visitor.open(f"{ORIGIN}/httpd").json
    httpd.log.tolerate("header-limit")
    assert seen["HTTP_X_GROUPS"].count(";") == 149 and seen["HTTP_X_B_MISSING"] == "25"


def test_a_backend_with_limits_of_its_own(httpd, entra):
    """By default httpd takes what comes; what would be too long for it is cut here, and not there with an error."""
    person = Visitor(httpd.network, entra)
    person.sign_in(f"{ORIGIN}/env/default", "otto")
    httpd.log.tolerate("header-limit")
    assert person.open(f"{ORIGIN}/httpd").json["HTTP_X_USER"] == "otto@contoso.example"
    assert person.open(f"{ORIGIN}/httpd/wide").status == 400


def test_names_of_cut_headers(httpd, entra):
    """For logs and mod_headers: the variable, whose name follows the prefix."""
    person = Visitor(httpd.network, entra)
    person.sign_in(f"{ORIGIN}/env/default", "otto")
    httpd.log.tolerate("header-limit")
    assert person.open(f"{ORIGIN}/httpd").headers["Cut"] == "X-Groups;X-B"
