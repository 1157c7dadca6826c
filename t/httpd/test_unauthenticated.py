# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request without a session gets: by location and condition, in frames, and without TLS."""

import pytest

from client import ACCEPT_PAGE, AGENT, raw
from programs import ENVIRONMENT
from server import HOST, ORIGIN, PLAIN_ORIGIN, free_ports
from visitor import BINDING_COOKIE, SESSION_COOKIE, Visitor

SECTION = '<Location "/">\nAuthType entra-saml\nRequire valid-user\n</Location>'
PERSON = {"User-Agent": AGENT, "Accept": ACCEPT_PAGE}  # fetch metadata go only where there is TLS
PROGRAM = {"User-Agent": "curl/8", "Accept": "application/json"}
LOGIN = f"{ORIGIN}/saml/login"


# --- Conditions -----------------------------------------------------------------------------------------------

CONDITIONS = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
        EntraSAMLUnauthenticated 401 "expr=%{HTTP_USER_AGENT} =~ m#^Monitor/#"
        EntraSAMLUnauthenticated redirect "expr=%{QUERY_STRING} == 'browser'"
        EntraSAMLUnauthenticated 401 "expr=%{QUERY_STRING} == 'browser' || %{REQUEST_URI} -strmatch '/api/*'"
    </Location>
    <Location "/rest-first">
        EntraSAMLUnauthenticated 401
        EntraSAMLUnauthenticated redirect "expr=%{HTTP_USER_AGENT} -strmatch '*Chrome*'"
    </Location>
    <Location "/own">
        EntraSAMLUnauthenticated auto
    </Location>
    <Location "/broken">
        EntraSAMLUnauthenticated redirect "expr=file('${ROOT}/run/flag') == 'on'"
        EntraSAMLUnauthenticated 401
    </Location>
"""


class TestConditions:
    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        return make_httpd(vhost=CONDITIONS)

    @pytest.mark.parametrize(
        ("path", "headers", "expected"),
        [
            ("/", PERSON, 303),
            ("/", PROGRAM, 401),
            ("/", {**PERSON, "User-Agent": "Monitor/1"}, 401),
            ("/?browser", {**PERSON, "User-Agent": "Monitor/1"}, 401),  # the first line that is true
            ("/?browser", PROGRAM, 303),
            ("/api/x", PERSON, 401),
            ("/api/x?browser", PERSON, 303),
            ("/rest-first", PERSON, 303),  # the line without a condition is the rest wherever it stands
            ("/rest-first", {**PERSON, "User-Agent": "Firefox"}, 401),
            ("/rest-first", {**PROGRAM, "User-Agent": "Chrome"}, 303),
            ("/own?x", {**PERSON, "User-Agent": "Monitor/1"}, 303),  # a section's lines take the place of the outer ones
            ("/own", PROGRAM, 401),
        ],
    )
    def test_the_first_that_is_true(self, visitor, path, headers, expected):
        page = visitor.send("GET", f"{ORIGIN}{path}", headers)
        assert page.status == expected
        assert visitor.at_entra(page) == (expected == 303)

    def test_nothing_that_writes_is_redirected(self, visitor):
        assert visitor.send("POST", f"{ORIGIN}/?browser", PROGRAM, b"{}").status == 401

    def test_one_that_cannot_be_evaluated_is_not_true(self, httpd, visitor):
        assert visitor.send("GET", f"{ORIGIN}/broken", PERSON).status == 401
        httpd.expect("entra_saml:error", 1)
        for word, status in (("on", 303), ("off", 401)):
            (httpd.root / "run" / "flag").write_text(word)
            assert visitor.send("GET", f"{ORIGIN}/broken", PERSON).status == status

    def test_not_in_htaccess(self, httpd, visitor):
        httpd.page("own/.htaccess", 'EntraSAMLUnauthenticated redirect "expr=true"')
        assert visitor.send("GET", f"{ORIGIN}/own/page", PROGRAM).status == 500
        httpd.expect("core:alert")


# --- Frames ---------------------------------------------------------------------------------------------------

FRAMED = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/always">
        EntraSAMLUnauthenticated redirect
    </Location>
    <Location "/never">
        EntraSAMLUnauthenticated 401
    </Location>
    <Location "/fresh">
        EntraSAMLFreshSignIn 1min
    </Location>
    <Location "/denied">
        Require claim roles:Nobody
    </Location>
"""


