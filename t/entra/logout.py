# SPDX-License-Identifier: GPL-3.0-or-later
"""Single logout by redirect: Entra's messages in its own wording of a query, and a judgement of those that come in.

No LogoutRequest of Microsoft's has been published. Its shape here is that of SAML core 3.7.1 with the values of the
assertion that began the session; the LogoutResponse is that of a genuine one of 2024. The query is Microsoft's, as many
service providers found out: escapes in lower case, Signature before SigAlg.
"""

import base64
import datetime
import re
import urllib.parse
import uuid
import zlib
from dataclasses import dataclass, field
from typing import Callable, Optional

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from . import names, wire
from .keys import Signer
from .request import Refused, parse, read_redirect
from .wire import element

SIGNATURES = {
    "sha1": ("http://www.w3.org/2000/09/xmldsig#rsa-sha1", hashes.SHA1),
    "sha256": ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", hashes.SHA256),
    "sha384": ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", hashes.SHA384),
    "sha512": ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", hashes.SHA512),
}
HOUR = datetime.timedelta(hours=1)


@dataclass
class Participant:
    """A user's session at an application, as the assertion that began it named both."""

    application: object
    name_id: str
    name_id_format: str
    session_index: str


@dataclass
class Message:
    """A message of an application's that was accepted; a LogoutRequest unless it answers one."""

    id: str
    application: object
    relay_state: Optional[str]
    name_id: str = ""
    name_id_format: Optional[str] = None
    session_index: Optional[str] = None
    in_response_to: Optional[str] = None
    status: Optional[str] = None


@dataclass
class Facts:
    """Everything that a message of ours says, before it becomes a query: what tampering changes first."""

    parameter: str  # SAMLRequest or SAMLResponse
    destination: str
    issuer: str
    issued: object
    signer: object  # None: unsigned
    digest: str = "sha256"
    relay_state: Optional[str] = None
    id: str = field(default_factory=lambda: f"_{uuid.uuid4()}")
    participant: Optional[Participant] = None
    session_indexes: list = field(default_factory=list)
    not_on_or_after: object = None
    in_response_to: Optional[str] = None
    status: str = names.SUCCESS


@dataclass(frozen=True)
class Tamper:
    """A way to make a message wrong: `facts` changes what is said before it is signed, `query` the list of
    [name, raw value] pairs after that."""

    facts: Optional[Callable] = None
    query: Optional[Callable] = None


def setting(**values):
    """A Tamper that sets fields of Facts; functions among the values get the Facts."""

    def change(said):
        for name, value in values.items():
            setattr(said, name, value(said) if callable(value) else value)

    return Tamper(facts=change)


def _alter(pairs):
    """Another message under the signature of the first."""
    message = next(pair for pair in pairs if pair[0] in ("SAMLRequest", "SAMLResponse"))
    xml = zlib.decompress(base64.b64decode(urllib.parse.unquote(message[1])), -zlib.MAX_WBITS)
    message[1] = escape(_pack(re.sub(rb' ID="_[^"]*"', b' ID="_altered"', xml, 1)))


