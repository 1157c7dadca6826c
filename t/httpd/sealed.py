# SPDX-License-Identifier: GPL-3.0-or-later
"""A pending sign-in as RelayState carries it, opened with the server's own key: to wait an hour without waiting.

The layout is session/pending.c's, the seal base/crypto.c's (AES-SIV, RFC 5297).
"""

import base64

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

LABEL = b"entra-saml pending 1"
STARTED = slice(1, 5)


def aged(httpd, relay_state, seconds):
    """The same pending sign-in, started that much earlier."""
    siv = AESSIV((httpd.root / "state" / "key").read_bytes())
    plain = bytearray(siv.decrypt(decode(relay_state), [LABEL]))
    started = int.from_bytes(plain[STARTED], "big") - seconds
    plain[STARTED] = started.to_bytes(4, "big")
    return encode(siv.encrypt(bytes(plain), [LABEL]))


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
