# SPDX-License-Identifier: GPL-3.0-or-later
"""A lookalike of Microsoft Entra ID, as far as a SAML 2.0 service provider can tell.

It serves the demo (`python3 -m entra`, see __main__.py) and the tests, which use it as a library:

    from entra import Application, Entra

    with Entra([Application(identifiers=["https://app.example/saml/metadata"],
                            reply_urls=["https://app.example/saml/acs"])]) as entra:
        entra.write_metadata("metadata.xml")          # for EntraSAMLMetadata
        form = entra.sign_in(location, "ada")         # what a browser would post to the application
        entra.tamper("expired")                       # the next response is wrong in one way
        entra.received[-1].refused                    # "50011": the lookalike refused the request

Where to read what: directory (tenant, applications), users (who can sign in), claims (what is said of
them), request (what is asked and when Entra refuses), signed (its signature), response (the answer),
metadata, tamper, keys, xmldsig, xmlenc, wire (XML as Microsoft writes it), pages (HTML), service (the story),
server (HTTP).

Everything that is known about the real service was measured on messages signed by Microsoft or read in
its documentation; where neither says anything a comment says what was assumed.
"""

from .directory import Application, Tenant
from .keys import Authority, Signer
from .server import Entra
from .service import Form
from .tamper import TAMPERS, Tamper
from .users import USERS, User

__all__ = ["Application", "Authority", "Entra", "Form", "Signer", "TAMPERS", "Tamper", "Tenant", "USERS", "User"]
