# SPDX-License-Identifier: GPL-3.0-or-later
"""EntraSAMLSigningCertificate and EntraSAMLDecryptionCertificate: their files, and what is wrong with them."""

import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from entra import Signer
from server import PROTECTED

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
DIRECTIVES = ["EntraSAMLSigningCertificate", "EntraSAMLDecryptionCertificate"]


def certificate_pem(signer):
    return signer.certificate.public_bytes(PEM)


def key_pem(key, passphrase=None):
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(PEM, PKCS8, how)


@pytest.fixture(scope="module")
def ours():
    return Signer("app.example.test")


@pytest.fixture(scope="module")
def checker(make_httpd):
    return make_httpd(start=False)


@pytest.fixture
def judge(checker, ours):
    """judge(directive, cert=…, key=…, mode=…): what `httpd -t` says of a pair with one thing wrong."""

    def run(directive, cert=None, key=None, mode=0o600, lines="{directive} cert.pem key.pem"):
        for name, octets in (("cert.pem", cert or certificate_pem(ours)), ("key.pem", key or key_pem(ours.key))):
            file = checker.root / name
            file.unlink(missing_ok=True)
            file.write_bytes(octets)
        (checker.root / "key.pem").chmod(mode)
        checker.configure(vhost=lines.format(directive=directive) + PROTECTED)
        return checker.configtest()

    return run


def refused(judged, code, line):
    status, text = judged
    assert status != 0 and f"reason={code}" in text and f"line {line}" in text.replace("\n", " "), text
    assert text.count("[entra_saml]") == 1, text


@pytest.mark.parametrize("directive", DIRECTIVES)
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640])
def test_good(judge, directive, mode):
    """A group may read the key: Debian's ssl-cert."""
    status, text = judge(directive, mode=mode)
    assert status == 0 and "Syntax OK" in text, text


@pytest.mark.parametrize("directive", DIRECTIVES)
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601, 0o620, 0o666])
def test_a_key_that_others_may_read(checker, judge, directive, mode):
    refused(judge(directive, mode=mode), "pair-unreadable", checker.line_of(directive))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_key_of_somebody_else(checker, judge, ours):
    key = checker.root / "other.pem"
    key.write_bytes(key_pem(ours.key))
    key.chmod(0o600)
    os.chown(key, 12345, 12345)
    judged = judge(DIRECTIVES[0], lines="{directive} cert.pem other.pem")
    refused(judged, "pair-unreadable", checker.line_of(DIRECTIVES[0]))


@pytest.mark.parametrize("directive", DIRECTIVES)
@pytest.mark.parametrize("lines", ["{directive} none.pem key.pem", "{directive} cert.pem none.pem", "{directive} . ."])
def test_files_that_are_none(checker, judge, directive, lines):
    refused(judge(directive, lines=lines), "pair-unreadable", checker.line_of(directive))


@pytest.mark.parametrize("directive", DIRECTIVES)
@pytest.mark.parametrize("lines", ["{directive} cert.pem", "{directive} cert.pem key.pem more"])
def test_another_number_of_files(judge, directive, lines):
    status, text = judge(directive, lines=lines)
    assert status != 0 and "reason=config-value" in text, text


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_contents(checker, judge, ours, directive):
    foreign, weak, curve = Signer("other"), Signer("weak", bits=1024), ec.generate_private_key(ec.SECP256R1())
    for code, files in {
        "pair-certificate": {"cert": b"nothing"},
        "pair-key": {"key": certificate_pem(ours)},
        "pair-encrypted": {"key": key_pem(ours.key, b"secret")},
        "pair-mismatch": {"key": key_pem(foreign.key)},
        "pair-weak": {"cert": certificate_pem(weak), "key": key_pem(weak.key)},
    }.items():
        refused(judge(directive, **files), code, checker.line_of(directive))
    refused(judge(directive, key=key_pem(curve)), "pair-weak", checker.line_of(directive))


def test_the_second_pair_is_judged_too_and_named(checker, judge):
    lines = "{directive} cert.pem key.pem\n{directive} cert.pem none.pem"
    status, text = judge(DIRECTIVES[1], lines=lines)
    assert status != 0 and "reason=pair-unreadable" in text and "none.pem" in text, text


def test_what_virtual_hosts_inherit_is_told_once(checker, judge):
    """A fault of the main server's is one fault, however many virtual hosts inherit it."""
    judge(DIRECTIVES[0])
    checker.configure(server=f"{DIRECTIVES[0]} cert.pem none.pem", vhost=PROTECTED)
    status, text = checker.configtest()
    checker.configure(server="")
    assert status != 0 and text.count("reason=pair-unreadable") == 1, text
