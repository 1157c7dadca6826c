# SPDX-License-Identifier: GPL-3.0-or-later
"""What xmldsig.py makes, xmlsec1 (another hand's verifier) accepts; and refuses after one changed letter."""

import datetime
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from entra import xmldsig

ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
NOTE = "urn:example:note"
needs_xmlsec1 = pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not installed")

DOCUMENT = f"""<?xml-stylesheet href="none"?><!-- outside --><p:Response
 xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:unused="urn:example:unused" xmlns:n="{NOTE}"><Assertion
 xmlns="{ASSERTION}" ID="_a1" Version="2.0"><Issuer>https://sts.example/</Issuer> a tail
<Subject><!-- unseen --><NameID n:kind="&quot;mail&quot;">Zoë &amp; Søn&#13;</NameID></Subject></Assertion>
 another tail</p:Response>"""


@pytest.fixture(scope="module")
def rsa_pair():
    return _pair(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="module")
def ec_pair():
    return _pair(ec.generate_private_key(ec.SECP256R1()))


def _pair(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "xmldsig test")])
    now = datetime.datetime.utcnow()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return key, builder.sign(key, hashes.SHA256())


def _assertion(text=DOCUMENT):
    root = etree.fromstring(text.encode())
    return root, root.find(f"{{{ASSERTION}}}Assertion")


def _verified(tmp_path, root, key, certificate=None):
    """xmlsec1's verdict on the document as it would be sent."""
    file = tmp_path / "signed.xml"
    file.write_bytes(etree.tostring(root.getroottree(), encoding="utf-8"))
    material = tmp_path / "key"
    if isinstance(key, bytes):
        material.write_bytes(key)
        keys = ["--hmackey", material]
    else:
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        material.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, spki))
        keys = ["--pubkey-pem", material]
    command = ["xmlsec1", "--verify", "--enabled-key-data", "key-name"]
    command += ["--id-attr:ID", f"{ASSERTION}:Assertion", *keys, file]
    return subprocess.run(command, capture_output=True).returncode == 0


def _template(transforms, *, digest="sha256", signature="rsa-sha256", method=xmldsig.EXC_C14N, uri="#_a1", more=""):
    return etree.fromstring(
        f'<ds:Signature xmlns:ds="{xmldsig.DS}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{method}"/>'
        f'<ds:SignatureMethod Algorithm="{xmldsig.SIGNATURES[signature]}">{more}</ds:SignatureMethod>'
        f'<ds:Reference URI="{uri}"><ds:Transforms>{transforms}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{xmldsig.DIGESTS[digest][0]}"/><ds:DigestValue/></ds:Reference>'
        f"</ds:SignedInfo><ds:SignatureValue/></ds:Signature>"
    )


def _transform(algorithm, inside=""):
    return f'<ds:Transform Algorithm="{algorithm}">{inside}</ds:Transform>'


ENVELOPED = _transform(xmldsig.ENVELOPED)
EXCLUSIVE = _transform(xmldsig.EXC_C14N)
PREFIXES = '<ec:InclusiveNamespaces xmlns:ec="%s" PrefixList="%s"/>'


@needs_xmlsec1
@pytest.mark.parametrize("signature", ["rsa-md5", "rsa-sha1", "rsa-sha224", "rsa-sha256", "rsa-sha384", "rsa-sha512"])
def test_add_makes_a_signature_that_verifies(tmp_path, rsa_pair, signature):
    root, assertion = _assertion()
    xmldsig.add(assertion, *rsa_pair, signature=signature, digest=signature[4:])
    assert _verified(tmp_path, root, rsa_pair[0])


def test_add_goes_behind_the_issuer_in_default_namespace(rsa_pair):
    _, assertion = _assertion()
    added = xmldsig.add(assertion, *rsa_pair)
    assert assertion[1] is added and added.prefix is None
    assert assertion[0].tail == " a tail\n", "text behind the Issuer stays where it was"
    assert [etree.QName(e).localname for e in added] == ["SignedInfo", "SignatureValue", "KeyInfo"]
    assert added.findtext(".//{*}X509Certificate") == xmldsig.certificate_base64(rsa_pair[1])


def test_add_goes_first_without_issuer_and_where_told(rsa_pair):
    plain = etree.fromstring('<E ID="_e"><a/><b/></E>')
    assert plain.index(xmldsig.add(plain, *rsa_pair)) == 0
    told = etree.fromstring('<E ID="_e"><a/><b/></E>')
    assert told.index(xmldsig.add(told, *rsa_pair, position=2)) == 2


@needs_xmlsec1
@pytest.mark.parametrize(
    "transforms",
    [
        ENVELOPED + EXCLUSIVE,
        ENVELOPED,
        ENVELOPED + _transform(xmldsig.C14N),
        ENVELOPED + _transform(xmldsig.C14N + "#WithComments"),
        ENVELOPED + _transform(xmldsig.C14N11),
        ENVELOPED + _transform(xmldsig.EXC_C14N + "WithComments"),
        ENVELOPED + _transform(xmldsig.EXC_C14N, PREFIXES % (xmldsig.EXC_C14N, "unused n")),
        ENVELOPED + _transform(xmldsig.EXC_C14N, PREFIXES % (xmldsig.EXC_C14N, "#default p")),
    ],
)
def test_fill_honours_the_transforms(tmp_path, rsa_pair, transforms):
    root, assertion = _assertion()
    assertion.insert(1, _template(transforms))
    xmldsig.fill(assertion[1], rsa_pair[0])
    assert _verified(tmp_path, root, rsa_pair[0])


