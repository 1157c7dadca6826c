# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of Entra: told with what to do, and without any consequence, since anybody can write one (row 44)."""

import base64
import re

import pytest

from entra.errors import ERRORS
from reasons import REASONS
from server import ORIGIN, PROTECTED

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=PROTECTED)
    httpd.page("page.html", "PROTECTED page")
    return httpd


def details(page):
    terms, facts = page.html.xpath("//dl/dt/text()"), page.html.xpath("//dl/dd")
    return {term: fact.text_content() for term, fact in zip(terms, facts)}


def written(message, second="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"):
    """What anybody can write: the octets of an error."""
    xml = (
        '<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_e" Version="2.0"'
        ' IssueInstant="2026-01-01T00:00:00Z"><p:Status><p:StatusCode'
        ' Value="urn:oasis:names:tc:SAML:2.0:status:Responder">'
        f'<p:StatusCode Value="{second}"/></p:StatusCode><p:StatusMessage>{message}</p:StatusMessage></p:Status>'
        "</p:Response>"
    )
    return base64.b64encode(xml.encode()).decode()


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_is_told(httpd, visitor, entra, code):
    """Code, trace, correlation and time in the log line and on the page; advice for both readers; no session."""
    entra.refuse(code)
    page = visitor.submit(visitor.visit(visitor.ask(f"{ORIGIN}/page.html"), "ada"))
    httpd.refused(page, "response-status")
    told = details(page)
    line = httpd.log.find("response-status")[0]
    assert told["Microsoft's code"] == f"AADSTS{code}" and f"aadsts={code} " in line
    for term, word in (("Trace ID", "trace"), ("Correlation ID", "correlation")):
        assert re.fullmatch(GUID, told[term]) and f"{word}={told[term]}" in line
    time = "Microsoft's time"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", told[time])
    assert f"timestamp={told[time]}" in line.replace("\\", "").replace('"', "")
    assert told["Remedy"] != REASONS["response-status"].remedy and told["Remedy"] in line
    sentence = page.html.xpath("string(//main/p[1])")
    assert sentence.startswith(REASONS["response-status"].text) and len(sentence) > len(REASONS["response-status"].text)
    assert visitor.session is None


def test_an_unknown_error_is_told_too(httpd, visitor):
    visitor.ask(f"{ORIGIN}/page.html")
    form = visitor.launch()
    form["SAMLResponse"] = written("AADSTS9999999: News.")
    page = visitor.submit(form)
    httpd.refused(page, "response-status")
    assert details(page)["Microsoft's code"] == "AADSTS9999999" and "Trace ID" not in details(page)
    assert details(page)["Remedy"] == REASONS["response-status"].remedy


HOSTILE = "&lt;script>alert(1)&lt;/script> Call 555 0100 at once"


@pytest.mark.parametrize(
    "message",
    [
        f"AADSTS50105: {HOSTILE}",
        f"{HOSTILE} AADSTS50105",
        f"AADSTS50105: x\nTrace ID: {HOSTILE}\nCorrelation ID: {HOSTILE}\nTimestamp: {HOSTILE}",
        f"AADSTS50105: x\nTrace ID: abc{HOSTILE}\nTimestamp: 12:00{HOSTILE}",
    ],
)
def test_nothing_else_of_it_is_shown(httpd, visitor, message):
    """Whoever posts an error must not speak from our page, neither in markup nor in words."""
    form = visitor.launch()
    form["SAMLResponse"] = written(message, second="&lt;b>")
    page = visitor.submit(form)
    httpd.refused(page, "response-status")
    assert "script>" not in page.text and "555" not in page.text and "<b>" not in page.text
    assert details(page)["Microsoft's code"] == "AADSTS50105"
    assert "555 0100" in httpd.log.find("response-status")[0], "the log tells it all"


def test_it_ends_no_session_and_no_sign_in(httpd, visitor):
    """Posted from any site into the browser of a signed-in user, and with the RelayState of a sign-in under way."""
    assert visitor.sign_in(f"{ORIGIN}/page.html").text == "PROTECTED page"
    session = visitor.session
    asked = visitor.open(f"{ORIGIN}/saml/login?return=/page.html")
    assert asked.text == "PROTECTED page"
    form = visitor.launch()
    form["SAMLResponse"] = written("AADSTS50105: no")
    page = visitor.submit(form)
    httpd.refused(page, "response-status")
    assert page.cookies() == [] and visitor.session == session
    assert visitor.open(f"{ORIGIN}/page.html").text == "PROTECTED page"


def test_a_sign_in_goes_on_after_it(httpd, visitor):
    asked = visitor.ask(f"{ORIGIN}/page.html")
    form = visitor.answer(asked)
    good = form["SAMLResponse"]
    form["SAMLResponse"] = written("AADSTS50105: no")
    httpd.refused(visitor.submit(form), "response-status")
    form["SAMLResponse"] = good
    assert visitor.submit(form).text == "PROTECTED page"


def test_a_long_message_loses_nothing_that_support_asks_for(httpd, visitor):
    trace = "d75d5305-d3fc-40b0-9087-d59032682dd9"
    form = visitor.launch()
    form["SAMLResponse"] = written("AADSTS50011: " + "m" * 5000 + f"\nTrace ID: {trace}\nCorrelation ID: c")
    page = visitor.submit(form)
    httpd.refused(page, "response-status")
    assert details(page)["Trace ID"] == trace and f"trace={trace}" in httpd.log.find("response-status")[0]