def in_frame(dest="iframe", site="cross-site"):
    return {"Sec-Fetch-Dest": dest, "Sec-Fetch-Site": site}


class TestFrames:
    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        httpd = make_httpd(vhost=FRAMED)
        httpd.page("page.html", "PROTECTED page")
        return httpd

    @staticmethod
    def link_of(page):
        """The one thing there is to click, opened in the whole window; nothing that acts, and a stranger's click."""
        [link] = page.html.xpath("//a | //button | //form")
        assert link.tag == "a" and link.get("target") == "_top"
        policy = page.headers["Content-Security-Policy"].split("; ")
        assert "frame-ancestors *" in policy and "form-action 'none'" in policy
        assert "sandbox allow-top-navigation-by-user-activation" in policy
        assert page.headers["Referrer-Policy"] == "no-referrer" and page.headers["X-Frame-Options"] is None
        assert page.location is None and page.cookies() == []
        return link.get("href")

    @pytest.mark.parametrize("dest", ["iframe", "frame"])
    @pytest.mark.parametrize("path", ["/page.html?a=1&b=2", "/always/", "/never/"])
    def test_a_page_with_a_link(self, httpd, visitor, dest, path):
        page = visitor.open(f"{ORIGIN}{path}", initiator="https://portal.elsewhere.test/", headers=in_frame(dest))
        httpd.refused(page, "frame-without-session")
        link = self.link_of(page)
        assert link.startswith("/saml/login?return=%2F")
        asked = visitor.ask(ORIGIN + link)
        arrived = visitor.submit(visitor.answer(asked), follow=False)
        assert arrived.location == f"{ORIGIN}{path}"

    def test_a_fresh_sign_in(self, httpd, visitor):
        page = visitor.open(f"{ORIGIN}/fresh", headers=in_frame())
        httpd.refused(page, "frame-without-session")
        assert self.link_of(page) == "/saml/login?fresh=1&return=%2Ffresh"

    def test_a_form(self, httpd, visitor):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        page = visitor.open(f"{ORIGIN}/page.html", method="POST", body=b"a=b", headers={**in_frame(), **kind})
        httpd.refused(page, "form-without-session")
        assert self.link_of(page) == "/saml/login"

    @pytest.mark.parametrize("path", ["//evil.test/x", "/\\evil.test/x", "http://evil.test/x"])
    def test_the_link_stays_here(self, httpd, visitor, path):
        """Whatever the frame's address looks like."""
        head = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nAccept: text/html\r\n"
        octets = raw(httpd.network, ORIGIN, f"{head}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n\r\n".encode())
        status, _, body = octets.decode().partition("\r\n")
        assert "401" in status and '<a href="/saml/login?return=' in body and 'href="//' not in body
        assert visitor.open(f"{LOGIN}?return={path}", follow=False).status == 400

    @pytest.mark.parametrize("query", ["", "?return=/page.html&fresh=1", "?login_hint=ada@contoso.example"])
    def test_the_sign_in_endpoint(self, httpd, visitor, query):
        """The link leads to the same, with all that was said."""
        page = visitor.open(f"{LOGIN}{query}", headers=in_frame())
        httpd.refused(page, "frame-without-session")
        assert self.link_of(page) == f"/saml/login{query}"

    def test_a_silent_attempt_is_made(self, visitor):
        assert visitor.at_entra(visitor.open(f"{LOGIN}?passive=1&return=/", headers=in_frame()))

    def test_a_signed_in_user_sees_the_page(self, visitor):
        visitor.sign_in(f"{ORIGIN}/page.html")
        page = visitor.open(f"{ORIGIN}/page.html", headers=in_frame(site="same-origin"))
        assert page.text == "PROTECTED page"
        assert visitor.open(f"{LOGIN}?return=/page.html", headers=in_frame(), follow=False).location == f"{ORIGIN}/page.html"

    def test_no_other_page_may_be_framed(self, httpd, visitor):
        """Where a click would do something: a denied user's page has a button to sign out."""
        visitor.sign_in(f"{ORIGIN}/page.html")
        page = visitor.open(f"{ORIGIN}/denied", headers=in_frame(site="same-origin"))
        httpd.refused(page, "access-denied")
        httpd.log.tolerate_denials()
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        page = visitor.open(f"{ORIGIN}/saml/logout", headers=in_frame())
        httpd.refused(page, "logout-unconfirmed")
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"] and "sandbox" not in str(page.headers)

    def test_an_own_page(self, make_httpd, entra):
        """A template's page in a frame has the link in its place, and the same fence."""
        httpd = make_httpd(vhost='EntraSAMLPageTemplate "${ROOT}/page.html"\n' + FRAMED, start=False)
        (httpd.root / "page.html").write_text("<h1>@TITLE@</h1><p>@TEXT@</p>@ACTION@<p>@REASON@ @REFERENCE@</p>")
        httpd.start()
        page = Visitor(httpd.network, entra).open(f"{ORIGIN}/page.html", headers=in_frame())
        assert self.link_of(page) == "/saml/login?return=%2Fpage.html" and "frame-without-session" in page.words


