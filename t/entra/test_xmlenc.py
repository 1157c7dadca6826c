# SPDX-License-Identifier: GPL-3.0-or-later
"""What xmlenc.py encrypts, xmlsec1 (another hand's) opens, as far as it knows the algorithms."""

import dataclasses
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from lxml import etree

from entra import Signer, names, xmlenc
from entra.ask import SAML, answer
from entra.directory import SIGN_BOTH

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
CLEAR = '<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion">ü &amp; ä</Assertion>'.encode()
KNOWN = ["rsa-oaep-mgf1p", "rsa-1_5"]  # to xmlsec1 1.2


@pytest.fixture(scope="module")
def ours():
    return Signer("ours")


@pytest.fixture
def opened(ours, tmp_path):
    """What xmlsec1 makes of a document with EncryptedData in it."""
    if shutil.which("xmlsec1") is None:
        pytest.skip("xmlsec1 is not installed")
    (tmp_path / "key.pem").write_bytes(ours.key.private_bytes(PEM, PKCS8, serialization.NoEncryption()))

    def run(text):
        (tmp_path / "in.xml").write_text(text, "utf-8")
        command = ["xmlsec1", "--decrypt", "--privkey-pem", "key.pem", "--output", "out.xml", "in.xml"]
        subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return etree.parse(str(tmp_path / "out.xml")).getroot()

    return run


@pytest.mark.parametrize("content", xmlenc.CONTENTS)
@pytest.mark.parametrize("transport", KNOWN)
def test_xmlsec1_opens_it(opened, ours, content, transport):
    text = xmlenc.encrypt(CLEAR, ours.certificate, xmlenc.Encryption(content, transport))
    assert "Assertion>" not in text.replace("EncryptedAssertion>", "")
    root = opened(text)
    assert root.tag == f"{{{names.ASSERTION}}}EncryptedAssertion" and root[0].text == "ü & ä"


@pytest.mark.parametrize("how", [xmlenc.Encryption(), xmlenc.Encryption("aes128-gcm", "rsa-oaep", xmlenc.SIBLING)])
def test_an_application_with_a_certificate_gets_encrypted_assertions(entra, ours, how):
    before = entra.applications[0]
    entra.applications[0] = dataclasses.replace(
        before, encryption_certificate=ours.certificate, encryption=how, sign=SIGN_BOTH
    )
    try:
        tree = etree.fromstring(answer(entra).xml())
    finally:
        entra.applications[0] = before
    assert tree.find("a:Assertion", SAML) is None and tree.find("d:Signature", SAML) is not None
    [encrypted] = tree.findall("a:EncryptedAssertion", SAML)
    [key] = encrypted.iter(f"{{{xmlenc.ENC}}}EncryptedKey")
    assert (key.getparent() is encrypted) == (how.place == xmlenc.SIBLING)
    assert b"ada@contoso.example" not in etree.tostring(tree)
