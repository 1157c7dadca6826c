# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person gets to see when something is refused: row 44, and row 30 with hostile values in every place."""

import pytest

from programs import ENVIRONMENT
from reasons import REASONS, REFERENCE
from server import ORIGIN
from visitor import Visitor

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"
ESCAPED = "%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E%3Cimg%20src=x%20onerror=alert(2)%3E"
VHOST = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/editors">
        AuthType entra-saml
        Require claim roles:Editor
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    httpd.page("page.html", "PROTECTED page")
    httpd.script("env", ENVIRONMENT)
    return httpd


def assert_harmless(page):
    """No markup of the visitor's came back."""
    assert "<script" not in page.text and "onerror" not in page.text.replace("&", "")
    assert not page.html.xpath("//script | //img")


# --- Hostile values -----------------------------------------------------------------------------------


def test_in_a_return_address(httpd, visitor):
    """Row 30: the gate refuses it, and the page does not repeat it."""
    page = visitor.open(f"{ORIGIN}/saml/login?return=https://evil.test/{ESCAPED}")
    httpd.refused(page, "landing-refused")
    assert_harmless(page)


@pytest.mark.parametrize("name", ["SAMLResponse", "RelayState"])
def test_in_the_form(httpd, visitor, name):
    """Row 30: fields of the form."""
    form = visitor.answer(visitor.ask(f"{ORIGIN}/page.html"))
    form[name] = HOSTILE
    page = visitor.submit(form)
    httpd.refused(page, "base64-invalid" if name == "SAMLResponse" else "pending-unreadable")
    assert_harmless(page)


@pytest.mark.parametrize(
    "fact, code", [("destination", "destination"), ("issuer", "response-issuer"), ("audience", "audience")]
)
def test_in_the_message(httpd, visitor, fact, code):
    """Row 30: what a message says about itself goes to the log, not to the page; in the log it is one line."""
    value = f"https://x/{HOSTILE}\n[core:error] forged line\x7f"
    page = visitor.sign_in(f"{ORIGIN}/page.html", change=lambda said: setattr(said, fact, value))
    httpd.refused(page, code)
    assert_harmless(page)
    assert not [line for line in httpd.log.new() if line.startswith("[core:error]")]