# --- Without TLS ----------------------------------------------------------------------------------------------


ENTRA = 'EntraSAMLMetadata "${ROOT}/entra.xml"\n' + SECTION


class TestPlain:
    """Both hosts say the same; where TLS is to be had nothing starts without."""

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        httpd = make_httpd(vhost=SECTION, plain=ENTRA)
        httpd.script("env", ENVIRONMENT)
        return httpd

    @pytest.mark.parametrize(
        "path", ["/", "/page?a=1&b=%2f%20", "/" + "long/" * 400, "//two//slashes", "/saml/login?return=/x", "/saml/logout"]
    )
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_the_same_page_with_tls(self, httpd, visitor, path, method):
        page = visitor.send(method, f"{PLAIN_ORIGIN}{path}", PERSON)
        assert (page.status, page.headers["Location"]) == (303, ORIGIN + path)
        assert page.headers.get_all("Cache-Control") == ["no-store"]
        assert visitor.jar.cookies == {}, "a browser takes no Secure cookie there"

    def test_absolute_targets(self, httpd):
        """Another host in the request line never gets into the answer."""
        for target in ("http://evil.test/x", "https://evil.test/", f"http://{HOST}/x", "*"):
            head = f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nAccept: text/html\r\n\r\n"
            answer = raw(httpd.network, PLAIN_ORIGIN, head.encode()).decode()
            assert "evil" not in answer
            assert f"Location: {ORIGIN}/\r\n" in answer or " 400 " in answer

    def test_once_there_it_goes_on(self, visitor):
        page = visitor.send("GET", f"{PLAIN_ORIGIN}/cgi-bin/env/x?y=1", PERSON)
        arrived = visitor.sign_in(page.location)
        assert arrived.url == f"{ORIGIN}/cgi-bin/env/x?y=1" and arrived.json["PATH_INFO"] == "/x"

    def test_programs(self, visitor):
        """401 with the address, which has TLS."""
        page = visitor.send("GET", f"{PLAIN_ORIGIN}/", PROGRAM)
        assert page.status == 401 and page.json["sign_in"] == LOGIN
        assert page.headers["WWW-Authenticate"] == f'EntraSAML login="{LOGIN}"'

    def test_a_form(self, httpd, visitor):
        """What was written is not thrown away by a redirect."""
        kind = {**PERSON, "Content-Type": "application/x-www-form-urlencoded"}
        page = visitor.send("POST", f"{PLAIN_ORIGIN}/", kind, b"a=b")
        httpd.refused(page, "form-without-session")

    def test_nobody_is_told_that_he_is_signed_out(self, visitor):
        """The session's cookie does not come along, so that nothing could be ended here."""
        visitor.sign_in(f"{ORIGIN}/cgi-bin/env")
        page = visitor.send("POST", f"{PLAIN_ORIGIN}/saml/logout", PERSON, b"")
        assert (page.status, page.location) == (303, f"{ORIGIN}/saml/logout")
        assert visitor.session

    @pytest.mark.parametrize("proxy", [{"X-Forwarded-Proto": "https"}, {"Forwarded": "proto=https"}, {"X-Forwarded-Ssl": "on"}])
    def test_headers_of_a_proxy_are_not_believed(self, visitor, proxy):
        assert visitor.send("GET", f"{PLAIN_ORIGIN}/", {**PERSON, **proxy}).headers["Location"] == f"{ORIGIN}/"

    def test_tls_in_front_of_both(self, httpd, entra):
        """TLS ends at a proxy although this server could do it too: the browser itself shows it, by fetch metadata or, an
        old one, by the cookie that it would not have kept."""
        httpd.network.add(ORIGIN, httpd.ports["http"], tls=False)
        try:
            modern, old = Visitor(httpd.network, entra), Visitor(httpd.network, entra)
            assert modern.at_entra(modern.open(f"{ORIGIN}/cgi-bin/env"))
            page = old.send("GET", f"{ORIGIN}/cgi-bin/env", PERSON)
            assert page.location == f"{ORIGIN}/cgi-bin/env" and old.jar.named(BINDING_COOKIE)
            page = old.send("GET", f"{ORIGIN}/cgi-bin/env", PERSON)
            assert old.at_entra(page)
            assert old.submit(old.answer(page)).status == 200
            assert old.send("GET", f"{ORIGIN}/cgi-bin/env", PERSON).json["REMOTE_USER"] == "ada@contoso.example"
        finally:
            httpd.network.add(ORIGIN, httpd.ports["https"])


