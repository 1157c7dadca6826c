# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted assertions, from the portal's Token encryption to the session."""

import base64
import os

import pytest
from lxml import etree

from entra import Application, Signer, Tamper, xmlenc
from entra.service import Service
from entra.xmlenc import CONTENTS, INSIDE, SIBLING, Encryption
from people import USERS
from server import ORIGIN, PROTECTED

MD, DS = "{urn:oasis:names:tc:SAML:2.0:metadata}", "{http://www.w3.org/2000/09/xmldsig#}"
ONE = '    EntraSAMLDecryptionCertificate "${ROOT}/one.pem" "${ROOT}/one.key"\n'
TWO = '    EntraSAMLDecryptionCertificate "${ROOT}/two.pem" "${ROOT}/two.key"\n'
TRANSPORTS = sorted(set(xmlenc.TRANSPORTS) - {"rsa-1_5"})


@pytest.fixture(scope="module")
def pairs():
    return Signer("one"), Signer("two")


@pytest.fixture(scope="module")
def entra(keys, pairs):
    tenant, signer = keys
    application = Application(
        [f"{ORIGIN}/saml/metadata"], [f"{ORIGIN}/saml/acs"], signer=signer, group_limit=None
    )
    return Service([application], tenant=tenant, users=USERS)


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd, pairs):
    httpd = make_httpd(start=False, mpm=request.param, vhost=ONE + PROTECTED)
    for name, pair in zip(("one", "two"), pairs):
        pair.write(httpd.root / f"{name}.pem", httpd.root / f"{name}.key")
    httpd.page("index.html", "here")
    return httpd.start()


@pytest.fixture
def application(entra, pairs):
    """The application as the portal has it, with token encryption for the first pair."""
    application = entra.applications[0]
    application.sign, application.encryption = "assertion", Encryption()
    application.encryption_certificate = pairs[0].certificate
    return application


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_each_algorithm_signs_in(visitor, application, content, transport):
    application.encryption = Encryption(content, transport)
    assert visitor.sign_in().text == "here"


@pytest.mark.parametrize("place", [INSIDE, SIBLING])
@pytest.mark.parametrize("option", ["assertion", "response", "both"])
def test_each_signing_option_and_place_signs_in(visitor, application, option, place):
    application.sign, application.encryption = option, Encryption(place=place)
    assert visitor.sign_in().text == "here"


def test_claims_arrive_as_from_a_plain_one(httpd, visitor, application):
    """A user with 2,000 groups, whose assertion is some hundred kilobytes of cipher text."""
    assert visitor.sign_in(user="otto").text == "here"
    assert any('user="otto@' in line for line in httpd.log.new())


def test_without_encryption_users_still_sign_in(visitor, application):
    """The certificate may be configured here before the portal uses it."""
    application.encryption_certificate = None
    assert visitor.sign_in().text == "here"


def test_rollover(httpd, make_visitor, application, pairs):
    """A second pair is added here, then made active in the portal, then the first is taken away; back and forth between
    the certificates users sign in as long as both are here."""
    one, two = pairs
    steps = [(ONE, [one], [one]), (ONE + TWO, [one, two], [one, two, one]), (TWO, [two], [two])]
    try:
        for lines, told, used in steps:
            httpd.configure(vhost=lines + PROTECTED)
            httpd.graceful()
            for pair in used:
                application.encryption_certificate = pair.certificate
                assert make_visitor().sign_in().text == "here"
            document = etree.fromstring(make_visitor().open(f"{ORIGIN}/saml/metadata").body)
            found = document.findall(f".//{MD}KeyDescriptor[@use='encryption']//{DS}X509Certificate")
            assert [certificate.text for certificate in found] == [pair.base64 for pair in told]
            assert document[0].get("AuthnRequestsSigned") == "false"
        application.encryption_certificate = one.certificate
        visitor = make_visitor()
        httpd.refused(visitor.finish(visitor.ask()), "decryption-failed")
    finally:
        httpd.configure(vhost=ONE + PROTECTED)
        httpd.graceful()


def altered(prefix_end, change):
    """A Tamper that changes the octets of the first or last CipherValue of a message: the key's, or the content's."""

    def form(fields):
        tree = etree.fromstring(base64.b64decode(fields["SAMLResponse"]))
        value = list(tree.iter(f"{{{xmlenc.ENC}}}CipherValue"))[prefix_end]
        value.text = base64.b64encode(change(bytearray(base64.b64decode(value.text)))).decode()
        fields["SAMLResponse"] = base64.b64encode(etree.tostring(tree)).decode()

    return Tamper(form=form)


def flipped(index):
    def change(octets):
        octets[index] ^= 1
        return octets

    return change


FAILURES = {
    "key": altered(0, flipped(5)),
    "iv": altered(-1, flipped(3)),
    "middle": altered(-1, flipped(1000)),
    "padding": altered(-1, flipped(-17)),
    "last": altered(-1, flipped(-1)),
    "cut": altered(-1, lambda octets: octets[:-16]),
    "foreign": Tamper(facts=lambda said: setattr(said, "encryption_certificate", Signer().certificate)),
    "signer": Tamper(facts=lambda said: setattr(said, "signer", Signer())),
    "unsigned": Tamper(facts=lambda said: setattr(said, "sign", "nothing")),
    "sha1": Tamper(facts=lambda said: setattr(said, "digest", "sha1")),
}


def told(httpd, page):
    """Everything that a reader of page and log gets to know, but for the reference, which is different every time."""
    line = [line for line in httpd.log.new() if "reason=decryption-failed" in line][-1]
    reference = line.partition("ref=")[2].split()[0].strip('",')
    headers = {name: value for name, value in page.headers.items() if name not in ("Date", "Keep-Alive", "Connection")}
    sentence = line.partition("reason=")[2].replace(reference, "REF")
    return page.status, page.text.replace(reference, "REF"), headers, sentence


@pytest.mark.parametrize("content", ["aes256-cbc", "aes256-gcm"])
def test_every_failure_looks_the_same(httpd, make_visitor, application, content):
    """No decryption oracle: the one more round that each gets, then status, page, headers and log line tell nothing of
    what went wrong."""
    application.encryption = Encryption(content)
    seen = {}
    for name, change in FAILURES.items():
        visitor = make_visitor()
        again = visitor.sign_in(change=change)
        assert visitor.at_entra(again), name
        page = visitor.submit(visitor.answer(again, change=change))
        httpd.refused(page, "decryption-failed")
        seen[name] = told(httpd, page)
    first = seen["key"]
    for name, what in seen.items():
        assert what[0] == first[0] and what[3] == first[3], (name, what, first)
        assert without_times(what[1]) == without_times(first[1]), name
        assert what[2].keys() == first[2].keys(), name


def without_times(text):
    return "".join(letter for letter in text if not letter.isdigit())


def test_not_configured(httpd, make_visitor, application):
    httpd.configure(vhost=PROTECTED)
    httpd.graceful()
    try:
        httpd.refused(make_visitor().sign_in(), "assertion-encrypted")
    finally:
        httpd.configure(vhost=ONE + PROTECTED)
        httpd.graceful()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has children of another user")
def test_children_need_no_right_to_the_key(httpd, make_visitor, application):
    """The key is root's, mode 0600; children that run as somebody else open assertions all the same."""
    assert (httpd.root / "one.key").stat().st_uid == 0 and (httpd.root / "one.key").stat().st_mode & 0o077 == 0
    assert make_visitor().sign_in().text == "here"
