# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can sign in: one user for each way in which users differ for an application."""

import uuid
from dataclasses import dataclass, field

DOMAIN = "contoso.example"
_NAMESPACE = uuid.UUID("2f0e7d1c-53a6-4f1b-9d52-0c1b8a7e6d54")

FINANCE = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
STAFF = "5b7c2d10-6a3e-4f48-9d21-7e8f90a1b2c3"


@dataclass
class User:
    """A user as the directory knows it. Empty values are absent from the claims, as in Entra."""

    key: str
    given_name: str
    surname: str
    note: str = ""
    display_name: str = ""
    upn: str = ""
    mail: str = ""
    groups: list = field(default_factory=list)
    roles: list = field(default_factory=list)
    wids: list = field(default_factory=list)
    guest_of: str = ""
    multifactor: bool = False
    department: str = ""

    def __post_init__(self):
        self.display_name = self.display_name or f"{self.given_name} {self.surname}".strip()
        self.upn = self.upn or f"{self.key}@{DOMAIN}"

    @property
    def object_id(self):
        return stable_id("user", self.key)


def stable_id(*words):
    """The same GUID for the same words in every run, so that configurations and tests can name it."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(words)))


def many_groups(count):
    return [stable_id("group", str(number)) for number in range(count)]


_ALL = [
    User(
        "ada",
        "Ada",
        "Lovelace",
        "In two groups, has the role Editor",
        mail=f"ada@{DOMAIN}",
        groups=[FINANCE, STAFF],
        roles=["Editor"],
        multifactor=True,
        department="Analysis",
    ),
    User(
        "ben", "Ben", "Okafor", "In one group, has the role Reader only", mail=f"ben@{DOMAIN}",
        groups=[STAFF], roles=["Reader"],
    ),
    User("nora", "Nora", "Lindqvist", "Has no mail address, no group and no role"),
    User(
        "gus",
        "Gus",
        "Fernández",
        "A guest from another organisation (#EXT# name)",
        upn="gus_fabrikam.example#EXT#@contoso.onmicrosoft.example",
        mail="gus@fabrikam.example",
        groups=[STAFF],
        roles=["Reader"],
        guest_of="https://sts.windows.net/97fb2e3d-d978-44e1-bb74-0aa0109189b5/",
    ),
    User(
        "zoe",
        "Zoë",
        "Ångström; née Brown\\Grün",
        "UTF-8, semicolon, backslash, comma, quote, <&> in the names; Editor and Reader",
        display_name='Ångström, Zoë "Zo" <R&D> Ωμέγα',
        mail=f"zoë@{DOMAIN}",
        groups=[FINANCE, "CONTOSO\\Finance; Audit", "Sales & Marketing"],
        roles=["Reader", "Editor"],
        wids=["62e90394-69f5-4237-9190-012177145e10"],
        department="R&D; Labs\\North",
    ),
    User(
        "max", "Max", "Gruber", "In 150 groups, the most that Entra names", mail=f"max@{DOMAIN}",
        groups=many_groups(150), roles=["Reader"],
    ),
    User(
        "otto", "Otto", "Overage", "In 2,000 groups: Entra sends a link in their place", mail=f"otto@{DOMAIN}",
        groups=many_groups(2000), roles=["Reader"],
    ),
    User(
        "tess",
        "Tess",
        "Thousand",
        "Has 2,000 roles: far more values than usual",
        mail=f"tess@{DOMAIN}",
        groups=[STAFF],
        roles=[f"Role.{number:04d}" for number in range(2000)],
    ),
]

USERS = {user.key: user for user in _ALL}