ALONE = {
    "no other host": {"entra": "", "plain": ENTRA},
    "the other has another address": {"vhost": "EntraSAMLBaseURL https://other.example.test\n" + SECTION, "plain": ENTRA},
    "the other knows nothing of Entra": {"entra": "", "plain": ENTRA},
    "ServerName says https": {"vhost": SECTION, "plain": ENTRA, "scheme": True},
    "neither has TLS": {"vhost": "SSLEngine off\n" + SECTION, "plain": ENTRA},
}


@pytest.mark.parametrize("name", ALONE)
def test_tls_ends_in_front(make_httpd, entra, name):
    """httpd speaks http and the base URL is https, as behind a proxy: the sign-on starts here, for any browser."""
    text = dict(ALONE[name])
    if text.pop("scheme", False):
        text["plain"] = f"ServerName https://{HOST}\n{text['plain']}"
    httpd = make_httpd(**text)
    httpd.script("env", ENVIRONMENT)
    httpd.network.add(ORIGIN, httpd.ports["http"], tls=False)
    for headers in (PERSON, {**PERSON, "Sec-Fetch-Mode": "navigate"}):
        person = Visitor(httpd.network, entra)
        page = person.send("GET", f"{ORIGIN}/cgi-bin/env", headers)
        assert person.at_entra(page)
        assert person.submit(person.answer(page)).json["REMOTE_USER"] == "ada@contoso.example"
        assert person.jar.named(SESSION_COOKIE)


def test_tls_declared_in_front_of_the_other(make_httpd, entra):
    """Neither host does TLS itself, but one of them says by ServerName that it is served with it."""
    [port] = free_ports(1)
    host = f"Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nServerName https://{HOST}\n{ENTRA}\n</VirtualHost>"
    httpd = make_httpd(entra="", plain=ENTRA, server=host)
    page = Visitor(httpd.network, entra).send("GET", f"{PLAIN_ORIGIN}/x", PERSON)
    assert page.location == f"{ORIGIN}/x"
    httpd.network.add(ORIGIN, port, tls=False)
    person = Visitor(httpd.network, entra)
    assert person.at_entra(person.send("GET", f"{ORIGIN}/x", PERSON))
