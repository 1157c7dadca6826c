# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of requests in the redirect binding (SAML bindings 3.4.4.1).

Microsoft, "Enforce signed SAML authentication requests": a signature is not even looked at unless the application
requires verification certificates; then only RSA with SHA-256 counts. Which code an invalid signature gets is our reading
of the list of error codes. A signed request by the POST binding is not understood here.
"""

import base64
import binascii
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .request import Refused

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


def check(query, application):
    """Raise Refused unless the raw `query` carries what the application requires."""
    if application.require_signed:
        verify(query, application)


def verify(query, application):
    """Raise Refused unless the raw `query` is signed by the application. Entra itself does this with requests to sign in
    only; tests do it with messages of single logout as well."""
    raw = dict(field.partition("=")[::2] for field in query.split("&"))
    if "Signature" not in raw or "SigAlg" not in raw:
        raise Refused("76021", "The request is not signed, or not in its query, but the application requires it.")
    if urllib.parse.unquote(raw["SigAlg"]) != RSA_SHA256:
        raise Refused("50006", f"The request is signed with an algorithm that is not supported: {raw['SigAlg']}.")
    try:
        signature = base64.b64decode(urllib.parse.unquote(raw["Signature"]), validate=True)
    except binascii.Error as error:
        raise Refused("50006", "The signature of the request is no base64.") from error
    octets = _octets(raw)
    if not any(_verifies(certificate, signature, octets) for certificate in application.verification_certificates):
        raise Refused("50006", "The signature of the request does not verify with any verification certificate.")


def _octets(raw):
    """What is signed: three parameters in this order, each as it was encoded by the sender; nothing else counts."""
    names = [name for name in ("SAMLRequest", "SAMLResponse", "RelayState", "SigAlg") if name in raw]
    return "&".join(f"{name}={raw[name]}" for name in names).encode("ascii")


def _verifies(certificate, signature, octets):
    try:
        certificate.public_key().verify(signature, octets, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
