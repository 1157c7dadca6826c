# SPDX-License-Identifier: GPL-3.0-or-later
"""Federation metadata: two WS-Federation roles that a SAML application must step over, then the SAML one.

The shape is that of the app-specific document of 2019: one line, signed by the application's own
certificate, byte order mark, a blank before each "/>".
"""

import uuid

from . import names, wire, xmldsig
from .wire import element

BYTE_ORDER_MARK = "\ufeff"


def federation_metadata(tenant, login, certificates, signer, *, byte_order_mark=True):
    """The document as UTF-8 octets. `login` is the service's address with the tenant, without final slash.

    `certificates` are the Signers whose certificates it names, `signer` the one that signs it.
    """
    document = element(
        f"{{{names.METADATA}}}EntityDescriptor",
        {"ID": f"_{uuid.uuid4()}", "entityID": tenant.issuer},
        _security_token_service(login, certificates),
        _application_service(tenant, login, certificates),
        _identity_provider(login, certificates),
    )
    xmldsig.add(document, signer.key, signer.certificate, position=0)
    text = wire.PROLOGUE + wire.serialise(document, empty=" />")
    return ((BYTE_ORDER_MARK if byte_order_mark else "") + text).encode("utf-8")


def _identity_provider(login, certificates):
    endpoint = f"{login}/saml2"
    return element(
        _md("IDPSSODescriptor"),
        {"protocolSupportEnumeration": names.PROTOCOL},
        *_key_descriptors(certificates),
        element(_md("SingleLogoutService"), {"Binding": names.REDIRECT, "Location": endpoint}),
        element(_md("SingleSignOnService"), {"Binding": names.REDIRECT, "Location": endpoint}),
        element(_md("SingleSignOnService"), {"Binding": names.POST, "Location": endpoint}),
    )


def _security_token_service(login, certificates):
    return _wsfed_role(
        "SecurityTokenServiceType",
        *_key_descriptors(certificates),
        _fed("ClaimTypesOffered", *(_claim_type(*claim) for claim in names.CLAIM_TYPES_OFFERED)),
        _fed("SecurityTokenServiceEndpoint", _address(f"{login}/wsfed")),
        _fed("PassiveRequestorEndpoint", _address(f"{login}/wsfed")),
    )


def _application_service(tenant, login, certificates):
    return _wsfed_role(
        "ApplicationServiceType",
        *_key_descriptors(certificates),
        _fed("TargetScopes", _address(tenant.issuer)),
        _fed("ApplicationServiceEndpoint", _address(f"{login}/wsfed")),
        _fed("PassiveRequestorEndpoint", _address(f"{login}/wsfed")),
    )


def _wsfed_role(kind, *children):
    attributes = {f"{{{names.XSI}}}type": f"fed:{kind}", "protocolSupportEnumeration": names.WSFED}
    return element(_md("RoleDescriptor"), attributes, *children, xsi=names.XSI, fed=names.WSFED)


def _key_descriptors(certificates):
    for certificate in certificates:
        data = element(_ds("X509Data"), {}, element(_ds("X509Certificate"), {}, certificate.base64))
        yield element(_md("KeyDescriptor"), {"use": "signing"}, element(_ds("KeyInfo"), {}, data))


def _claim_type(uri, name, description):
    return element(
        f"{{{names.WSFED_AUTH}}}ClaimType",
        {"Uri": uri},
        element(f"{{{names.WSFED_AUTH}}}DisplayName", {}, name, prefix="auth"),
        element(f"{{{names.WSFED_AUTH}}}Description", {}, description, prefix="auth"),
        prefix="auth",
    )


def _address(url):
    address = element(f"{{{names.WSA}}}Address", {}, url, prefix="wsa")
    return element(f"{{{names.WSA}}}EndpointReference", {}, address, prefix="wsa")


def _fed(name, *children):
    return element(f"{{{names.WSFED}}}{name}", {}, *children, prefix="fed")


def _md(name):
    return f"{{{names.METADATA}}}{name}"


def _ds(name):
    return f"{{{names.XMLDSIG}}}{name}"
