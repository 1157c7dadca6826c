# SPDX-License-Identifier: GPL-3.0-or-later
"""What Entra says of a user: the default set of claims in the order of genuine responses."""

import base64
import hashlib

from . import names


def claims(tenant, application, user, multifactor=False):
    """[(name, [value, …]), …]. What the directory does not know is absent, not empty. `multifactor`: he was asked for
    more than one factor, and gave them."""
    everything = [
        (names.TENANT_ID, [tenant.tenant_id]),
        (names.OBJECT_ID, [user.object_id]),
        (names.DISPLAY_NAME, [user.display_name]),
        _groups(tenant, application, user),
        (names.IDENTITY_PROVIDER, [user.guest_of or tenant.issuer]),
        (names.AUTHN_METHODS, _methods(user, multifactor)),
        (names.WIDS, user.wids),
        (names.ROLE, user.roles),
        (names.GIVEN_NAME, [user.given_name]),
        (names.SURNAME, [user.surname]),
        (names.EMAIL, [user.mail]),
        (names.NAME, [user.upn]),
    ]
    for name, source in application.extra_claims.items():
        value = source(user) if callable(source) else getattr(user, source)
        everything.append((name, value if isinstance(value, list) else [value]))
    return [(name, values) for name, values in everything if any(values)]


def name_id(application, user):
    """The NameID's value; "" when its source attribute is empty, which Entra refuses."""
    if application.name_id == "pairwise":
        return pairwise(application, user)
    return getattr(user, application.name_id)


def pairwise(application, user):
    """The opaque identifier of a user for one application: 43 letters of base64url, as Entra's."""
    digest = hashlib.sha256(f"{application.app_id}/{user.object_id}".encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _groups(tenant, application, user):
    if application.group_limit is not None and len(user.groups) > application.group_limit:
        return names.GROUPS_LINK, [
            f"https://graph.windows.net/{tenant.tenant_id}/users/{user.object_id}/getMemberObjects"
        ]
    return names.GROUPS, user.groups


def _methods(user, multifactor):
    methods = [names.METHOD_PASSWORD, names.METHOD_UNSPECIFIED] if user.guest_of else [names.METHOD_PASSWORD]
    return [*methods, names.METHOD_MULTIPLE] if multifactor or user.multifactor else methods
