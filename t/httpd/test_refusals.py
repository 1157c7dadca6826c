# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reply URL refuses, over HTTP. After every refusal there is no session, and the shared memory is as it was but
for the counters of what has happened."""

import base64
import copy
import datetime
import hashlib
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from lxml import etree

from client import Form, raw
from entra import names
from entra.request import Answered
from entra.tamper import Tamper, setting
from server import HOST, ORIGIN
from visitor import SESSION_COOKIE, Visitor

ACS = f"{ORIGIN}/saml/acs"
PAGE = f"{ORIGIN}/page.html"

VHOST = """
    EntraSAMLDefaultPage /start?from=acs
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    httpd.page("page.html", "PROTECTED page")
    return httpd


@pytest.fixture
def untouched(httpd, visitor):
    """Asserts at the end: nothing was stored, the visitor has no session, and can sign in all the same."""

    def stored():
        segment = (httpd.root / "state" / "entra_saml.seg").read_bytes()
        return hashlib.sha256(segment[:4096] + segment[8192:]).hexdigest()  # the second page: see src/session/shm.c

    before = stored()
    yield
    assert stored() == before, "the refusal left something in shared memory"
    assert visitor.session is None
    assert visitor.at_entra(visitor.open(PAGE))
    assert visitor.sign_in(PAGE).text == "PROTECTED page"


def field(xml):
    return base64.b64encode(xml if isinstance(xml, bytes) else xml.encode("utf-8")).decode("ascii")


# --- The form -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, code",
    [
        ("", "response-missing"),
        ("!!!!", "base64-invalid"),
        ("PHg+\nPC94Pg==", "base64-invalid"),
        ("PHgvPg", "base64-invalid"),
        (field("<x"), "xml-malformed"),
        (field(b"<x>\xff</x>"), "xml-malformed"),
        (field("hello"), "xml-malformed"),
        (field("<!DOCTYPE x><x/>"), "xml-doctype"),
        (field('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'), "xml-doctype"),
        (field("<x/>"), "response-root"),
        (field("<x>" * 400 + "</x>" * 400), "xml-limit"),
    ],
)
def test_a_damaged_message(httpd, visitor, untouched, value, code):
    form = visitor.answer(visitor.ask(PAGE))
    form["SAMLResponse"] = value
    httpd.refused(visitor.submit(form), code)


def test_no_response_at_all(httpd, visitor, untouched):
    form = visitor.answer(visitor.ask(PAGE))
    form.fields = [pair for pair in form.fields if pair[0] != "SAMLResponse"]
    httpd.refused(visitor.submit(form), "response-missing")


@pytest.mark.parametrize("name", ["SAMLResponse", "RelayState"])
def test_a_field_twice(httpd, visitor, untouched, name):
    """Two values of one field: which one counts must not depend on who reads."""
    form = visitor.answer(visitor.ask(PAGE))
    form.fields.append((name, form[name]))
    httpd.refused(visitor.submit(form), "form-malformed")


