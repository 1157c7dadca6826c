# SPDX-License-Identifier: GPL-3.0-or-later
"""EntraSAMLPreservePost: a form that is sent without a session is kept while its sender signs in, and sent again."""

import time
from urllib.parse import urlencode

import pytest

from client import raw
from programs import ECHO
from server import HOST, ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE, Visitor

LIMIT = 20_000
URLENCODED = "application/x-www-form-urlencoded"
PAGE = f"{ORIGIN}/cgi-bin/echo/form?step=2&a=%3Cb%3E"
EVIL = "https://evil.example.net/page"
FIELDS = [("name", "Ada Lövelace"), ("note", "first\r\nsecond\r\n"), ("name", "again"), ("empty", ""), ("<b>", "\"&'<>")]
VHOST = f"""
    ScriptAlias /off "${{ROOT}}/cgi-bin/echo"
    ScriptAlias /small "${{ROOT}}/cgi-bin/echo"
    ScriptAlias /limited "${{ROOT}}/cgi-bin/echo"
    ScriptAlias /api "${{ROOT}}/cgi-bin/echo"
    ScriptAlias /idle "${{ROOT}}/cgi-bin/echo"
    <Location "/">
        AuthType entra-saml
        Require valid-user
        EntraSAMLPreservePost {LIMIT}
    </Location>
    <Location "/off">
        EntraSAMLPreservePost Off
    </Location>
    <Location "/small">
        EntraSAMLPreservePost 1K
    </Location>
    <Location "/limited">
        LimitRequestBody 512
    </Location>
    <Location "/api">
        EntraSAMLUnauthenticated 401
    </Location>
    <Location "/idle">
        EntraSAMLSessionIdle 1s
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    httpd.script("echo", ECHO)
    httpd.page("index.html", "PROTECTED start")
    return httpd


def post(visitor, url=PAGE, fields=FIELDS, body=None, type=URLENCODED, initiator=PAGE, headers=None):
    body = urlencode(fields).encode() if body is None else body
    sent = {"Content-Type": type, **(headers or {})}
    return visitor.open(url, method="POST", initiator=initiator, body=body, headers=sent, follow=False)


def keep(visitor, **how):
    """Send a form that is kept: the redirect to Entra."""
    asked = post(visitor, **how)
    assert visitor.at_entra(asked), f"{asked.status} {asked.text[:500]}"
    assert len(asked.location) <= 2048
    return asked


def come_back(visitor, asked, user="ada"):
    """Sign in: the page that sends the form again."""
    return visitor.submit(visitor.answer(asked, user))


def got(page):
    """What the application got."""
    assert page.status == 200 and page.type == "application/json", page.text[:500]
    return page.json


def test_a_form_arrives_as_it_was_sent(visitor, httpd):
    """Row 16: its address, its fields in their order, doubles, line ends, what is not ASCII."""
    page = come_back(visitor, keep(visitor))
    assert page.status == 200 and page.url.startswith(f"{ORIGIN}/saml/resend?id=")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'sha256-" in policy and "script-src 'unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "form-action 'self' https:" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert "<script>" in page.text and page.text.count("<script") == 1 and "Send now" in page.words
    [form] = page.forms
    assert form.fields == FIELDS and form.action == PAGE and form.method == "POST"
    assert page.html.forms[0].get("enctype") == URLENCODED and page.html.forms[0].get("accept-charset") == "utf-8"
    told = got(visitor.submit(form))
    assert told["body"] == urlencode(FIELDS) and told["type"] == URLENCODED
    assert (told["method"], told["uri"], told["user"]) == ("POST", PAGE.removeprefix(ORIGIN), "ada@contoso.example")
    # It is sent once: Back and reload of that page do not do it again, nor does Entra's form.
    httpd.refused(visitor.open(page.url, initiator=page.url), "post-lost")


def test_plain_text_and_other_charsets(visitor):
    page = come_back(visitor, keep(visitor, body=b"a=1\r\nb=\xc3\xa4\r\n", type="text/plain"))
    form = page.html.forms[0]
    assert form.get("enctype") == "text/plain" and page.forms[0].fields == [("a", "1\r\nb=ä")]
    other = make_other(visitor)
    page = come_back(other, keep(other, body=b"a=%E4&b=%80%81"))
    assert page.html.forms[0].get("accept-charset") == "windows-1252"
    assert page.forms[0].fields == [("a", "ä"), ("b", "€\x81")]


def make_other(visitor):
    return Visitor(visitor.network, visitor.entra)


def test_a_session_that_was_idle(visitor):
    """The main use: the user wrote for longer than his session lasts."""
    visitor.sign_in(f"{ORIGIN}/idle")
    time.sleep(2.1)
    page = come_back(visitor, keep(visitor, url=f"{ORIGIN}/idle/x"))
    assert "<script>" in page.text  # nobody is asked: the same user
    assert got(visitor.submit(page.forms[0]))["body"] == urlencode(FIELDS)


def test_another_user_signs_in(visitor, httpd):
    visitor.sign_in(f"{ORIGIN}/idle")
    time.sleep(2.1)
    page = come_back(visitor, keep(visitor, url=f"{ORIGIN}/idle/x"), user="ben")
    httpd.refused(page, "post-foreign")
    assert "Lövelace" not in page.text
    httpd.refused(visitor.open(page.url), "post-lost")


def test_an_ended_session_is_asked_about(visitor):
    """A cookie of a session that nobody knows any more: perhaps another's."""
    visitor.sign_in()
    cookie = visitor.jar.named(SESSION_COOKIE)[0]
    made_up = cookie.value[::-1]
    visitor.jar.store(f"{ORIGIN}/", f"{cookie.name}={made_up}; Path=/; Secure; HttpOnly; SameSite=Lax")
    page = come_back(visitor, keep(visitor))
    assert "<script" not in page.text and "Send it now?" in page.words
    assert got(visitor.submit(page.forms[0]))["body"] == urlencode(FIELDS)


