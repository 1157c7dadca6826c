# SPDX-License-Identifier: GPL-3.0-or-later
"""AuthnRequests as a service provider would send them, for tests of the lookalike itself."""

import base64
import urllib.parse
import zlib

from lxml import etree

from . import names

ENTITY_ID = "https://app.example/saml/metadata"
REPLY_URL = "https://app.example/saml/acs"
SAML = {"p": names.PROTOCOL, "a": names.ASSERTION, "m": names.METADATA, "d": names.XMLDSIG}


def authn_request(entra, inside="", issuer=ENTITY_ID, **attributes):
    """The XML of a minimal request. Attributes given as None are left out."""
    given = {
        "ID": "_0123456789abcdef",
        "Version": "2.0",
        "IssueInstant": "2026-01-02T03:04:05Z",
        "Destination": entra.endpoint,
        "AssertionConsumerServiceURL": REPLY_URL,
        **attributes,
    }
    written = "".join(f' {name}="{value}"' for name, value in given.items() if value is not None)
    issuer = f"<a:Issuer>{issuer}</a:Issuer>" if issuer is not None else ""
    return (
        f'<p:AuthnRequest xmlns:p="{names.PROTOCOL}" xmlns:a="{names.ASSERTION}"{written}>{issuer}{inside}'
        f"</p:AuthnRequest>"
    )


def location(entra, xml, relay_state="state"):
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    octets = deflater.compress(xml.encode()) + deflater.flush()
    fields = {"SAMLRequest": base64.b64encode(octets)}
    if relay_state is not None:
        fields["RelayState"] = relay_state
    return f"{entra.endpoint}?{urllib.parse.urlencode(fields)}"


def answer(entra, user="ada", relay_state="state", inside="", **attributes):
    return entra.sign_in(location(entra, authn_request(entra, inside, **attributes), relay_state), user)


def answered_tree(entra, *arguments, **options):
    return etree.fromstring(answer(entra, *arguments, **options).xml())