@pytest.mark.parametrize("kind", ["text/xml", "application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_another_content_type(httpd, visitor, untouched, kind):
    form = visitor.answer(visitor.ask(PAGE))
    httpd.refused(visitor.submit(form, headers={"Content-Type": kind}), "form-malformed")


def test_a_content_type_with_parameter_is_right(visitor):
    form = visitor.answer(visitor.ask(PAGE))
    kind = "application/x-www-form-urlencoded; charset=UTF-8"
    assert visitor.submit(form, headers={"Content-Type": kind}).text == "PROTECTED page"


def test_a_broken_escape(httpd, visitor, untouched):
    visitor.ask(PAGE)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    httpd.refused(visitor.open(ACS, method="POST", body=b"SAMLResponse=%zz", headers=kind), "form-malformed")


# --- The size and the method --------------------------------------------------------------------------


@pytest.mark.parametrize("excess", [1, 5_000_000])
def test_a_body_over_the_limit(httpd, visitor, untouched, excess):
    """413 before anything is parsed."""
    form = visitor.answer(visitor.ask(PAGE))
    rest = 1024 * 1024 - len("SAMLResponse=")
    form.fields = [("SAMLResponse", "A" * (rest + excess))]
    httpd.refused(visitor.submit(form), "form-too-large")


def test_a_body_at_the_limit_is_read(httpd, visitor, untouched):
    form = visitor.answer(visitor.ask(PAGE))
    form.fields = [("SAMLResponse", "A" * (1024 * 1024 - len("SAMLResponse=")))]
    httpd.refused(visitor.submit(form), "base64-invalid")


def test_a_chunked_body_over_the_limit(httpd, untouched):
    """No Content-Length to look at: the limit holds while reading."""
    chunk = b"10000\r\n" + b"A" * 0x10000 + b"\r\n"
    request = (
        f"POST /saml/acs HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nAccept: text/html\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode() + chunk * 20 + b"0\r\n\r\n"
    assert raw(httpd.network, ORIGIN, request).startswith(b"HTTP/1.1 413 ")
    httpd.expect("form-too-large")


class TestLimitOfHttpd:
    """LimitRequestBody below our own limit."""

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        return make_httpd(vhost=VHOST + "\n    LimitRequestBody 2000")

    def test_an_announced_length(self, httpd, visitor):
        """The reason and the page are the same, whoever set the limit; the log names it."""
        form = visitor.answer(visitor.ask(PAGE))
        httpd.refused(visitor.submit(form), "form-too-large")
        assert "LimitRequestBody" in httpd.log.find("form-too-large")[0]

    def test_chunks(self, httpd):
        """Here httpd answers by itself; there is one answer and not two."""
        request = (
            f"POST /saml/acs HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        answer = raw(httpd.network, ORIGIN, request.encode() + b"BB8\r\n" + b"a" * 3000 + b"\r\n0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ") and answer.count(b"HTTP/1.1 ") == 1
        httpd.expect("form-malformed")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_goes_to_the_default_page(visitor, method):
    """Row 13: a bookmark of the reply URL, whatever it carries, ends on the application."""
    page = visitor.open(f"{ACS}?SAMLResponse=x&RelayState=https://evil.test/", method=method, follow=False)
    assert (page.status, page.location) == (303, f"{ORIGIN}/start?from=acs")
    assert page.cookies() == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_another_method(visitor, untouched, method):
    form = visitor.answer(visitor.ask(PAGE))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    page = visitor.open(ACS, method=method, body=f"SAMLResponse={form['SAMLResponse']}".encode(), headers=kind)
    assert page.status == 405
    assert {"GET", "POST"} <= set(re.split(r",\s*", page.headers["Allow"]))


# --- What the message says ----------------------------------------------------------------------------

HOUR = datetime.timedelta(hours=1)


def second_assertion(tree):
    tree.append(copy.deepcopy(tree[-1]))


def split_by_a_comment(tree):
    """Readers that take the first piece of text see another name than those that take all of it."""
    name = next(tree.iter(f"{{{names.ASSERTION}}}NameID"))
    comment = etree.Comment("x")
    comment.tail, name.text = name.text[3:], name.text[:3]
    name.append(comment)


WRONG = {
    "signature-missing": "unsigned",
    "signature-value": "signature-value",
    "signature-digest": "name-id-changed",
    "signature-key-unknown": "other-key",
    "signature-algorithm": "sha1",
    "xml-doctype": "doctype",
    "id-duplicate": Tamper(signed=second_assertion),
    "xml-forbidden-node": Tamper(unsigned=split_by_a_comment),
    "response-issuer": "other-issuer",
    "audience": "other-audience",
    "audience-missing": "no-audience",
    "recipient": "other-recipient",
    "destination": "other-destination",
    "in-response-to": "other-request",
    "unsolicited": "unsolicited",
    "issue-instant": "expired",
    "conditions-late": setting(not_on_or_after=lambda said: said.response_issued - HOUR),
    "conditions-early": setting(not_before=lambda said: said.response_issued + HOUR),
    "confirmation-late": setting(confirmation_until=lambda said: said.response_issued - HOUR),
    "pending-unreadable": "no-relay-state",
}


@pytest.mark.parametrize("code", WRONG)
def test_what_a_message_must_not_say(httpd, visitor, untouched, code):
    """Row 26: each of these is refused under its own name (all others: t/vectors)."""
    page = visitor.sign_in(PAGE, change=WRONG[code])
    if code == "signature-key-unknown":  # the key may be new: one more round, see test_refresh.py
        page = visitor.submit(visitor.answer(page, change=WRONG[code]))
    httpd.refused(page, code)


def test_a_role_that_was_added(httpd, visitor, untouched):
    httpd.refused(visitor.sign_in(PAGE, "ben", change="role-changed"), "signature-digest")


@pytest.mark.parametrize("option", ["assertion", "response", "both"])
def test_every_signing_option_covers_what_is_read(httpd, visitor, entra, untouched, option):
    """Signature coverage: whatever is signed, a changed name is noticed."""
    entra.applications[0].sign = option
    try:
        page = visitor.sign_in(PAGE, change="name-id-changed")
    finally:
        entra.applications[0].sign = "assertion"
    httpd.refused(page, "signature-digest")


def test_both_clocks_are_told(httpd, visitor, untouched):
    """Row 46: the message's time, ours, and the difference stand in the log line."""
    page = visitor.sign_in(PAGE, change="expired")
    httpd.refused(page, "issue-instant")
    line = httpd.log.find("issue-instant")[0]
    assert len(set(re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line))) >= 2, line
    assert re.search(r"\b(7[12]\d\d) s", line), f"two hours as seconds: {line}"


def test_an_error_of_entra_is_translated(httpd, visitor, entra, untouched):
    """Row 44: Entra's answer without an assertion: code, trace and correlation ID are in the log, the page is ours."""
    asked = visitor.ask(PAGE)
    query = dict(parse_qsl(urlsplit(asked.location).query))
    request = entra.receive("redirect", query)
    failure = Answered("75011", "<b>Not</b> the demanded way", request, names.REQUESTER, names.NO_PASSIVE)
    made = entra.fail(failure)
    page = visitor.submit(Form(made.action, "POST", list(made.fields.items()), entra.endpoint))
    httpd.refused(page, "response-status")
    line = httpd.log.find("response-status")[0]
    assert "AADSTS75011" in line and "Trace ID" in line and "Correlation ID" in line
    assert "aadsts=75011 " in line and "ask for none" in line, "what to do about it"
    assert "<b>" not in page.text


# --- Replay -------------------------------------------------------------------------------------------


def test_a_stolen_response_in_another_browser(httpd, visitor, make_visitor):
    """Row 24: bound to the browser that asked. The thief is sent to sign in himself, and gets no session by it."""
    form = visitor.answer(visitor.ask(PAGE))
    thief = make_visitor()
    page = thief.submit(form)
    assert thief.at_entra(page) and thief.session is None
    assert httpd.log.find("binding-missing")
    thief.jar.drop("")
    thief.ask(PAGE)
    assert thief.at_entra(thief.submit(form)), "nor with a binding cookie of his own"
    assert visitor.submit(form).text == "PROTECTED page", "the owner can still use it"


def test_a_made_up_request_is_no_request(httpd, visitor, make_visitor, untouched):
    """Row 24: InResponseTo naming another's request, with our own RelayState."""
    other = make_visitor().ask(PAGE)
    foreign = visitor.entra.receive("redirect", dict(parse_qsl(urlsplit(other.location).query))).id
    httpd.refused(visitor.sign_in(PAGE, change=setting(in_response_to=foreign)), "in-response-to")


@pytest.mark.parametrize("where", ["Response", "SubjectConfirmationData"])
@pytest.mark.parametrize("option", ["assertion", "response"])
def test_both_places_must_name_the_request(httpd, visitor, entra, untouched, where, option):
    """Row 24: InResponseTo of the envelope, which may be unsigned, and of the assertion are judged each for itself."""

    def rename(tree):
        for element in tree.iter(f"{{*}}{where}"):
            element.set("InResponseTo", "_00000000-0000-0000-0000-000000000000")

    entra.applications[0].sign = option
    try:
        page = visitor.sign_in(PAGE, change=Tamper(unsigned=rename))
    finally:
        entra.applications[0].sign = "assertion"
    httpd.refused(page, "in-response-to")


def test_an_envelope_that_names_no_request_does_not_help(httpd, visitor, untouched):
    """Row 24: the unsigned envelope may be silent; what the assertion says counts all the same."""

    def rename(tree):
        del tree.attrib["InResponseTo"]
        next(tree.iter("{*}SubjectConfirmationData")).set("InResponseTo", "_00000000-0000-0000-0000-000000000000")

    httpd.refused(visitor.sign_in(PAGE, change=Tamper(unsigned=rename)), "in-response-to")


def test_a_launch_from_my_apps_is_explained(httpd, visitor, untouched):
    """Row 24: unsolicited responses are refused, and the page says what to do instead."""
    httpd.refused(visitor.submit(visitor.launch()), "unsolicited")


def test_the_same_assertion_again(httpd, visitor):
    """Row 25: an assertion used before is refused even as the answer to a new request."""
    known = setting(assertion_id="_11111111-2222-3333-4444-555555555555")
    assert visitor.sign_in(PAGE, change=known).status == 200
    visitor.jar.drop(SESSION_COOKIE)
    httpd.refused(visitor.sign_in(PAGE, change=known), "replayed")
    assert visitor.session is None


def test_the_same_response_after_logout(visitor):
    """Row 25: it leads to its page and thereby to a new sign-in, never to a session."""
    form = visitor.answer(visitor.ask(PAGE))
    assert visitor.submit(form).text == "PROTECTED page"
    visitor.open(f"{ORIGIN}/saml/logout", initiator=PAGE)
    page = visitor.submit(form)
    assert visitor.at_entra(page) and visitor.session is None


def test_the_same_response_after_a_restart(httpd, visitor):
    """Row 25: replay memory survives a full restart."""
    known = setting(assertion_id="_99999999-2222-3333-4444-555555555555")
    form = visitor.answer(visitor.ask(PAGE), change=known)
    assert visitor.submit(form).text == "PROTECTED page"
    httpd.restart()
    visitor.jar.drop(SESSION_COOKIE)
    assert visitor.at_entra(visitor.submit(form))
    httpd.refused(visitor.sign_in(PAGE, change=known), "replayed")


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_sixty_four_posts_at_once_make_one_session(make_httpd, entra, mpm):
    """Row 25: whichever child and thread they meet. The others follow to the page: a double click is no replay."""
    httpd = make_httpd(vhost=VHOST, mpm=mpm)
    visitor = Visitor(httpd.network, entra)
    for _ in range(3):
        form = visitor.answer(visitor.ask(PAGE))
        answers = volley(visitor, form, 64)
        assert [(status, headers["Location"]) for status, headers in answers] == [(303, "/page.html")] * 64
        cookies = [value for _, headers in answers for value in headers.get_all("Set-Cookie", [])]
        assert sum(value.startswith(SESSION_COOKIE) for value in cookies) == 1


def volley(visitor, form, count):
    """[(status, headers), …] of one form sent `count` times: all but the last octet of each, then the last octets."""
    body = urlencode(form.fields).encode("ascii")
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        "Cookie": visitor.jar.header(ACS, method="POST", cross_site=True),
    }
    connections = [visitor.network.connect(ACS) for _ in range(count)]
    try:
        for connection in connections:
            connection.request("POST", "/saml/acs", body[:-1], headers)
        for connection in connections:
            connection.sock.sendall(body[-1:])
        answers = [connection.getresponse() for connection in connections]
        return [(answer.status, answer.headers) for answer in answers]
    finally:
        for connection in connections:
            connection.close()
