# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that SAML, WS-Federation and Microsoft gave to things."""

# --- Namespaces ---

ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
WSFED = "http://docs.oasis-open.org/wsfed/federation/200706"
WSFED_AUTH = "http://docs.oasis-open.org/wsfed/authorization/200706"
WSA = "http://www.w3.org/2005/08/addressing"

# --- SAML identifiers ---

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
PASSWORD_PROTECTED = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
UNSPECIFIED_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"

STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
SUCCESS = STATUS + "Success"
REQUESTER = STATUS + "Requester"
RESPONDER = STATUS + "Responder"
UNSUPPORTED_BINDING = STATUS + "UnsupportedBinding"
NO_PASSIVE = STATUS + "NoPassive"
NO_AUTHN_CONTEXT = STATUS + "NoAuthnContext"
AUTHN_FAILED = STATUS + "AuthnFailed"
UNSUPPORTED = STATUS + "RequestUnsupported"

FORMAT_EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
FORMAT_UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
FORMAT_PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
FORMAT_TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

# --- Claims ---

_IDENTITY = "http://schemas.microsoft.com/identity/claims/"
_MICROSOFT = "http://schemas.microsoft.com/claims/"
_WS2008 = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
_XMLSOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

TENANT_ID = _IDENTITY + "tenantid"
OBJECT_ID = _IDENTITY + "objectidentifier"
DISPLAY_NAME = _IDENTITY + "displayname"
IDENTITY_PROVIDER = _IDENTITY + "identityprovider"
AUTHN_METHODS = _MICROSOFT + "authnmethodsreferences"
GROUPS_LINK = _MICROSOFT + "groups.link"
GROUPS = _WS2008 + "groups"
ROLE = _WS2008 + "role"
WIDS = _WS2008 + "wids"
GIVEN_NAME = _XMLSOAP + "givenname"
SURNAME = _XMLSOAP + "surname"
EMAIL = _XMLSOAP + "emailaddress"
NAME = _XMLSOAP + "name"

METHOD_PASSWORD = "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password"
METHOD_UNSPECIFIED = "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/unspecified"
METHOD_MULTIPLE = _MICROSOFT + "multipleauthn"

# The claim types that every metadata document of Entra offers, in its order, with display name and
# description. It is not the list of what an application receives.
CLAIM_TYPES_OFFERED = [
    (NAME, "Name", "The mutable display name of the user."),
    (
        _XMLSOAP + "nameidentifier",
        "Subject",
        "An immutable, globally unique, non-reusable identifier of the user that is unique to the application"
        " for which a token is issued.",
    ),
    (GIVEN_NAME, "Given Name", "First name of the user."),
    (SURNAME, "Surname", "Last name of the user."),
    (DISPLAY_NAME, "Display Name", "Display name of the user."),
    (_IDENTITY + "nickname", "Nick Name", "Nick name of the user."),
    (
        _WS2008 + "authenticationinstant",
        "Authentication Instant",
        "The time (UTC) when the user is authenticated to Windows Azure Active Directory.",
    ),
    (
        _WS2008 + "authenticationmethod",
        "Authentication Method",
        "The method that Windows Azure Active Directory uses to authenticate users.",
    ),
    (
        OBJECT_ID,
        "ObjectIdentifier",
        "Primary identifier for the user in the directory. Immutable, globally unique, non-reusable.",
    ),
    (TENANT_ID, "TenantId", "Identifier for the user's tenant."),
    (IDENTITY_PROVIDER, "IdentityProvider", "Identity provider for the user."),
    (EMAIL, "Email", "Email address of the user."),
    (GROUPS, "Groups", "Groups of the user."),
    (_IDENTITY + "accesstoken", "External Access Token", "Access token issued by external identity provider."),
    (
        _WS2008 + "expiration",
        "External Access Token Expiration",
        "UTC expiration time of access token issued by external identity provider.",
    ),
    (
        _IDENTITY + "openid2_id",
        "External OpenID 2.0 Identifier",
        "OpenID 2.0 identifier issued by external identity provider.",
    ),
    (GROUPS_LINK, "GroupsOverageClaim", "Issued when number of user's group claims exceeds return limit."),
    (ROLE, "Role Claim", "Roles that the user or Service Principal is attached to"),
    (WIDS, "RoleTemplate Id Claim", "Role template id of the Built-in Directory Roles that the user is a member of"),
]
