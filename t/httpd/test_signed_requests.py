# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed requests, at an application that requires verification certificates."""

from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from entra import Application, Signer, signed
from entra.request import Refused
from entra.service import Service
from people import USERS
from server import ORIGIN, PROTECTED
from visitor import Visitor

MD, DS = "{urn:oasis:names:tc:SAML:2.0:metadata}", "{http://www.w3.org/2000/09/xmldsig#}"
ONE = '    EntraSAMLSigningCertificate "${ROOT}/one.pem" "${ROOT}/one.pem"\n'
TWO = '    EntraSAMLSigningCertificate "${ROOT}/two.pem" "${ROOT}/two.pem"\n'


@pytest.fixture(scope="module")
def pairs():
    return Signer("one"), Signer("two")


@pytest.fixture(scope="module")
def entra(keys, pairs):
    """The application takes requests signed by the first pair only."""
    tenant, signer = keys
    application = Application(
        [f"{ORIGIN}/saml/metadata"],
        [f"{ORIGIN}/saml/acs"],
        logout_url=f"{ORIGIN}/saml/logout",
        signer=signer,
        require_signed=True,
        verification_certificates=[pairs[0].certificate],
    )
    return Service([application], tenant=tenant, users=USERS)


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd, pairs, entra):
    entra.applications[0].verification_certificates = [pairs[0].certificate]
    httpd = make_httpd(start=False, mpm=request.param, vhost=ONE + PROTECTED)
    for name, pair in zip(("one", "two"), pairs):
        pair.write(httpd.root / f"{name}.pem")
    httpd.page("index.html", "here")
    return httpd.start()


def test_a_signed_request_signs_in(visitor):
    """The lookalike, as Entra, looks at no request that is not signed; this one it takes."""
    page = visitor.sign_in(f"{ORIGIN}/?a=1")
    assert (page.status, page.url, page.text) == (200, f"{ORIGIN}/?a=1", "here")
    assert visitor.entra.received[-1].refused is None


def test_the_signature_covers_what_is_sent(visitor):
    """RelayState exchanged on the way: the request is refused at Entra, with its code."""
    asked = visitor.ask()
    query = parse_qs(urlsplit(asked.location).query)
    assert list(query) == ["SAMLRequest", "RelayState", "SigAlg", "Signature"]
    asked.headers.replace_header("Location", asked.location.replace("RelayState=", "RelayState=x"))
    with pytest.raises(Refused) as refused:
        visitor.answer(asked)
    assert refused.value.code == "50006"


def assert_signed(location, parameter, application):
    """By the application, every parameter; another page to return to would need another signature."""
    query = urlsplit(location).query
    assert list(parse_qs(query)) == [parameter, "RelayState", "SigAlg", "Signature"]
    signed.verify(query, application)
    for old in (f"{parameter}=", "RelayState="):
        with pytest.raises(Refused):
            signed.verify(query.replace(old, old + "x"), application)
    stranger = Application([], [], verification_certificates=[Signer("stranger").certificate])
    with pytest.raises(Refused):
        signed.verify(query, stranger)


def test_messages_of_single_logout_are_signed(visitor):
    """Our LogoutRequest, and our LogoutResponse to Entra's."""
    application = visitor.entra.applications[0]
    form = visitor.entra.sign_in(visitor.ask().location, "ada")
    assert visitor.sign_in().text == "here"
    page = visitor.open(f"{ORIGIN}/saml/logout?return=%2F", initiator=f"{ORIGIN}/")
    assert_signed(page.location, "SAMLRequest", application)
    page = visitor.open(visitor.entra.ask_logout(form.participant, relay_state="as/it is+&="))
    assert_signed(page.location, "SAMLResponse", application)


def certificates(document, use):
    found = document.findall(f".//{MD}KeyDescriptor[@use='{use}']/{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate")
    return [certificate.text for certificate in found]


def test_rollover(httpd, visitor, make_visitor, pairs):
    """The second pair is added, told in our metadata, uploaded, put first, and the first is taken away: at each step
    users sign in."""
    one, two = pairs
    application = visitor.entra.applications[0]
    steps = [
        (ONE, [one], [one]),
        (ONE + TWO, [one, two], [one]),
        (ONE + TWO, [one, two], [one, two]),
        (TWO + ONE, [two, one], [one, two]),
        (TWO, [two], [one, two]),
        (TWO, [two], [two]),
    ]
    try:
        for lines, told, uploaded in steps:
            httpd.configure(vhost=lines + PROTECTED)
            httpd.graceful()
            application.verification_certificates = [pair.certificate for pair in uploaded]
            assert make_visitor().sign_in().text == "here"
            document = etree.fromstring(visitor.open(f"{ORIGIN}/saml/metadata").body)
            assert document[0].get("AuthnRequestsSigned") == "true"
            assert certificates(document, "signing") == [pair.base64 for pair in told]
            assert certificates(document, "encryption") == []
    finally:
        application.verification_certificates = [one.certificate]


def test_a_long_page_gives_way_to_a_long_signature(httpd, visitor, entra):
    """The URL stays within 2,048 characters; the page that does not fit is kept by the server."""
    large = Signer("large", bits=4096)
    large.write(httpd.root / "two.pem")
    httpd.configure(vhost=TWO + PROTECTED)
    httpd.graceful()
    entra.applications[0].verification_certificates = [large.certificate]
    for length in (300, 690):
        long = f"{ORIGIN}/?" + "a" * (length - 2)
        asked = visitor.ask(long)
        assert len(asked.location) <= 2048
        assert visitor.finish(asked).url == long
        visitor.jar.drop("")


def test_without_a_certificate_entra_refuses(httpd, entra):
    httpd.configure(vhost=PROTECTED)
    httpd.graceful()
    with pytest.raises(Refused) as refused:
        Visitor(httpd.network, entra).sign_in()
    assert refused.value.code == "76021"
