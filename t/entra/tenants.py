# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that several tenants use: the document of all of them, and an issuer for each.

The tenant-independent document names no tenant: its issuer holds the word {tenantid}, its addresses "common". It is signed
with the keys that sign for every tenant whose application has no certificate of its own.
"""

from dataclasses import dataclass

from .directory import Tenant
from .metadata import federation_metadata


@dataclass
class CommonTenant(Tenant):
    """What stands for any tenant, as the document of all of them says it."""

    tenant_id: str = "{tenantid}"


@dataclass
class AppendedIssuer(Tenant):
    """A tenant with "append application ID to issuer" for its one application.

    What Entra then writes is not documented; the application takes the form that it is told.
    """

    application_id: str = ""

    @property
    def issuer(self):
        return f"{super().issuer}{self.application_id}"


def common_metadata(base_url, certificates, signer, **options):
    """The document at /common/. `certificates` are the Signers of all tenants, `signer` is the one that signs it."""
    return federation_metadata(CommonTenant(signer=signer), f"{base_url}/common", certificates, signer, **options)