@needs_xmlsec1
@pytest.mark.parametrize("uri", ["", "#_a1", "#xpointer(/)", "#xpointer(id('_a1'))"])
@pytest.mark.parametrize("comments", ["", "WithComments"])
def test_fill_honours_the_uri_and_its_comments(tmp_path, rsa_pair, uri, comments):
    root, assertion = _assertion()
    assertion.insert(1, _template(ENVELOPED + _transform(xmldsig.EXC_C14N + comments), uri=uri))
    xmldsig.fill(assertion[1], rsa_pair[0])
    assert _verified(tmp_path, root, rsa_pair[0])


@needs_xmlsec1
@pytest.mark.parametrize("method", [xmldsig.C14N, xmldsig.C14N + "#WithComments", xmldsig.EXC_C14N + "WithComments"])
def test_fill_honours_the_canonicalisation_of_signed_info(tmp_path, rsa_pair, method):
    root, assertion = _assertion()
    assertion.insert(1, _template(ENVELOPED + EXCLUSIVE, method=method))
    assertion[1][0].insert(0, etree.Comment("part of SignedInfo"))
    xmldsig.fill(assertion[1], rsa_pair[0])
    assert _verified(tmp_path, root, rsa_pair[0])


@needs_xmlsec1
def test_fill_pss(tmp_path, rsa_pair):
    root, assertion = _assertion()
    assertion.insert(1, _template(ENVELOPED + EXCLUSIVE, signature="rsa-pss-sha256"))
    value = xmldsig.fill(assertion[1], rsa_pair[0]).findtext("{*}SignatureValue")
    assert len(value) == 344  # xmlsec1 1.2.37 knows no RSASSA-PSS: nobody to ask


@needs_xmlsec1
def test_fill_ecdsa(tmp_path, ec_pair):
    root, assertion = _assertion()
    assertion.insert(1, _template(ENVELOPED + EXCLUSIVE, signature="ecdsa-sha256", digest="sha512"))
    xmldsig.fill(assertion[1], ec_pair[0])
    assert _verified(tmp_path, root, ec_pair[0])


@needs_xmlsec1
@pytest.mark.parametrize("more", ["", f'<HMACOutputLength xmlns="{xmldsig.DS}">160</HMACOutputLength>'])
def test_fill_hmac_with_a_secret(tmp_path, more):
    root, assertion = _assertion()
    assertion.insert(1, _template(ENVELOPED + EXCLUSIVE, signature="hmac-sha256", digest="sha1", more=more))
    xmldsig.fill(assertion[1], b"a shared secret of some length")
    assert _verified(tmp_path, root, b"a shared secret of some length")


@needs_xmlsec1
def test_fill_anywhere_not_only_as_a_child(tmp_path, rsa_pair):
    root, assertion = _assertion()
    root.append(_template(ENVELOPED + EXCLUSIVE))
    xmldsig.fill(root[-1], rsa_pair[0])
    assert _verified(tmp_path, root, rsa_pair[0])


@needs_xmlsec1
def test_one_changed_letter_no_longer_verifies(tmp_path, rsa_pair):
    root, assertion = _assertion()
    xmldsig.add(assertion, *rsa_pair)
    assertion[0].text = "https://sts.exemple/"
    assert not _verified(tmp_path, root, rsa_pair[0])


def test_fill_puts_the_certificate_into_the_template_or_makes_key_info(rsa_pair):
    key, certificate = rsa_pair
    _, assertion = _assertion()
    template = _template(ENVELOPED + EXCLUSIVE)
    etree.SubElement(template, f"{{{xmldsig.DS}}}Object")
    assertion.insert(1, template)
    xmldsig.fill(template, key)
    assert template.find("{*}KeyInfo") is None
    xmldsig.fill(template, key, certificate)
    assert [etree.QName(e).localname for e in template] == ["SignedInfo", "SignatureValue", "KeyInfo", "Object"]
    xmldsig.fill(template, key, certificate)
    assert len(template.findall("{*}KeyInfo")) == 1


def test_fill_leaves_what_it_cannot_compute(rsa_pair):
    _, assertion = _assertion()
    template = _template(ENVELOPED + EXCLUSIVE, uri="https://elsewhere.example/")
    template.find(".//{*}DigestValue").text = "kept"
    template.find(".//{*}SignatureMethod").set("Algorithm", "urn:example:none")
    template.find("{*}SignatureValue").text = "kept too"
    assertion.insert(1, template)
    xmldsig.fill(template, rsa_pair[0])
    assert template.findtext(".//{*}DigestValue") == "kept" and template.findtext("{*}SignatureValue") == "kept too"


def test_fill_with_the_wrong_kind_of_key_says_so(ec_pair):
    _, assertion = _assertion()
    assertion.insert(1, _template(ENVELOPED + EXCLUSIVE))
    with pytest.raises(ValueError, match="rsa-sha256 cannot be made with"):
        xmldsig.fill(assertion[1], ec_pair[0])


def test_fill_can_be_told_which_of_two_equal_ids_is_meant(rsa_pair):
    root = etree.fromstring('<r><E ID="_e">one</E><E ID="_e">two</E></r>')
    root[0].append(_template(ENVELOPED + EXCLUSIVE, uri="#_e"))
    first = xmldsig.fill(root[0][-1], rsa_pair[0]).findtext(".//{*}DigestValue")
    second = xmldsig.fill(root[0][-1], rsa_pair[0], target=root[1]).findtext(".//{*}DigestValue")
    assert first != second
