# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lookalike does, before any HTTP: read a request, answer it for a user, remember both."""

import base64
import collections
import datetime
import secrets
import urllib.parse
from dataclasses import dataclass, field
from typing import Optional

from . import logout, names, response, signed, tamper
from .claims import name_id
from .directory import Tenant
from .errors import ERRORS
from .metadata import federation_metadata
from .request import Answered, AuthnRequest, Refused, check, read_post, read_redirect
from .tenants import common_metadata
from .users import USERS, User

METADATA_PATH = "/federationmetadata/2007-06/federationmetadata.xml"


@dataclass
class Form:
    """The form that a browser posts to the application."""

    action: str
    fields: dict
    participant: Optional[logout.Participant] = None  # the session that it begins there

    def xml(self):
        return base64.b64decode(self.fields["SAMLResponse"])


@dataclass
class Received:
    """One message that came to the SAML endpoint, and what became of it: a request, a message of single logout, or the
    code of the refusal."""

    binding: str
    parameters: dict
    request: Optional[AuthnRequest] = None
    message: Optional[logout.Message] = None  # of single logout
    refused: Optional[str] = None


@dataclass
class Session:
    """Who is signed in at the lookalike itself, by cookie: the next sign-on asks nothing."""

    user: User
    since: datetime.datetime
    participants: list = field(default_factory=list)  # who will hear of its end


