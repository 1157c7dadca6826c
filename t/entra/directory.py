# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator enters in the portal: the tenant and its enterprise applications."""

import uuid
from dataclasses import dataclass, field

from . import names
from .keys import TENANT_SUBJECT, Signer
from .xmlenc import Encryption

SIGN_ASSERTION = "assertion"
SIGN_RESPONSE = "response"
SIGN_BOTH = "both"


@dataclass
class Application:
    """One enterprise application, in the portal's words.

    identifiers   Identifier (Entity ID), one or more; compared letter by letter
    reply_urls    Reply URL (Assertion Consumer Service URL); the first is the default
    sign_on_url   Sign on URL: what My Apps opens; without one it posts a response that nobody asked for
    relay_state   Relay State: goes along when the application is started from My Apps
    logout_url    Logout Url: where the messages of single logout go; without one the application hears of none
    sign          Signing Option: SIGN_ASSERTION (the portal's default), SIGN_RESPONSE or SIGN_BOTH
    digest        Signing Algorithm: "sha256" or "sha1"
    name_id       Unique User Identifier: an attribute of User, or "pairwise" for the opaque one
    extra_claims  additional claims: full name to attribute of User, or to a function of the User
    group_limit   Entra's 150: with more groups the claim is replaced by a link; None emits any number
    signer        the active certificate; standby holds those that are in the metadata but inactive
    verification_certificates
                  Verification certificates: what signatures of requests are checked with
    require_signed
                  Require verification certificates: unsigned requests and launches from My Apps are refused
    encryption_certificate
                  Token encryption: the active certificate, None without; encryption says how
    """

    identifiers: list
    reply_urls: list
    name: str = "Application"
    sign_on_url: str = ""
    relay_state: str = ""
    logout_url: str = ""
    sign: str = SIGN_ASSERTION
    digest: str = "sha256"
    name_id: str = "upn"
    name_id_format: str = names.FORMAT_EMAIL
    extra_claims: dict = field(default_factory=dict)
    group_limit: int = 150
    signer: Signer = field(default_factory=Signer)
    standby: list = field(default_factory=list)
    verification_certificates: list = field(default_factory=list)
    require_signed: bool = False
    encryption_certificate: object = None
    encryption: Encryption = Encryption()
    app_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def activate(self, signer):
        """Make another certificate the active one, as the administrator does, or Entra itself when the old one ends."""
        self.standby = [one for one in self.certificates if one is not signer]
        self.signer = signer

    @property
    def certificates(self):
        """All certificates of the application's metadata. Entra does not say which of them is active."""
        return [*self.standby, self.signer]

    def audience(self, identifier):
        """The Audience for a request with this Issuer: not being a URI it gets "spn:" in front."""
        return identifier if ":" in identifier else "spn:" + identifier


@dataclass
class Tenant:
    """One directory. Its own key signs the metadata documents that belong to no application."""

    tenant_id: str = "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
    signer: Signer = field(default_factory=lambda: Signer(TENANT_SUBJECT, years=2))

    @property
    def issuer(self):
        return f"https://sts.windows.net/{self.tenant_id}/"
