# SPDX-License-Identifier: GPL-3.0-or-later
"""AuthnRequests: reading one, and refusing it for the reasons and with the codes that Entra has.

Codes and conditions: Microsoft's "Single sign-on SAML protocol", its list of AADSTS error codes and its
support articles. The sentences are ours.
"""

import base64
import binascii
import re
import zlib
from dataclasses import dataclass

from lxml import etree

from . import names

LIMIT = 64 * 1024
NAME_ID_FORMATS = {names.FORMAT_EMAIL, names.FORMAT_UNSPECIFIED, names.FORMAT_PERSISTENT, names.FORMAT_TRANSIENT}
# What a sign-in by password satisfies, the only kind here; and multi-factor, which anybody can do who is asked for it.
CONTEXTS = {names.PASSWORD, names.PASSWORD_PROTECTED, names.UNSPECIFIED_CONTEXT, names.METHOD_MULTIPLE}


class Refused(Exception):
    """Entra shows its own page, the application hears nothing."""

    def __init__(self, code, text):
        super().__init__(f"AADSTS{code}: {text}")
        self.code = code


class Answered(Refused):
    """Entra tells the application, by a Response with this status: only once the reply URL can be trusted."""

    def __init__(self, code, text, request, status, second_status):
        super().__init__(code, text)
        self.request, self.status, self.second_status = request, status, second_status


@dataclass
class AuthnRequest:
    """A request that may be answered."""

    id: str
    issuer: str
    application: object
    reply_url: str
    name_id_format: str
    force_authn: bool
    is_passive: bool
    multifactor: bool  # it asks for more than one factor
    relay_state: str


def read_redirect(parameters):
    """The XML of a request by the redirect binding (SAML bindings 3.4.4.1): base64 of raw deflate."""
    octets = _unbase64(_field(parameters))
    try:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        xml = inflater.decompress(octets, LIMIT)
    except zlib.error as error:
        raise Refused("75005", "The request is not a valid SAML 2.0 message: it cannot be inflated.") from error
    if not inflater.eof:
        raise Refused("75005", "The request is not a valid SAML 2.0 message: it is cut off, or too long.")
    return xml


def read_post(parameters):
    """The XML of a request by the POST binding: base64."""
    return _unbase64(_field(parameters))


def check(xml, relay_state, endpoint, applications):
    """Judge a request that came to `endpoint` and return it, or raise Refused or Answered.

    The order is our assumption; Microsoft documents each refusal, not which comes first.
    """
    root = parse(xml)
    if root.tag != _samlp("AuthnRequest"):
        raise Refused("75005", "The request is not a valid SAML 2.0 message: it is no AuthnRequest.")
    identifier = _check_header(root)
    destination = root.get("Destination")
    # Documented both as ignored and as an error (75008). Strict here: the SP under test ought to send the right one.
    if destination is not None and destination != endpoint:
        raise Refused("75008", f"The request was sent to another destination: '{destination}'.")
    application, issuer = _application(root, applications)
    _check_unsupported(root)
    classes = _authn_contexts(root)
    request = AuthnRequest(
        id=identifier,
        issuer=issuer,
        application=application,
        reply_url=_reply_url(root, application),
        name_id_format=_name_id_format(root),
        force_authn=root.get("ForceAuthn") in ("true", "1"),
        is_passive=root.get("IsPassive") in ("true", "1"),
        multifactor=names.METHOD_MULTIPLE in classes,
        relay_state=relay_state,
    )
    _check_authn_contexts(root, classes)
    _check_binding(root, request)
    return request


def _check_header(root):
    identifier = root.get("ID")
    if not identifier:
        raise Refused("75005", "The request is not a valid SAML 2.0 message: it has no ID.")
    # An XML ID is an NCName. Entra words every violation as the one with the leading digit.
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", identifier, re.ASCII):
        raise Refused("7500529", f"'{identifier}' is not a valid SAML ID: it must not begin with a number.")
    if root.get("Version") != "2.0":
        raise Refused("75005", "The request is not a valid SAML 2.0 message: its Version is not 2.0.")
    # The value is "not evaluated", but it has to be one.
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z", root.get("IssueInstant", "")):
        raise Refused("75005", "The request is not a valid SAML 2.0 message: IssueInstant is no time in UTC.")
    return identifier


def _application(root, applications):
    issuer = root.findtext(_saml("Issuer"))
    if not issuer:
        raise Refused("75005", "The request is not a valid SAML 2.0 message: it has no Issuer.")
    for application in applications:
        if issuer in application.identifiers:
            return application, issuer
    raise Refused("700016", f"No application with the identifier '{issuer}' was found in the directory.")


def _check_unsupported(root):
    if root.find(_saml("Subject")) is not None:
        raise Refused("900236", "The property 'Subject' of the request is not supported and must not be set.")
    if root.find(f"{_samlp('NameIDPolicy')}[@SPNameQualifier]") is not None:
        raise Refused("90011", "The property 'NameIdentifierPolicy/SPNameQualifier' of the request is not supported.")
    scoping = root.find(_samlp("Scoping"))
    if scoping is not None and (scoping.get("ProxyCount") is not None or len(scoping)):
        raise Refused("90011", "The property 'Scoping' of the request is not supported with content.")


def _reply_url(root, application):
    asked = root.get("AssertionConsumerServiceURL")
    if asked is None:
        return application.reply_urls[0]
    if asked not in application.reply_urls:
        raise Refused(
            "50011",
            f"The reply URL '{asked}' of the request is none of those"
            f" configured for the application '{application.identifiers[0]}'.",
        )
    return asked


def _name_id_format(root):
    """The format that the request demands, or None: then the administrator's choice holds."""
    policy = root.find(_samlp("NameIDPolicy"))
    asked = policy.get("Format") if policy is not None else None
    if asked is not None and asked not in NAME_ID_FORMATS:
        raise Refused("750161", f"The NameIDPolicy of the request asks for a format that is not supported: '{asked}'.")
    return asked


def _authn_contexts(root):
    return [entry.text for entry in root.iterfind(f"{_samlp('RequestedAuthnContext')}/{_saml('AuthnContextClassRef')}")]


def _check_authn_contexts(root, classes):
    context = root.find(_samlp("RequestedAuthnContext"))
    if context is None:
        return
    if context.get("Comparison", "exact") != "exact":
        raise Refused("90011", "Only the value 'exact' is supported for RequestedAuthnContext/Comparison.")
    if not CONTEXTS & set(classes):
        raise Refused(
            "75011",
            "The way in which the user signed in to the service, 'Password', does not match"
            f" the requested one, '{', '.join(filter(None, classes))}'.",
        )


def _check_binding(root, request):
    binding = root.get("ProtocolBinding", names.POST)
    if binding != names.POST:
        raise Answered(
            "75003",
            f"A response cannot be sent by another binding than HTTP POST. Requested: {binding}",
            request,
            names.REQUESTER,
            names.UNSUPPORTED_BINDING,
        )


def _field(parameters):
    value = parameters.get("SAMLRequest")
    if not value:
        raise Refused("750054", "Neither SAMLRequest nor SAMLResponse is present in the request.")
    return value


def _unbase64(text):
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refused("75005", "The request is not a valid SAML 2.0 message: it is no base64.") from error


def parse(xml):
    """The document element; nothing is fetched or expanded."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        raise Refused("75005", "The request is not a valid SAML 2.0 message: it is no XML.") from error


def _saml(name):
    return f"{{{names.ASSERTION}}}{name}"


def _samlp(name):
    return f"{{{names.PROTOCOL}}}{name}"