class Service:
    """The lookalike without HTTP.

    received    list of Received, oldest first
    sessions    cookie value to Session
    skew        timedelta by which the lookalike's clock is wrong
    common      True: applications of several tenants, at the address of all of them; `tenant` is the next user's own
    """

    def __init__(self, applications, *, tenant=None, users=None, base_url="https://login.microsoftonline.com"):
        self.applications = list(applications)
        self.tenant = tenant or Tenant()
        self.users = users or USERS
        self.base_url = base_url
        self.received = []
        self.sessions = {}
        self.skew = datetime.timedelta()
        self.common = False
        self._tampers = collections.deque()
        self._errors = collections.deque()

    @property
    def login(self):
        """The address of everything that belongs to the tenant."""
        return f"{self.base_url}/{self.tenant.tenant_id}"

    @property
    def endpoint(self):
        return f"{self.base_url}/common/saml2" if self.common else f"{self.login}/saml2"

    def metadata_url(self, application):
        """What the portal calls App Federation Metadata Url."""
        return f"{self.login}{METADATA_PATH}?appid={application.app_id}"

    def metadata(self, application=None, **options):
        """The metadata document of an application, or (for None) of the tenant, which lacks the applications' keys."""
        if application is None:
            return federation_metadata(self.tenant, self.login, [self.tenant.signer], self.tenant.signer, **options)
        return federation_metadata(self.tenant, self.login, application.certificates, application.signer, **options)

    def common_metadata(self, **options):
        """The tenant-independent document, with the key that signs for every tenant."""
        return common_metadata(self.base_url, [self.tenant.signer], self.tenant.signer, **options)

    def tamper(self, change):
        """Make the next response wrong: a name of TAMPERS, a Tamper or a function of response.Facts. Calls queue up."""
        self._tampers.append(tamper.tamper(change))

    def refuse(self, code):
        """Answer the next request with this error of errors.ERRORS. Calls queue up."""
        self._errors.append((code, *ERRORS[code]))

    def receive(self, binding, parameters, query=""):
        """Judge a message that came by "redirect" or "post" and record it: an AuthnRequest, or Refused, or Answered.

        `query` is the query as it came: what a signature covers.
        """
        entry = Received(binding, parameters)
        self.received.append(entry)
        try:
            request = self.judge(binding, parameters)
            signed.check(query if binding == "redirect" else "", request.application)
            entry.request = request
        except Refused as refusal:
            entry.refused = refusal.code
            raise
        return entry.request

    def judge(self, binding, parameters):
        """As receive(), without a record and without a look at the signature."""
        xml = read_post(parameters) if binding == "post" else read_redirect(parameters)
        return check(xml, parameters.get("RelayState"), self.endpoint, self.applications)

    def answer(self, request, user, since=None):
        """The response to a request for a user who signed in at `since` (None: just now)."""
        if self._errors:
            code, text, status, second_status = self._errors.popleft()
            raise Answered(code, text, request, status, second_status)
        return self._respond(request.application, user, since, request)

    def launch(self, application, user, since=None):
        """A response that nobody asked for: the application was started from My Apps or the portal's Test button."""
        if application.require_signed:
            raise Refused("76021", "The application takes signed requests only, and this sign-in has no request.")
        return self._respond(application, user, since, None)

    def fail(self, failure):
        """The response that tells the application of an Answered."""
        now = self._now()
        return self._form(response.build_failure(self.tenant, failure, now), failure.request)

    def refuse_silent(self, request):
        """The answer to IsPassive when nobody is signed in. Microsoft does not document its form; this is SAML's."""
        text, status, second_status = ERRORS["50058"]
        return Answered("50058", text, request, status, second_status)

    def choices(self, parameters):
        """Whom the sign-in page offers, and who of them is chosen beforehand (or None).

        `whr` leaves those of its domain, where there are any ("Home Realm Discovery policy": another domain has no
        effect); `login_hint` names one.
        """
        users, domain, hint = list(self.users.values()), parameters.get("whr"), parameters.get("login_hint", "").lower()
        hinted = next((user for user in users if hint and hint in (user.upn.lower(), user.mail.lower())), None)
        of_domain = [user for user in users if domain and user.upn.lower().endswith(f"@{domain.lower()}")]
        return of_domain or users, hinted

    def sign_in(self, location, user):
        """What a browser sent to `location` would post to the application after choosing `user` (a key of users)."""
        query, parameters = _query(location)
        return self.answer(self.receive("redirect", parameters, query), self.users[user])

    def visit(self, location, user=None, since=None):
        """As sign_in(), for a browser in which `user` has been signed in here since `since`; also when the answer is an
        error. ForceAuthn makes him sign in again; a silent attempt of nobody (None) fails; else nobody is the user of
        login_hint."""
        query, parameters = _query(location)
        try:
            request = self.receive("redirect", parameters, query)
            if user is None and request.is_passive:
                raise self.refuse_silent(request)
            who = self.users[user] if user else self.choices(parameters)[1]
            return self.answer(request, who, None if request.force_authn else since)
        except Answered as failure:
            return self.fail(failure)

    def receive_logout(self, parameters):
        """Judge and record a message of single logout that came by redirect: a logout.Message, or Refused."""
        entry = Received("redirect", parameters)
        self.received.append(entry)
        try:
            entry.message = logout.check(parameters, self.endpoint, self.applications)
        except Refused as refusal:
            entry.refused = refusal.code
            raise
        return entry.message

    def log_out(self, location, change=None):
        """Where a browser sent to `location` with a LogoutRequest would be sent then: to the application, with the
        LogoutResponse. `change` makes it wrong: a name of logout.TAMPERS, a logout.Tamper or a function of
        logout.Facts."""
        query = urllib.parse.urlsplit(location).query
        return self.answer_logout(self.receive_logout(dict(urllib.parse.parse_qsl(query))), change)

    def answer_logout(self, message, change=None):
        """The address at the application that answers its LogoutRequest."""
        said = self._logout_facts("SAMLResponse", message.application)
        said.in_response_to, said.relay_state = message.id, message.relay_state
        return logout.address(said, message.application.logout_url, change)

    def ask_logout(self, participant, change=None, indexes=None, relay_state=None):
        """The address at an application that ends a user's session there: a LogoutRequest with its SessionIndex, or with
        the `indexes` given."""
        said = self._logout_facts("SAMLRequest", participant.application)
        said.participant, said.relay_state = participant, relay_state
        said.session_indexes = [participant.session_index] if indexes is None else indexes
        return logout.address(said, participant.application.logout_url, change)

    def _logout_facts(self, parameter, application):
        return logout.Facts(parameter, application.logout_url, self.tenant.issuer, self._now(), application.signer)

    def open_session(self, user):
        """Sign a user in at the lookalike; returns the value of the cookie."""
        value = secrets.token_urlsafe(24)
        self.sessions[value] = Session(user, self._now())
        return value

    def _respond(self, application, user, since, request):
        if not name_id(application, user):
            raise Refused("501241", f"The NameID claim has no value for the user '{user.upn}'.")
        now = self._now()
        said = response.facts(self.tenant, application, user, since or now, now, request)
        change = self._tampers.popleft() if self._tampers else tamper.Tamper()
        if change.facts:
            change.facts(said)
        tree = response.build(said)
        if change.unsigned:
            change.unsigned(tree)
        response.sign(tree, said)
        if change.signed:
            change.signed(tree)
        form = self._form(tree, request, application)
        form.participant = logout.Participant(application, said.name_id, said.name_id_format, said.assertion_id)
        if change.form:
            change.form(form.fields)
        return form

    def _form(self, tree, request, application=None):
        encoded = base64.b64encode(response.to_text(tree).encode("utf-8")).decode("ascii")
        fields = {"SAMLResponse": encoded}
        relay_state = request.relay_state if request is not None else application.relay_state or None
        if relay_state is not None:
            fields["RelayState"] = relay_state
        return Form(request.reply_url if request is not None else application.reply_urls[0], fields)

    def _now(self):
        return datetime.datetime.utcnow() + self.skew


def _query(location):
    """The query of an address: as it came, and its parameters."""
    query = urllib.parse.urlsplit(location).query
    return query, dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
