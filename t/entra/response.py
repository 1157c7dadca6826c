# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses in the exact shape of those that Entra sent from 2021 on: elements, order, attributes, times."""

import datetime
import uuid
from dataclasses import dataclass

from . import names, wire, xmldsig, xmlenc
from .claims import claims, name_id, pairwise
from .directory import SIGN_ASSERTION, SIGN_BOTH, SIGN_RESPONSE
from .wire import element

NOT_BEFORE = datetime.timedelta(minutes=-5)
LIFETIME = datetime.timedelta(minutes=60)
# In genuine messages the Response is some milliseconds younger than its Assertion.
WRAPPING = datetime.timedelta(milliseconds=10)


@dataclass
class Facts:
    """Everything that a response says, before it becomes XML: what tampering changes first.

    Times are datetimes in UTC, or any string. None leaves the attribute or element out.
    """

    issuer: str
    destination: str
    recipient: str
    in_response_to: str
    audience: str
    name_id: str
    name_id_format: str
    attributes: list
    response_issued: object
    assertion_issued: object
    not_before: object
    not_on_or_after: object
    confirmation_until: object
    authn_instant: object
    sign: str
    digest: str
    signer: object
    response_id: str
    assertion_id: str
    encryption_certificate: object
    encryption: object
    status: str = names.SUCCESS
    authn_context: str = names.PASSWORD


def facts(tenant, application, user, authn_instant, now, request=None):
    """What Entra would say now. Without `request` nobody asked: a launch from My Apps."""
    wanted = request.name_id_format if request else None
    value, form = _name_id(application, user, wanted)
    reply_url = request.reply_url if request else application.reply_urls[0]
    return Facts(
        issuer=tenant.issuer,
        destination=reply_url,
        recipient=reply_url,
        in_response_to=request.id if request else None,
        audience=application.audience(request.issuer if request else application.identifiers[0]),
        name_id=value,
        name_id_format=form,
        attributes=claims(tenant, application, user, request is not None and request.multifactor),
        response_issued=now,
        assertion_issued=now - WRAPPING,
        not_before=now + NOT_BEFORE,
        not_on_or_after=now + LIFETIME,
        confirmation_until=now + LIFETIME,
        authn_instant=authn_instant,
        sign=application.sign,
        digest=application.digest,
        signer=application.signer,
        response_id=_new_id(),
        assertion_id=_new_id(),
        encryption_certificate=application.encryption_certificate,
        encryption=application.encryption,
    )


def build(said):
    """The Response, not yet signed."""
    return element(
        _samlp("Response"),
        {
            "ID": said.response_id,
            "Version": "2.0",
            "IssueInstant": _time(said.response_issued),
            "Destination": said.destination,
            "InResponseTo": said.in_response_to,
        },
        _issuer(said),
        _status(said.status),
        _assertion(said),
        prefix="samlp",
    )


def sign(response, said):
    """Sign what the application's signing option names; the Assertion first, the Response contains it, encrypted where
    the application has a certificate for that."""
    assertion = response.find(_saml("Assertion"))
    if said.sign in (SIGN_ASSERTION, SIGN_BOTH):
        _add(assertion, said)
    if said.encryption_certificate is not None:
        xmlenc.replace(assertion, said.encryption_certificate, said.encryption)
    if said.sign in (SIGN_RESPONSE, SIGN_BOTH):
        _add(response, said)


def build_failure(tenant, failure, now):
    """The unsigned Response without Assertion that reports an error to the application."""
    trace = f"Trace ID: {uuid.uuid4()}\r\nCorrelation ID: {uuid.uuid4()}\r\nTimestamp: {now:%Y-%m-%d %H:%M:%SZ}"
    status = element(
        _samlp("Status"),
        {},
        element(
            _samlp("StatusCode"),
            {"Value": failure.status},
            element(_samlp("StatusCode"), {"Value": failure.second_status}, prefix="samlp"),
            prefix="samlp",
        ),
        element(_samlp("StatusMessage"), {}, f"{failure}\r\n{trace}", prefix="samlp"),
        prefix="samlp",
    )
    attributes = {
        "ID": _new_id(),
        "Version": "2.0",
        "IssueInstant": _time(now),
        "Destination": failure.request.reply_url,
        "InResponseTo": failure.request.id,
    }
    return element(_samlp("Response"), attributes, element(_saml("Issuer"), {}, tenant.issuer), status, prefix="samlp")


def to_text(response):
    return wire.serialise(response)


def _assertion(said):
    return element(
        _saml("Assertion"),
        {"ID": said.assertion_id, "IssueInstant": _time(said.assertion_issued), "Version": "2.0"},
        _issuer(said),
        _subject(said),
        _conditions(said),
        _attribute_statement(said),
        _authn_statement(said),
    )


def _issuer(said):
    return element(_saml("Issuer"), {}, said.issuer) if said.issuer is not None else None


def _status(code):
    return element(
        _samlp("Status"), {}, element(_samlp("StatusCode"), {"Value": code}, prefix="samlp"), prefix="samlp"
    )


def _subject(said):
    data = {
        "InResponseTo": said.in_response_to,
        "NotOnOrAfter": _time(said.confirmation_until),
        "Recipient": said.recipient,
    }
    confirmation = element(
        _saml("SubjectConfirmation"), {"Method": names.BEARER}, element(_saml("SubjectConfirmationData"), data)
    )
    return element(
        _saml("Subject"), {}, element(_saml("NameID"), {"Format": said.name_id_format}, said.name_id), confirmation
    )


def _conditions(said):
    audience = element(_saml("AudienceRestriction"), {}, element(_saml("Audience"), {}, said.audience))
    limits = {"NotBefore": _time(said.not_before), "NotOnOrAfter": _time(said.not_on_or_after)}
    return element(_saml("Conditions"), limits, audience if said.audience is not None else None)


def _attribute_statement(said):
    return element(
        _saml("AttributeStatement"),
        {},
        *(
            element(
                _saml("Attribute"),
                {"Name": name},
                *(element(_saml("AttributeValue"), {}, value) for value in values),
            )
            for name, values in said.attributes
        ),
    )


def _authn_statement(said):
    context = element(_saml("AuthnContext"), {}, element(_saml("AuthnContextClassRef"), {}, said.authn_context))
    return element(
        _saml("AuthnStatement"),
        {"AuthnInstant": _time(said.authn_instant), "SessionIndex": said.assertion_id},
        context,
    )


def _name_id(application, user, wanted):
    """A format in the request overrides the administrator's choice of format, and of source where it is opaque."""
    if wanted == names.FORMAT_PERSISTENT:
        return pairwise(application, user), wanted
    if wanted == names.FORMAT_TRANSIENT:
        return _new_id(), wanted
    if wanted == names.FORMAT_EMAIL:
        return name_id(application, user), wanted
    return name_id(application, user), application.name_id_format


def _add(signed, said):
    xmldsig.add(
        signed,
        said.signer.key,
        said.signer.certificate,
        digest=said.digest,
        signature=f"rsa-{said.digest}",
    )


def _time(time):
    if isinstance(time, datetime.datetime):
        return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
    return time


def _new_id():
    return f"_{uuid.uuid4()}"


def _saml(name):
    return f"{{{names.ASSERTION}}}{name}"


def _samlp(name):
    return f"{{{names.PROTOCOL}}}{name}"