def test_another_browser_never_gets_it(visitor, make_visitor, httpd):
    asked = keep(visitor)
    thief = make_visitor()
    thief.sign_in(user="ben")
    page = visitor.submit(visitor.answer(asked), follow=False)
    httpd.refused(thief.open(page.location), "post-foreign")
    nobody = make_visitor()
    assert nobody.open(page.location).status == 401
    # Nor does the same browser with another cookie; and in the right one it is still there.
    kept = visitor.jar.named(BINDING_COOKIE)[0]
    visitor.jar.drop(BINDING_COOKIE)
    httpd.refused(visitor.open(page.location), "post-foreign")
    visitor.jar.store(f"{ORIGIN}/", f"{kept.name}={kept.value}; Path=/; Secure; HttpOnly; SameSite=None")
    assert visitor.open(page.location, method="HEAD").status == 405
    assert visitor.open(page.location, headers={"Sec-Purpose": "prefetch"}).status == 405
    assert visitor.open(page.location).forms[0].fields == FIELDS


# What is sent, and why it is not kept.
REFUSED = {
    "files": ("post-type", {"type": "multipart/form-data; boundary=x", "body": b"--x--\r\n"}),
    "charset": ("post-type", {"type": f"{URLENCODED}; charset=iso-8859-1"}),
    "coded": ("post-type", {"headers": {"Content-Encoding": "gzip"}}),
    "large": ("post-too-large", {"body": b"a=" + b"x" * LIMIT}),
    "larger than here": ("post-too-large", {"url": f"{ORIGIN}/small", "body": b"a=" + b"x" * 1023}),
    "larger than httpd takes": ("post-too-large", {"url": f"{ORIGIN}/limited", "body": b"a=" + b"x" * 600}),
    "no name": ("post-inexact", {"body": b"=1"}),
    "NUL": ("post-inexact", {"body": b"a=%00"}),
    "another site": ("post-cross-site", {"initiator": EVIL}),
    "a sibling": ("post-cross-site", {"initiator": "https://other.example.test/"}),
    "another site, old browser": ("post-cross-site", {"initiator": EVIL, "headers": {"Sec-Fetch-Site": None}}),
    "nobody says": ("post-cross-site", {"headers": {"Sec-Fetch-Site": None, "Origin": None, "Referer": None}}),
    "Off": ("form-without-session", {"url": f"{ORIGIN}/off"}),
    "401": ("form-without-session", {"url": f"{ORIGIN}/api"}),
    "a frame": ("form-without-session", {"headers": {"Sec-Fetch-Dest": "iframe"}}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_kept(visitor, httpd, name):
    code, how = REFUSED[name]
    how = {"headers": {}, **how}
    dropped = [header for header, value in how["headers"].items() if value is None]
    how["headers"] = {header: value for header, value in how["headers"].items() if value is not None}
    visitor.leave_out = dropped
    page = post(visitor, **how)
    httpd.refused(page, code)
    assert not page.cookies() and "Lövelace" not in page.text


def test_a_body_in_chunks(visitor, httpd):
    """Nobody said how long it would be."""

    def chunks(size):
        yield b"a="
        yield b"x" * size

    def send(size):
        sent = {"Content-Type": URLENCODED}
        return visitor.open(PAGE, method="POST", initiator=PAGE, body=chunks(size), headers=sent, follow=False)

    httpd.refused(send(LIMIT), "post-too-large")
    assert come_back(visitor, send(LIMIT - 2)).forms[0].fields == [("a", "x" * (LIMIT - 2))]


def test_a_body_that_breaks_off(visitor, httpd):
    head = f"POST {PAGE.removeprefix(ORIGIN)} HTTP/1.1\r\nHost: {HOST}\r\nSec-Fetch-Site: same-origin\r\n"
    head += f"Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\nContent-Type: {URLENCODED}\r\n"
    answer = raw(httpd.network, ORIGIN, f"{head}Transfer-Encoding: chunked\r\n\r\nno length\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")  # of httpd's own filter
    assert httpd.log.find("post-unread")


def test_programs_get_401(visitor):
    body, sent = b"a=1", {"Content-Type": URLENCODED}
    for how in ({}, {"mode": "same-origin"}, {"method": "PUT"}):
        page = visitor.fetch(PAGE, method=how.pop("method", "POST"), body=body, headers=sent, **how)
        assert page.status == 401 and page.json["sign_in"] and not page.cookies()


def test_two_tabs_and_rounds(visitor, httpd):
    """Two forms under way in one browser, one of them twice; and one whose cookie was lost on the way."""
    first, second = keep(visitor), keep(visitor, fields=[("b", "2")])
    twice = keep(visitor)
    pages = [come_back(visitor, asked) for asked in (second, first)]
    assert [page.forms[0].fields for page in pages] == [[("b", "2")], FIELDS]
    httpd.refused(come_back(visitor, twice), "post-lost")
    again = visitor.submit(visitor.answer(second))  # Entra's form once more: Back
    httpd.refused(again, "post-lost")
    asked = keep(make_other(visitor))
    lost = visitor.finish(asked)  # in a browser with another cookie: the sign-on starts again, without the form
    httpd.refused(lost, "post-foreign")


def test_a_long_address_and_a_signed_out_browser(visitor):
    url = f"{ORIGIN}/cgi-bin/echo?" + "x" * 6000
    page = come_back(visitor, keep(visitor, url=url))
    assert page.forms[0].action == url
    assert got(visitor.submit(page.forms[0]))["body"] == urlencode(FIELDS)


def test_survives_restarts(make_httpd, entra):
    """Graceful, full, and one that gives the memory another size; by default long addresses need no directive."""
    httpd = make_httpd(vhost=VHOST)
    httpd.script("echo", ECHO)
    visitor, other = Visitor(httpd.network, entra), Visitor(httpd.network, entra)
    long = f"{ORIGIN}/cgi-bin/echo?" + "y" * 4096
    asked, far = keep(visitor), other.ask(long)
    httpd.graceful()
    httpd.restart()
    httpd.stop()
    httpd.configure(server="EntraSAMLPreserveMemory 300K")
    httpd.start()
    httpd.expect("config-state")  # the file is laid out anew
    page = come_back(visitor, asked)
    assert page.forms[0].fields == FIELDS
    assert got(other.submit(other.answer(far)))["uri"] == long.removeprefix(ORIGIN)
    octets = (httpd.root / "state" / "entra_saml.seg").read_bytes()
    assert b"%C3%B6velace" not in octets and b"yyyyyyyy" not in octets


def test_a_full_ring(make_httpd, entra):
    """What has no room any more ends on the default page; who holds less than those who flood is not pushed out."""
    httpd = make_httpd(vhost=VHOST.replace(str(LIMIT), "4K"), server="EntraSAMLPreserveMemory 64K\nLogLevel entra_saml:info")
    httpd.script("echo", ECHO)
    httpd.page("index.html", "PROTECTED start")
    visitor = Visitor(httpd.network, entra)
    first = visitor.ask(f"{ORIGIN}/cgi-bin/echo?" + "1" * 6000)
    form = keep(visitor)
    for number in range(20):
        Visitor(httpd.network, entra).ask(f"{ORIGIN}/cgi-bin/echo?{number}" + "x" * 6000)
    assert "PROTECTED start" in visitor.submit(visitor.answer(first)).text
    assert httpd.log.find("landing-lost")
    assert come_back(visitor, form).forms[0].fields == FIELDS
