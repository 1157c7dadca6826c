# SPDX-License-Identifier: GPL-3.0-or-later
"""What Entra says of users, as rules and applications see it: guests, devices, sign-in methods, bare names, UTF-8."""

import dataclasses

import pytest

from entra import names
from entra.service import Service
from people import USERS
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import Visitor

ENV = f"{ORIGIN}/cgi-bin/env"
DEVICE = "http://schemas.microsoft.com/{}/devicecontext/claims/{}"
DEVICE_CLAIMS = {
    DEVICE.format("2014/02", "isknown"): lambda user: "true",
    DEVICE.format("2012/01", "ismanaged"): lambda user: "true" if user.multifactor else "false",
    DEVICE.format("2014/09", "iscompliant"): lambda user: "true" if user.multifactor else "false",
}
# What some gallery tutorials have the administrator write: names without a namespace, others deleted.
BARE_CLAIMS = {
    "eduPersonPrincipalName": "upn",
    "mail": "mail",
    "givenName": "given_name",
    "sn": "surname",
}

RULES = {
    "member": "<RequireAll>\nRequire valid-user\nRequire not claim name~#EXT#@\n</RequireAll>",
    "guest": "Require claim name~#EXT#@",
    "own-tenant": "Require claim identityprovider:https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/",
    "mfa": "Require claim authnmethodsreferences:http://schemas.microsoft.com/claims/multipleauthn",
    "managed": "Require claim ismanaged:true",
    "admin": "Require claim wids:62E90394-69F5-4237-9190-012177145E10",
    "tenant": "Require claim tenantid:7F3A1C52-9D4E-4B60-8A17-2C5D9E0B1F34",
    "person": f"Require claim objectidentifier:{USERS['ada'].object_id.upper()}",
    "surname": 'Require claim "surname:Ångström; née Brown\\\\Grün"',
    "edu": "Require claim edupersonprincipalname:ada@contoso.example",
}
VHOST = '<Location "/">\nAuthType entra-saml\nRequire valid-user\n</Location>\n' + "\n".join(
    f'<Location "/cgi-bin/env/{path}">\n{rules}\n</Location>' for path, rules in RULES.items()
)
WHO = {
    "member": (["ada", "zoe"], ["gus"]),
    "guest": (["gus"], ["ada"]),
    "own-tenant": (["ada"], ["gus"]),
    "mfa": (["ada"], ["gus", "zoe"]),
    "managed": (["ada"], ["zoe"]),
    "admin": (["zoe"], ["ada"]),
    "tenant": (["ada", "gus"], []),
    "person": (["ada"], ["zoe"]),
    "surname": (["zoe"], ["ada"]),
    "edu": (["ada"], ["gus"]),
}


@pytest.fixture(scope="module")
def entra(entra):
    [application] = entra.applications
    claims = {**DEVICE_CLAIMS, **BARE_CLAIMS}
    return Service([dataclasses.replace(application, extra_claims=claims)], tenant=entra.tenant, users=USERS)


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    httpd.script("env", ENVIRONMENT)
    return httpd


@pytest.fixture(scope="module")
def people(httpd, entra):
    signed_in = {user: Visitor(httpd.network, entra) for user in ("ada", "gus", "zoe")}
    for user, person in signed_in.items():
        assert person.sign_in(ENV, user).status == 200
    return signed_in


@pytest.mark.parametrize("path", RULES)
def test_rules(httpd, people, path):
    httpd.log.tolerate_denials()
    inside, outside = WHO[path]
    for user in inside:
        assert people[user].open(f"{ENV}/{path}").status == 200, user
    for user in outside:
        httpd.refused(people[user].open(f"{ENV}/{path}"), "access-denied")


def test_a_guest(people):
    """His name is that in the host tenant; who vouched for him stands in identityprovider."""
    seen = people["gus"].open(ENV).json
    assert seen["REMOTE_USER"] == "gus_fabrikam.example#EXT#@contoso.onmicrosoft.example"
    assert seen["ENTRA_IDENTITYPROVIDER"] == USERS["gus"].guest_of
    assert seen["ENTRA_TENANTID"] == "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"


def test_methods_and_device(people):
    seen = people["ada"].open(ENV).json
    assert seen["ENTRA_AUTHNMETHODSREFERENCES"] == f"{names.METHOD_PASSWORD};{names.METHOD_MULTIPLE}"
    assert [seen[f"ENTRA_{name}"] for name in ("ISKNOWN", "ISMANAGED", "ISCOMPLIANT")] == ["true"] * 3


def test_bare_names(people):
    """A claim without namespace has the short name that its own gives."""
    seen = people["zoe"].open(ENV).json
    user = USERS["zoe"]
    assert seen["ENTRA_EDUPERSONPRINCIPALNAME"] == user.upn and seen["ENTRA_MAIL"] == user.mail
    assert seen["ENTRA_SN"] == user.surname.replace("\\", "\\\\").replace(";", "\\;")
    assert seen["ENTRA_GIVENNAME"] == user.given_name  # by its URI, before the bare word


def test_values_are_the_octets_that_entra_sent(people):
    """Row 40."""
    seen = people["zoe"].open(ENV).json
    assert seen["ENTRA_DISPLAYNAME"] == 'Ångström, Zoë "Zo" <R&D> Ωμέγα'


def test_required_claims(make_httpd, entra):
    """Who lacks one of them does not sign in, and nothing is kept of him."""
    httpd = make_httpd(vhost="EntraSAMLRequiredClaims mail sn\n" + VHOST)
    httpd.script("env", ENVIRONMENT)
    assert Visitor(httpd.network, entra).sign_in(ENV, "ada").status == 200
    person = Visitor(httpd.network, entra)
    page = person.sign_in(ENV, "nora")
    httpd.refused(page, "claim-missing")
    assert "claim mail is absent" in httpd.log.find("claim-missing")[0]
    assert person.session is None
