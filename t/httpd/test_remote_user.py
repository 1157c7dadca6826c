# SPDX-License-Identifier: GPL-3.0-or-later
"""REMOTE_USER as the application wants it: made of a claim by expressions, without domain, in small letters."""

import pytest

from entra import names
from programs import ENVIRONMENT
from server import ORIGIN

ENV = f"{ORIGIN}/cgi-bin/env"
VHOST = r"""
    EntraSAMLRemoteUserMatch "([^@]+)@fabrikam\.example" "FABRIKAM\$1"
    EntraSAMLRemoteUserMatch "ORG:(.*)" "$1"
    EntraSAMLRemoteUserMatch "(?i)(?:ADM-)?([^@]+)@contoso\.example" "$1@contoso.example"
    EntraSAMLRemoteUserStripDomain contoso.example
    EntraSAMLRemoteUserLowerCase On
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/cgi-bin/env/rule">
        Require user ada
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    httpd.script("env", ENVIRONMENT)
    return httpd


def called(name):
    """Entra sends this name."""

    def change(said):
        said.attributes = [(key, [name] if key == names.NAME else values) for key, values in said.attributes]

    return change


@pytest.mark.parametrize(
    "sent, user",
    [
        ("ada@contoso.example", "ada"),
        ("ADA@Contoso.EXAMPLE", "ada"),
        ("adm-Ada@contoso.example", "ada"),
        ("Gus@fabrikam.example", r"fabrikam\gus"),
        ("ORG:Ada@Fabrikam.example", "ada@fabrikam.example"),
        ("ORG:Zoë Ångström", "zoë Ångström"),
    ],
)
def test_a_name(visitor, httpd, sent, user):
    """Rules, application and log agree on it; the claim stays as Entra sent it."""
    visitor.sign_in(ENV, change=called(sent))
    seen = visitor.open(ENV).json
    assert (seen["REMOTE_USER"], seen["ENTRA_NAME"]) == (user, sent)
    allowed = user == "ada"
    httpd.log.tolerate_denials()
    assert visitor.open(f"{ENV}/rule").status == (200 if user == "ada" else 403)


@pytest.mark.parametrize(
    "sent",
    ["ada@woodgrove.example", "ada@contoso.example.evil.example", "ORG:", "ORG:@contoso.example", "ORG: @contoso.example"],
    ids=["nobody's", "unanchored", "empty", "nothing before the domain", "a blank before the domain"],
)
def test_a_name_that_is_refused(visitor, httpd, sent):
    page = visitor.submit(visitor.answer(visitor.ask(ENV), change=called(sent)))
    httpd.refused(page, "remote-user-unfit")
    [line] = httpd.log.find("remote-user-unfit")
    assert sent in line and visitor.session is None


@pytest.mark.parametrize("said, warned", [("On", True), ("a.test b.test", True), ("a.test", False), ("Off", False)])
def test_users_who_may_become_one(make_httpd, said, warned):
    """Not refused, since an administrator may know that no name is given twice, but said."""
    httpd = make_httpd(start=False, vhost=f"EntraSAMLRemoteUserStripDomain {said}\n{VHOST.partition('LowerCase On')[2]}")
    status, printed = httpd.configtest()
    assert status == 0 and ("warning=config-remote-user" in printed) == warned, printed
    if warned:
        assert f"line {httpd.line_of('StripDomain')} of {httpd.root}/httpd.conf" in printed
