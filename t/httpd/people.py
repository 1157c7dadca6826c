# SPDX-License-Identifier: GPL-3.0-or-later
"""Who signs in during the tests: the lookalike's users, and some that only a test needs."""

import entra
from entra.users import User

COST_CENTRE = "http://example.com/claims/cost-centre"
UNKNOWN = "https://claims.example.com/2020/Employee.Type-Of"
BARE = "Group"

# What this application gets beside Entra's default set: a claim with an alias, one without, one without namespace.
EXTRA_CLAIMS = {
    COST_CENTRE: "department",
    UNKNOWN: lambda user: ["permanent", "full; time"] if user.roles else [],
    BARE: lambda user: user.groups[:1],
}

USERS = {
    **entra.USERS,
    # Everything that HTML, HTTP and logs could choke on.
    "eve": User(
        "eve",
        '<script>alert("given")</script>',
        "'\"><img src=x onerror=alert(1)>",
        upn="<b>eve</b>&amp;@contoso.example",
        mail="eve@contoso.example",
    ),
}