def _cut(pairs):
    """Half of the message, and no half of an escape."""
    pairs[0][1] = re.sub("%[0-9a-f]?$", "", pairs[0][1][: len(pairs[0][1]) // 2])


TAMPERS = {
    # Said wrongly, but properly signed
    "stale": setting(issued=lambda said: said.issued - HOUR),
    "from-the-future": setting(issued=lambda said: said.issued + HOUR),
    "ended": setting(not_on_or_after=lambda said: said.issued - HOUR),
    "other-destination": setting(destination="https://elsewhere.example/saml/logout"),
    "no-destination": setting(destination=None),
    "other-issuer": setting(issuer="https://sts.windows.net/00000000-0000-0000-0000-000000000000/"),
    "other-key": setting(signer=lambda said: Signer()),
    "sha1": setting(digest="sha1"),
    "failed": setting(status=names.RESPONDER),
    "other-request": setting(in_response_to="_00000000-0000-0000-0000-000000000000"),
    # Changed after signing, or not signed at all
    "unsigned": setting(signer=None),
    "altered": Tamper(query=_alter),
    "no-algorithm": Tamper(query=lambda pairs: pairs.pop()),
    "twice": Tamper(query=lambda pairs: pairs.append(list(pairs[0]))),
    "cut-off": Tamper(query=_cut),
}


def tamper(change):
    """A Tamper from a name of TAMPERS, a Tamper, a function of Facts, or None."""
    if isinstance(change, str):
        return TAMPERS[change]
    return change if isinstance(change, Tamper) else Tamper(facts=change)


def address(said, logout_url, change=None):
    """The address at the application that carries the message."""
    change = tamper(change)
    if change.facts:
        change.facts(said)
    pairs = [[said.parameter, escape(_pack(wire.serialise(_build(said)).encode("utf-8")))]]
    if said.relay_state is not None:
        pairs.append(["RelayState", escape(said.relay_state)])
    if said.signer is not None:
        uri, digest = SIGNATURES[said.digest]
        algorithm = ["SigAlg", escape(uri)]
        value = said.signer.key.sign(_joined([*pairs, algorithm]).encode(), padding.PKCS1v15(), digest())
        pairs += [["Signature", escape(base64.b64encode(value).decode())], algorithm]
    if change.query:
        change.query(pairs)
    return f"{logout_url}?{_joined(pairs)}"


def escape(text):
    """What .NET's HttpUtility.UrlEncode makes of it: %2b and not %2B."""
    quoted = urllib.parse.quote(text, safe="!()*-._")
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def is_logout(parameters):
    """Is this a message of single logout? Only those answer us, or ask for something else than a sign-in."""
    if "SAMLResponse" in parameters:
        return True
    try:
        return etree.QName(parse(read_redirect(parameters))).localname == "LogoutRequest"
    except Refused:
        return False


def check(parameters, endpoint, applications):
    """Judge a message of an application's and return it as a Message, or raise Refused.

    Entra does not look at signatures of these (I azure-docs#66885).
    """
    root = parse(read_redirect({"SAMLRequest": parameters.get("SAMLRequest") or parameters.get("SAMLResponse")}))
    kind = "LogoutRequest" if "SAMLRequest" in parameters else "LogoutResponse"
    if root.tag != _samlp(kind):
        raise Refused("50061", f"Unable to complete sign-out: the message is no {kind}.")
    issuer = root.findtext(_saml("Issuer"))
    found = [application for application in applications if issuer in application.identifiers]
    if not found:
        raise Refused("700016", f"No application with the identifier '{issuer}' was found in the directory.")
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", root.get("ID", ""), re.ASCII):
        raise Refused("7500529", f"'{root.get('ID')}' is not a valid SAML ID: it must not begin with a number.")
    if root.get("Version") != "2.0" or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", root.get("IssueInstant", "")):
        raise Refused("50061", "Unable to complete sign-out: Version is not 2.0, or IssueInstant is no time in UTC.")
    if root.get("Destination", endpoint) != endpoint:
        raise Refused("75008", f"The request was sent to another destination: '{root.get('Destination')}'.")
    message = Message(root.get("ID"), found[0], parameters.get("RelayState"))
    return _check_request(message, root) if kind == "LogoutRequest" else _check_response(message, root)


def _check_request(message, root):
    name_id = root.find(_saml("NameID"))
    if name_id is None or not name_id.text:
        raise Refused("50070", "The sign-out names no user.")
    message.name_id, message.name_id_format = name_id.text, name_id.get("Format")
    message.session_index = root.findtext(_samlp("SessionIndex"))
    return message


def _check_response(message, root):
    message.in_response_to = root.get("InResponseTo")
    message.status = root.find(f"{_samlp('Status')}/{_samlp('StatusCode')}").get("Value")
    return message


def _build(said):
    is_request = said.parameter == "SAMLRequest"
    attributes = {
        "ID": said.id,
        "Version": "2.0",
        "IssueInstant": _time(said.issued),
        "Destination": said.destination,
        "NotOnOrAfter": _time(said.not_on_or_after),
        "InResponseTo": said.in_response_to,
    }
    issuer = element(_saml("Issuer"), {}, said.issuer)
    if not is_request:
        code = element(_samlp("StatusCode"), {"Value": said.status}, prefix="samlp")
        status = element(_samlp("Status"), {}, code, prefix="samlp")
        return element(_samlp("LogoutResponse"), attributes, issuer, status, prefix="samlp")
    name_id = element(_saml("NameID"), {"Format": said.participant.name_id_format}, said.participant.name_id)
    indexes = [element(_samlp("SessionIndex"), {}, index, prefix="samlp") for index in said.session_indexes]
    return element(_samlp("LogoutRequest"), attributes, issuer, name_id, *indexes, prefix="samlp")


def _pack(xml):
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(deflater.compress(xml) + deflater.flush()).decode("ascii")


def _joined(pairs):
    return "&".join(f"{name}={value}" for name, value in pairs)


def _time(time):
    if isinstance(time, datetime.datetime):
        return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
    return time


def _saml(name):
    return f"{{{names.ASSERTION}}}{name}"


def _samlp(name):
    return f"{{{names.PROTOCOL}}}{name}"
