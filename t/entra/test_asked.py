# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request can ask beyond the ordinary, and what the lookalike makes of it."""

import datetime

import pytest
from lxml import etree

from . import names
from .ask import SAML, authn_request, location
from .errors import ERRORS
from .request import Refused

DAY = datetime.timedelta(days=1)


def asked(entra, inside="", query="", **attributes):
    return location(entra, authn_request(entra, inside, **attributes)) + query


def read(form):
    return etree.fromstring(form.xml())


def age(form):
    instant = read(form).xpath("string(//@AuthnInstant)")
    return datetime.datetime.utcnow() - datetime.datetime.fromisoformat(instant[:19])


def status(form):
    return [code.get("Value") for code in read(form).iter(f"{{{names.PROTOCOL}}}StatusCode")]


def test_force_authn_makes_a_fresh_sign_in(entra):
    since = datetime.datetime.utcnow() - 81 * DAY
    assert age(entra.visit(asked(entra), "ada", since)) > 80 * DAY
    assert age(entra.visit(asked(entra, ForceAuthn="true"), "ada", since)) < DAY / 100


def test_a_silent_attempt(entra):
    assert status(entra.visit(asked(entra, IsPassive="true"), "ada")) == [names.SUCCESS]
    failed = entra.visit(asked(entra, IsPassive="true"))
    assert status(failed) == [names.RESPONDER, names.NO_PASSIVE] and failed.fields["RelayState"] == "state"


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_on_demand(entra, code):
    entra.refuse(code)
    failed = entra.visit(asked(entra), "ada")
    assert status(failed) == list(ERRORS[code][1:])
    message = read(failed).findtext("p:Status/p:StatusMessage", namespaces=SAML)
    assert message.startswith(f"AADSTS{code}: ") and "\nTrace ID: " in message
    assert status(entra.visit(asked(entra), "ada")) == [names.SUCCESS]


def context(*classes):
    inner = "".join(f"<a:AuthnContextClassRef>{name}</a:AuthnContextClassRef>" for name in classes)
    return f'<p:RequestedAuthnContext Comparison="exact">{inner}</p:RequestedAuthnContext>'


def test_a_context_that_fits(entra):
    assert status(entra.visit(asked(entra, context(names.PASSWORD_PROTECTED)), "ada")) == [names.SUCCESS]
    with pytest.raises(Refused, match="AADSTS75011"):
        entra.visit(asked(entra, context("urn:oasis:names:tc:SAML:2.0:ac:classes:X509")), "ada")


def test_hints(entra):
    everybody, nobody = entra.choices({})
    assert len(everybody) == len(entra.users) and nobody is None
    form = entra.visit(asked(entra, query="&login_hint=BEN%40contoso.example"))
    assert b"ben@contoso.example" in form.xml()
    users, hinted = entra.choices({"whr": "contoso.example", "login_hint": "gus@fabrikam.example"})
    assert hinted.key == "gus" and "gus" not in [user.key for user in users] and len(users) > 2
    assert entra.choices({"whr": "unknown.example"})[0] == everybody


def test_relay_state_of_the_portal(entra):
    application = entra.applications[0]
    assert "RelayState" not in entra.launch(application, entra.users["ada"]).fields
    application.relay_state = "https://app.example/start"
    assert entra.launch(application, entra.users["ada"]).fields["RelayState"] == "https://app.example/start"