@pytest.mark.parametrize("path", ["page.html?x=", "no/such/", "saml/"])
def test_in_an_address(httpd, visitor, path):
    """Row 30: the address of a refused page: a person's form without a session."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    page = visitor.open(f"{ORIGIN}/{path}{ESCAPED}", method="POST", body=b"a=b", headers=kind)
    httpd.refused(page, "form-without-session")
    assert_harmless(page)


def test_in_the_users_name(httpd, visitor):
    """Row 30: a user whose every name is markup is denied without it."""
    page = visitor.sign_in(f"{ORIGIN}/editors/page.html", "eve")
    httpd.refused(page, "access-denied")
    assert_harmless(page)
    httpd.log.tolerate_denials()


def test_in_the_error_of_entra(visitor):
    """Row 30: parameters that resemble an error of Entra are not echoed."""
    page = visitor.open(f"{ORIGIN}/saml/acs?error={ESCAPED}&error_description={ESCAPED}", follow=False)
    assert page.status == 303 and "script" not in str(page.headers)


# --- The page -----------------------------------------------------------------------------------------


def test_a_page_for_a_person(httpd, visitor):
    """Row 44: language, title, one heading, the sentence, a way on; for the administrator code, remedy, reference."""
    page = visitor.sign_in(f"{ORIGIN}/page.html", change="other-audience")
    httpd.refused(page, "audience")
    assert page.html.get("lang") == "en"
    assert page.html.findtext(".//title") and len(page.html.xpath("//h1")) == 1 and len(page.html.xpath("//main")) == 1
    assert REASONS["audience"].remedy in page.words
    assert REASONS["audience"].remedy in httpd.log.find("audience")[0]
    links = page.html.xpath("//a/@href")
    assert links, "there is a way on"
    assert all(link.startswith("/") and not link.startswith("//") for link in links)


def test_headers_of_the_site_are_on_our_answers_too(make_httpd, entra):
    """What an administrator sets for every answer (Header always) holds for redirects and pages of ours."""
    httpd = make_httpd(vhost='Header always set Strict-Transport-Security "max-age=99"\n' + VHOST)
    visitor = Visitor(httpd.network, entra)
    for page in (
        visitor.open(f"{ORIGIN}/page.html"),
        visitor.fetch(f"{ORIGIN}/page.html"),
        visitor.open(f"{ORIGIN}/saml/logout"),
        visitor.open(f"{ORIGIN}/saml/metadata"),
    ):
        assert page.headers.get_all("Strict-Transport-Security") == ["max-age=99"]


def test_every_refusal_has_its_own_reference(httpd, visitor):
    found = set()
    for _ in range(5):
        page = visitor.sign_in(f"{ORIGIN}/page.html", change="other-audience")
        httpd.refused(page, "audience")
        found |= set(REFERENCE.findall(page.words))
    assert len(found) == 5


def test_a_refusal_for_a_head_request(httpd, visitor):
    page = visitor.open(f"{ORIGIN}/saml/login?return=https://evil.test/", method="HEAD")
    assert page.status == 400 and page.body == b""
    assert httpd.log.find("landing-refused")


def test_the_connection_stays_usable(httpd, visitor):
    """A refusal leaves nothing of the body behind on a connection that is kept: no request within a request."""
    inner = b"GET /page.html HTTP/1.1\r\nHost: app.example.test\r\n\r\n" * 1000
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    connection = visitor.network.connect(ORIGIN)
    try:
        for _ in range(3):
            connection.request("POST", "/page.html", inner, headers)
            answer = connection.getresponse()
            assert answer.status == 401 and b"form-without-session" in answer.read()
            assert connection.sock is not None, "the connection was not kept"
    finally:
        connection.close()
    assert len(httpd.log.find("form-without-session")) == 3


# --- The site's own pages -----------------------------------------------------------------------------


class TestErrorDocument:
    """Row 44: an ErrorDocument goes before our page, learns the reason, and is no part of the protected site."""

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        httpd = make_httpd(
            vhost=VHOST
            + """
    ErrorDocument 403 /error/env
    ErrorDocument 400 "the site's own words"
    ScriptAlias "/error/" "${ROOT}/cgi-bin/"
    <Location "/error">
        AuthType None
        Require all granted
    </Location>"""
        )
        httpd.page("page.html", "PROTECTED page")
        httpd.script("env", ENVIRONMENT)
        return httpd

    def test_a_program_learns_the_reason(self, httpd, visitor):
        page = visitor.sign_in(f"{ORIGIN}/page.html", change="other-audience")
        httpd.expect("audience")
        assert page.status == 403 and page.type == "application/json"
        seen = page.json
        assert seen["REDIRECT_STATUS"] == "403"
        assert seen["REDIRECT_ENTRA_ERROR"] == "audience"
        assert f"ref={seen['REDIRECT_ENTRA_REFERENCE']}" in httpd.log.find("audience")[0]

    def test_for_a_denied_user(self, httpd, visitor):
        page = visitor.sign_in(f"{ORIGIN}/editors/page.html", "ben")
        assert page.status == 403 and page.json["REDIRECT_ENTRA_ERROR"] == "access-denied"
        httpd.log.tolerate_denials()

    def test_a_text(self, visitor):
        page = visitor.open(f"{ORIGIN}/saml/login?return=https://evil.test/")
        assert (page.status, page.text) == (400, "the site's own words")

    def test_a_status_without_one_gets_our_page(self, httpd, visitor):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        page = visitor.open(f"{ORIGIN}/page.html", method="POST", body=b"a=b", headers=kind)
        httpd.refused(page, "form-without-session")


TEMPLATE = """<!DOCTYPE html><html lang="cy"><head><title>@TITLE@</title><link rel="stylesheet" href="/site.css"></head>
<body><main><h1>Our house: @TITLE@</h1><p>@TEXT@</p><p>@REASON@ @REFERENCE@</p>@ACTION@ <a href="mailto:it@x@y">it@x</a>
</main></body></html>"""


def test_a_template_of_the_site(make_httpd, entra):
    httpd = make_httpd(vhost='EntraSAMLPageTemplate "${ROOT}/page.tmpl"\n' + VHOST, start=False)
    (httpd.root / "page.tmpl").write_text(TEMPLATE)
    httpd.start()
    visitor = Visitor(httpd.network, entra)
    page = visitor.sign_in(f"{ORIGIN}/page.html", change="other-audience")
    httpd.refused(page, "audience")
    assert "Our house" in page.text and "@T" not in page.text and "it@x" in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
