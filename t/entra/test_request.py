# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests the lookalike refuses, and with which of Entra's codes."""

import base64
import urllib.parse
import zlib

import pytest
from lxml import etree

from entra import names
from entra.ask import SAML, answer
from entra.request import Answered, Refused

SUBJECT = "<a:Subject><a:NameID>ada@contoso.example</a:NameID></a:Subject>"
CONTEXT = "<p:RequestedAuthnContext{}><a:AuthnContextClassRef>{}</a:AuthnContextClassRef></p:RequestedAuthnContext>"


@pytest.mark.parametrize(
    "code, inside, attributes",
    [
        ("75005", "", {"ID": None}),
        ("7500529", "", {"ID": "1abc"}),
        ("7500529", "", {"ID": "a/b+c="}),
        ("75005", "", {"Version": "1.1"}),
        ("75005", "", {"IssueInstant": None}),
        ("75005", "", {"IssueInstant": "2026-01-02 03:04:05"}),
        ("75008", "", {"Destination": "https://login.microsoftonline.com/common/saml2"}),
        ("75005", "", {"issuer": None}),
        ("700016", "", {"issuer": "https://app.example/saml/metadata/"}),
        ("700016", "", {"issuer": "HTTPS://app.example/saml/metadata"}),
        ("50011", "", {"AssertionConsumerServiceURL": "https://app.example/saml/ACS"}),
        ("50011", "", {"AssertionConsumerServiceURL": "https://app.example:443/saml/acs"}),
        ("900236", SUBJECT, {}),
        ("90011", '<p:NameIDPolicy SPNameQualifier="x"/>', {}),
        ("90011", '<p:Scoping ProxyCount="1"/>', {}),
        ("90011", "<p:Scoping><p:RequesterID>x</p:RequesterID></p:Scoping>", {}),
        ("750161", '<p:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"/>', {}),
        ("90011", CONTEXT.format(' Comparison="minimum"', names.PASSWORD), {}),
        ("75011", CONTEXT.format("", "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"), {}),
    ],
)
def test_refuses(entra, code, inside, attributes):
    with pytest.raises(Refused) as refused:
        answer(entra, inside=inside, **attributes)
    assert refused.value.code == code and str(refused.value).startswith(f"AADSTS{code}: ")
    assert entra.received[-1].refused == code and entra.received[-1].request is None


@pytest.mark.parametrize(
    "code, query",
    [
        ("750054", ""),
        ("750054", "SAMLRequest="),
        ("75005", "SAMLRequest=%%%"),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(b"not deflated"))),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(zlib.compress(b"<a/>")))),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(zlib.compress(b"<a>", wbits=-15)))),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(zlib.compress(b"<a/>", wbits=-15)))),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(zlib.compress(b"a" * 70000, wbits=-15)))),
    ],
)
def test_refuses_what_is_no_request(entra, code, query):
    with pytest.raises(Refused) as refused:
        entra.sign_in(f"{entra.endpoint}?{query}", "ada")
    assert refused.value.code == code


def test_answers_another_binding_with_a_status(entra):
    with pytest.raises(Answered) as failure:
        answer(entra, ProtocolBinding=names.REDIRECT)
    tree = etree.fromstring(entra.fail(failure.value).xml())
    codes = [code.get("Value") for code in tree.iter(f"{{{names.PROTOCOL}}}StatusCode")]
    assert codes == [names.REQUESTER, names.UNSUPPORTED_BINDING]
    assert tree.findtext("p:Status/p:StatusMessage", namespaces=SAML).startswith("AADSTS75003: ")
    assert tree.find("a:Assertion", namespaces=SAML) is None
