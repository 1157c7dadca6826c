# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to make the next response wrong. A service provider has to notice each of them.

A Tamper holds up to four functions, called in the order in which a response comes into being:

    facts(said)       change what will be said (response.Facts); it is signed afterwards
    unsigned(tree)    change the XML before it is signed
    signed(tree)      change the XML after that
    form(fields)      change the fields that the browser will post (a dict)

The named ones cover what a real service or a real attacker does; tests write their own for the rest.
"""

import base64
import datetime
from dataclasses import dataclass, replace
from typing import Callable, Optional

from . import names
from .keys import Signer

HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Tamper:
    facts: Optional[Callable] = None
    unsigned: Optional[Callable] = None
    signed: Optional[Callable] = None
    form: Optional[Callable] = None


def setting(**values):
    """A Tamper that sets fields of response.Facts; functions among the values get the Facts."""

    def change(said):
        for name, value in values.items():
            setattr(said, name, value(said) if callable(value) else value)

    return Tamper(facts=change)


def _shift(delta):
    def change(said):
        for name in (
            "response_issued",
            "assertion_issued",
            "not_before",
            "not_on_or_after",
            "confirmation_until",
            "authn_instant",
        ):
            setattr(said, name, getattr(said, name) + delta)

    return Tamper(facts=change)


def _first(tree, name):
    return next(tree.iter(f"{{{names.ASSERTION}}}{name}"))


def _change_name_id(tree):
    _first(tree, "NameID").text = "admin@contoso.example"


def _change_role(tree):
    for attribute in tree.iter(f"{{{names.ASSERTION}}}Attribute"):
        if attribute.get("Name") == names.ROLE:
            attribute[0].text = "Administrator"


def _remove_signatures(tree):
    for signature in list(tree.iter(f"{{{names.XMLDSIG}}}Signature")):
        signature.getparent().remove(signature)


def _change_signature_value(tree):
    value = next(tree.iter(f"{{{names.XMLDSIG}}}SignatureValue"))
    value.text = ("B" if value.text[0] == "A" else "A") + value.text[1:]


def _add_doctype(fields):
    xml = base64.b64decode(fields["SAMLResponse"])
    fields["SAMLResponse"] = base64.b64encode(b'<!DOCTYPE a [<!ENTITY e "x">]>' + xml).decode("ascii")


def _cut(fields):
    fields["SAMLResponse"] = fields["SAMLResponse"][: len(fields["SAMLResponse"]) // 2]


def _drop_relay_state(fields):
    fields.pop("RelayState", None)


TAMPERS = {
    # Said wrongly, but properly signed
    "expired": _shift(-2 * HOUR),
    "from-the-future": _shift(2 * HOUR),
    "other-audience": setting(audience="https://elsewhere.example/saml/metadata"),
    "no-audience": setting(audience=None),
    "other-recipient": setting(recipient="https://elsewhere.example/saml/acs"),
    "other-destination": setting(destination="https://elsewhere.example/saml/acs"),
    "other-issuer": setting(issuer="https://sts.windows.net/00000000-0000-0000-0000-000000000000/"),
    "other-request": setting(in_response_to="_00000000-0000-0000-0000-000000000000"),
    "unsolicited": setting(in_response_to=None),
    "other-key": setting(signer=lambda said: Signer()),
    "sha1": setting(digest="sha1"),
    "no-attributes": setting(attributes=[]),
    # Changed after signing
    "unsigned": Tamper(signed=_remove_signatures),
    "signature-value": Tamper(signed=_change_signature_value),
    "name-id-changed": Tamper(signed=_change_name_id),
    "role-changed": Tamper(signed=_change_role),
    # Broken on the way
    "doctype": Tamper(form=_add_doctype),
    "cut-off": Tamper(form=_cut),
    "no-relay-state": Tamper(form=_drop_relay_state),
}


def tamper(change):
    """A Tamper from a name of TAMPERS, a Tamper, or a function of response.Facts."""
    if isinstance(change, str):
        return TAMPERS[change]
    return change if isinstance(change, Tamper) else replace(Tamper(), facts=change)
