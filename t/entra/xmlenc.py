# SPDX-License-Identifier: GPL-3.0-or-later
"""XML encryption, made rather than opened: an EncryptedAssertion in the shape of Microsoft's other product, AD FS.

Entra documents "AES-256" and no more; aes256-cbc, rsa-oaep-mgf1p and an EncryptedKey inside of KeyInfo are assumed. The
other algorithms and places are what a module must understand anyway, in case Entra changes.
"""

import base64
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from . import names, wire
from .xmldsig import certificate_base64

ENC = "http://www.w3.org/2001/04/xmlenc#"
ENC11 = "http://www.w3.org/2009/xmlenc11#"
DS = names.XMLDSIG
ELEMENT = ENC + "Element"

CONTENTS = {
    "aes128-cbc": (ENC + "aes128-cbc", 16),
    "aes256-cbc": (ENC + "aes256-cbc", 32),
    "aes128-gcm": (ENC11 + "aes128-gcm", 16),
    "aes256-gcm": (ENC11 + "aes256-gcm", 32),
}
DIGESTS = {"sha1": (DS + "sha1", hashes.SHA1), "sha256": (ENC + "sha256", hashes.SHA256)}
# Name to (algorithm, digest, digest of the mask generation where it is named).
TRANSPORTS = {
    "rsa-oaep-mgf1p": (ENC + "rsa-oaep-mgf1p", "sha1", None),
    "rsa-oaep-mgf1p-sha256": (ENC + "rsa-oaep-mgf1p", "sha256", None),
    "rsa-oaep": (ENC11 + "rsa-oaep", "sha256", "sha256"),
    "rsa-oaep-sha1": (ENC11 + "rsa-oaep", "sha1", "sha1"),
    "rsa-oaep-mixed": (ENC11 + "rsa-oaep", "sha256", "sha1"),
    "rsa-1_5": (ENC + "rsa-1_5", None, None),
}
INSIDE, SIBLING = "inside", "sibling"


@dataclass(frozen=True)
class Encryption:
    """How: the algorithm of the content, that of its key, and where the EncryptedKey stands."""

    content: str = "aes256-cbc"
    transport: str = "rsa-oaep-mgf1p"
    place: str = INSIDE


def encrypt(assertion, certificate, how=Encryption(), pad=None):
    """The EncryptedAssertion, as text, that takes the place of `assertion` (octets) for a certificate. `pad` is the last
    octet of CBC's padding, where it shall not be the right one.

    Text, since lxml would give EncryptedKey the prefix of EncryptedData, which in AD FS are two.
    """
    key = os.urandom(CONTENTS[how.content][1])
    wrapped = _encrypted_key(key, certificate, how.transport)
    key_info = f'<KeyInfo xmlns="{DS}">{wrapped}</KeyInfo>' if how.place == INSIDE else ""
    return (
        f'<EncryptedAssertion xmlns="{names.ASSERTION}"><xenc:EncryptedData Type="{ELEMENT}" xmlns:xenc="{ENC}">'
        f'<xenc:EncryptionMethod Algorithm="{CONTENTS[how.content][0]}"/>{key_info}'
        f'{_cipher_data(cipher(assertion, key, how.content, pad), "xenc")}</xenc:EncryptedData>'
        f'{"" if key_info else wrapped}</EncryptedAssertion>'
    )


def replace(assertion, certificate, how=Encryption()):
    """Encrypt an Assertion where it stands in its Response."""
    text = encrypt(wire.serialise(assertion).encode("utf-8"), certificate, how)
    assertion.getparent().replace(assertion, etree.fromstring(text))


def cipher(octets, key, content, pad=None):
    """IV and cipher text, with GCM the tag behind. The last octet of CBC's padding says how long it is."""
    if content.endswith("gcm"):
        iv = os.urandom(12)
        return iv + AESGCM(key).encrypt(iv, octets, None)
    iv, missing = os.urandom(16), 16 - len(octets) % 16
    padding = os.urandom(missing - 1) + (bytes([missing]) if pad is None else pad)
    context = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return iv + context.update(octets + padding) + context.finalize()


def wrap(key, certificate, transport):
    """The content's key, encrypted for the certificate."""
    _, digest, mask = TRANSPORTS[transport]
    if digest is None:
        return certificate.public_key().encrypt(key, rsa_padding.PKCS1v15())
    mgf = rsa_padding.MGF1(DIGESTS[mask or "sha1"][1]())
    return certificate.public_key().encrypt(key, rsa_padding.OAEP(mgf, DIGESTS[digest][1](), None))


def _encrypted_key(key, certificate, transport):
    uri, digest, mask = TRANSPORTS[transport]
    parameters = f'<DigestMethod Algorithm="{DIGESTS[digest][0]}" xmlns="{DS}"/>' if digest else ""
    parameters += f'<MGF Algorithm="{ENC11}mgf1{mask}" xmlns="{ENC11}"/>' if mask else ""
    x509 = f"<X509Data><X509Certificate>{certificate_base64(certificate)}</X509Certificate></X509Data>"
    return (
        f'<e:EncryptedKey xmlns:e="{ENC}"><e:EncryptionMethod Algorithm="{uri}">{parameters}</e:EncryptionMethod>'
        f'<KeyInfo xmlns="{DS}">{x509}</KeyInfo>{_cipher_data(wrap(key, certificate, transport), "e")}</e:EncryptedKey>'
    )


def _cipher_data(octets, prefix):
    value = base64.b64encode(octets).decode("ascii")
    return f"<{prefix}:CipherData><{prefix}:CipherValue>{value}</{prefix}:CipherValue></{prefix}:CipherData>"
