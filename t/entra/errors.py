# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that reach the application: Entra tells of these in a Response once it trusts the reply URL.

Which codes come this way, and which only on Microsoft's own page, is not documented; any of them may. The numbers
are Microsoft's ("Microsoft Entra authentication and authorization error codes"), the sentences ours.
"""

from . import names

# code: sentence, first and second status code
ERRORS = {
    "50058": (
        "A silent sign-in request was sent but no user is signed in.",
        names.RESPONDER,
        names.NO_PASSIVE,
    ),
    "50105": (
        "Your administrator has configured the application to block users unless they are assigned to it.",
        names.RESPONDER,
        names.AUTHN_FAILED,
    ),
    "50076": (
        "Due to a configuration change, or because you moved, you must use multifactor authentication.",
        names.RESPONDER,
        names.AUTHN_FAILED,
    ),
    "53003": ("Access has been blocked by Conditional Access policies.", names.RESPONDER, names.AUTHN_FAILED),
    "75003": (
        "A response cannot be sent by another binding than HTTP POST.",
        names.REQUESTER,
        names.UNSUPPORTED_BINDING,
    ),
    "75011": (
        "The way in which the user signed in to the service does not match the requested one.",
        names.RESPONDER,
        names.NO_AUTHN_CONTEXT,
    ),
    "90011": ("A property of the SAML authentication request is not supported.", names.REQUESTER, names.UNSUPPORTED),
    "501241": ("The NameID claim has no value for the user.", names.RESPONDER, names.AUTHN_FAILED),
}
