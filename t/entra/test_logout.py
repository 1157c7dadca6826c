# SPDX-License-Identifier: GPL-3.0-or-later
"""Single logout: Microsoft's form of a query, and what becomes of an application's messages."""

import base64
import re
import urllib.parse
import zlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from entra import logout, names
from entra.ask import ENTITY_ID, SAML, answer
from entra.request import Refused
from entra.test_server import browser, hidden  # noqa: F401

LOGOUT_URL = "https://app.example/saml/logout"


@pytest.fixture
def application(entra):
    application = entra.applications[0]
    application.logout_url = LOGOUT_URL
    yield application
    application.logout_url = ""


def logout_request(entra, name="LogoutRequest", inside="<a:NameID>ada@contoso.example</a:NameID>", **attributes):
    """The XML of an application's message; attributes given as None are left out."""
    given = {
        "ID": "_0123456789abcdef",
        "Version": "2.0",
        "IssueInstant": "2026-01-02T03:04:05Z",
        "Destination": entra.endpoint,
        **attributes,
    }
    issuer = given.pop("issuer", ENTITY_ID)
    written = "".join(f' {key}="{value}"' for key, value in given.items() if value is not None)
    return (
        f'<p:{name} xmlns:p="{names.PROTOCOL}" xmlns:a="{names.ASSERTION}"{written}>'
        f"<a:Issuer>{issuer}</a:Issuer>{inside}</p:{name}>"
    )


def location(entra, xml, parameter="SAMLRequest", **more):
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    octets = deflater.compress(xml.encode()) + deflater.flush()
    return f"{entra.endpoint}?{urllib.parse.urlencode({parameter: base64.b64encode(octets), **more})}"


def pairs(address):
    assert address.startswith(LOGOUT_URL + "?")
    return [tuple(pair.split("=")) for pair in address.partition("?")[2].split("&")]


def tree(address):
    value = urllib.parse.unquote(pairs(address)[0][1])
    return etree.fromstring(zlib.decompress(base64.b64decode(value), -zlib.MAX_WBITS))


def assert_signed(entra, address):
    """By the application's active certificate, over three raw parameters in the binding's order."""
    fields = dict(pairs(address))
    names_ = [name for name in ("SAMLRequest", "SAMLResponse", "RelayState", "SigAlg") if name in fields]
    octets = "&".join(f"{name}={fields[name]}" for name in names_).encode()
    value = base64.b64decode(urllib.parse.unquote(fields["Signature"]))
    key = entra.applications[0].signer.certificate.public_key()
    key.verify(value, octets, padding.PKCS1v15(), hashes.SHA256())


def test_the_answer_in_microsofts_form(entra, application):
    address = entra.log_out(location(entra, logout_request(entra), RelayState="a/b="))
    assert [name for name, _ in pairs(address)] == ["SAMLResponse", "RelayState", "Signature", "SigAlg"]
    assert dict(pairs(address))["RelayState"] == "a%2fb%3d" and not re.search("%[0-9a-f]?[A-F]", address)
    assert_signed(entra, address)
    root = tree(address)
    assert root.tag == f"{{{names.PROTOCOL}}}LogoutResponse"
    assert root.get("InResponseTo") == "_0123456789abcdef" and root.get("Destination") == LOGOUT_URL
    assert root.findtext("a:Issuer", None, SAML) == entra.tenant.issuer
    assert root.find("p:Status/p:StatusCode", SAML).get("Value") == names.SUCCESS
    assert entra.received[-1].message.name_id == "ada@contoso.example"


def test_a_request_of_entras(entra, application):
    participant = answer(entra).participant
    address = entra.ask_logout(participant)
    assert [name for name, _ in pairs(address)] == ["SAMLRequest", "Signature", "SigAlg"]
    assert_signed(entra, address)
    root = tree(address)
    assert root.tag == f"{{{names.PROTOCOL}}}LogoutRequest" and root.get("Destination") == LOGOUT_URL
    assert root.findtext("a:NameID", None, SAML) == "ada@contoso.example"
    assert root.findtext("p:SessionIndex", None, SAML) == participant.session_index
    assert "SessionIndex" not in etree.tostring(tree(entra.ask_logout(participant, indexes=[]))).decode()


@pytest.mark.parametrize("change", logout.TAMPERS)
def test_every_tampering_changes_something(entra, application, change):
    message = logout.Message("_a", application, "x")
    participant = answer(entra).participant
    for address, other in (
        (entra.answer_logout(message), entra.answer_logout(message, change)),
        (entra.ask_logout(participant), entra.ask_logout(participant, change)),
    ):
        assert address != other


@pytest.mark.parametrize(
    "xml, code",
    [
        (dict(issuer="https://elsewhere.example/"), "700016"),
        (dict(ID="0abc"), "7500529"),
        (dict(Version="1.1"), "50061"),
        (dict(IssueInstant=None), "50061"),
        (dict(Destination="https://elsewhere.example/"), "75008"),
        (dict(inside=""), "50070"),
        (dict(name="LogoutResponse"), "50061"),
    ],
    ids=str,
)
def test_what_is_refused(entra, application, xml, code):
    with pytest.raises(Refused) as refusal:
        entra.log_out(location(entra, logout_request(entra, **xml)))
    assert refusal.value.code == code and entra.received[-1].refused == code


def test_the_session_ends_and_the_others_hear_of_it(entra, application, browser):  # noqa: F811
    """One application asks: it gets an answer; the other participants get frames."""
    browser("/login", {"user": "ada"})
    session = next(iter(entra.sessions.values()))
    session.participants = [answer(entra).participant]
    _, page = browser("/logout", {})
    frames = etree.HTML(page).xpath("//iframe/@src")
    assert [frame.partition("?")[0] for frame in frames] == [LOGOUT_URL] and not entra.sessions
    answered = '<p:Status><p:StatusCode Value="urn:x"/></p:Status>'
    xml = logout_request(entra, "LogoutResponse", answered, InResponseTo="_a")
    status, page = browser(location(entra, xml, "SAMLResponse"))
    assert status == 200 and "Signed out" in page
    assert (entra.received[-1].message.in_response_to, entra.received[-1].message.status) == ("_a", "urn:x")
