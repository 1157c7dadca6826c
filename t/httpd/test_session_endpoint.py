# SPDX-License-Identifier: GPL-3.0-or-later
"""What a front end is told of its user's session (row 47), and what another site is not."""

import datetime
import time
from urllib.parse import quote

import pytest

from aging import age_sessions
from programs import ENVIRONMENT
from reasons import REASONS, assert_own_answer
from server import ORIGIN
from visitor import SESSION_COOKIE, made_up_token

SESSION = f"{ORIGIN}/saml/session"
LOGIN = f"{ORIGIN}/saml/login"
ENV = f"{ORIGIN}/cgi-bin/env"
HOUR = 3600
VHOST = """
    EntraSAMLSessionClaims roles groups displayname surname department nameid
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/quick">
        EntraSAMLSessionLifetime 30min
        EntraSAMLSessionIdle 10min
    </Location>
    <Location "/brief">
        EntraSAMLSessionLifetime 1s
    </Location>
    <Location "/idle">
        EntraSAMLSessionIdle 4s
        <If "'Reader' in entra_claim('roles')">
            EntraSAMLSessionIdle 2s
        </If>
    </Location>
    <Location "/pay">
        EntraSAMLFreshSignIn 1h
    </Location>
    <Location "/denied">
        Require all denied
    </Location>
    <Location "/elsewhere">
        AuthType None
        Require all granted
        EntraSAMLSessionIdle 20min
    </Location>
    <If "%{QUERY_STRING} == 'short=1'">
        EntraSAMLSessionIdle 7min
    </If>
    <Directory "${ROOT}/htdocs/files">
        EntraSAMLSessionIdle 15min
    </Directory>
    RewriteEngine On
    RewriteRule "^/rewritten$" "/files/page.html"
    RewriteRule "^/moved$" "/quick/" [R]
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST, server="LogLevel entra_saml:debug")
    httpd.script("env", ENVIRONMENT)
    for name in ("page.html", "files/page.html", "quick/index.html"):
        httpd.page(name, f"the page {name}")
    return httpd


@pytest.fixture
def ada(visitor):
    visitor.sign_in(ENV)
    return visitor


def assert_for_this_site_only(page):
    assert_own_answer(page)
    assert page.headers.get_all("Cross-Origin-Resource-Policy") == ["same-origin"]
    assert not [name for name in page.headers if name.lower().startswith("access-control-")]
    assert page.cookies() == []


def told(browser, page="", method="GET"):
    """What the endpoint says to a script of this site."""
    answer = browser.fetch(SESSION + (f"?page={quote(page)}" if page else ""), method=method)
    assert answer.status == 200, answer.text
    assert_for_this_site_only(answer)
    return answer.json


def assert_refused(httpd, page, code):
    httpd.refused(page, code)
    assert_for_this_site_only(page)


def instant(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def test_what_a_script_of_this_site_is_told(ada):
    said = told(ada)
    assert list(said) == [
        *("user", "claims", "now", "authenticated", "ends", "ends_in", "idle_ends", "idle_ends_in", "sign_in", "sign_out"),
    ]
    seen = ada.open(ENV).json
    assert said["user"] == seen["REMOTE_USER"] == "ada@contoso.example"
    assert said["claims"]["groups"] == seen["ENTRA_GROUPS"].split(";") and len(said["claims"]["groups"]) == 2
    assert said["claims"]["roles"] == ["Editor"] and said["claims"]["displayname"] == ["Ada Lovelace"]
    assert said["claims"]["nameid"] == ["ada@contoso.example"] and "department" not in said["claims"]
    assert abs(instant(said["now"]) - time.time()) < 5
    assert 8 * HOUR - 20 < said["ends_in"] <= 8 * HOUR and HOUR - 20 < said["idle_ends_in"] <= HOUR
    for end in ("ends", "idle_ends"):
        assert 0 <= instant(said[end]) - instant(said["now"]) - said[f"{end}_in"] <= 1
    assert said["sign_in"] == f"{LOGIN}?fresh=1&return=%2F" and said["sign_out"] == f"{ORIGIN}/saml/logout"


def test_never_the_session_itself(ada):
    """Row 23: no header and no member holds the cookie's value."""
    for method in ("GET", "POST"):
        page = ada.fetch(SESSION, method=method)
        assert page.status == 200 and ada.session not in page.text + str(page.headers)


def test_every_character_arrives(make_visitor):
    said = {}
    for user in ("eve", "zoe", "tess", "nora"):
        browser = make_visitor()
        browser.sign_in(ENV, user)
        page = browser.fetch(SESSION)
        assert "<" not in page.text and ">" not in page.text and "&" not in page.text
        said[user] = page.json
    assert said["eve"]["claims"]["surname"] == ["'\"><img src=x onerror=alert(1)>"]
    assert said["zoe"]["claims"]["displayname"] == [browser.entra.users["zoe"].display_name]
    assert said["tess"]["claims"]["roles"] == browser.entra.users["tess"].roles and len(said["tess"]["claims"]["roles"]) == 2000
    assert "groups" not in said["nora"]["claims"]


@pytest.mark.parametrize(
    "page, ends, idle",
    [
        ("/", 8 * HOUR, HOUR),
        ("/page.html?a=b", 8 * HOUR, HOUR),
        (f"{ORIGIN}/quick/x", 1800, 600),
        ("/quick/", 1800, 600),
        ("/nowhere", 8 * HOUR, HOUR),
        ("/denied", 8 * HOUR, HOUR),
        ("/elsewhere", 8 * HOUR, 1200),
        ("/page.html?short=1", 8 * HOUR, 420),
        ("/files/page.html", 8 * HOUR, 900),
        ("/rewritten", 8 * HOUR, 900),
        ("/saml/logout", 8 * HOUR, HOUR),
        ("/saml/session", 8 * HOUR, HOUR),
    ],
)
def test_the_limits_are_those_of_the_page(httpd, ada, page, ends, idle):
    """Wherever httpd would find them, without serving the page."""
    httpd.log.tolerate_denials()
    said = told(ada, page)
    assert ends - 20 < said["ends_in"] <= ends and idle - 20 < said["idle_ends_in"] <= idle
    assert said["sign_in"] == f"{LOGIN}?fresh=1&return={quote(page.replace(ORIGIN, ''), safe='')}"


def test_a_page_that_wants_a_fresh_sign_in(httpd, ada):
    said = told(ada, "/pay/x")
    assert HOUR - 20 < said["fresh_ends_in"] <= HOUR and "fresh_ends" not in told(ada, "/")
    age_sessions(httpd, HOUR + 1)
    page = ada.fetch(f"{SESSION}?page=/pay/x")
    assert page.status == 401 and page.json["sign_in"] == f"{LOGIN}?fresh=1&return=%2Fpay%2Fx"


def test_asking_does_not_keep_it_alive(httpd, ada):
    """Nor does the look at a page's section, not even where that asks for claims; POST does, as the use of a page would."""
    time.sleep(1.1)
    first = told(ada, "/idle/x")
    for _ in range(5):
        time.sleep(0.3)
        assert told(ada, "/idle/x")["idle_ends"] == first["idle_ends"]
        assert ada.fetch(f"{SESSION}?page=/idle/x", method="HEAD").status == 200
    later = told(ada, "/idle/x", "POST")
    assert instant(later["idle_ends"]) > instant(first["idle_ends"]) and later["idle_ends_in"] >= 3
    assert later["ends"] == first["ends"]
    time.sleep(4.1)
    page = ada.fetch(f"{SESSION}?page=/idle/x", method="POST")
    assert_refused(httpd, page, "session-idle")
    assert told(ada)["idle_ends_in"] <= HOUR - 4, "a POST for a page where it has ended extends it nowhere"


@pytest.mark.parametrize("cookie", ["none", "made up", "signed out"])
def test_without_a_session(httpd, visitor, cookie):
    """401 in JSON, whoever asks: a script, a program without fetch metadata, a person."""
    if cookie in ("made up", "signed out"):
        visitor.sign_in(ENV)
        mine = visitor.jar.named(SESSION_COOKIE)[0]
        if cookie == "signed out":
            visitor.open(f"{ORIGIN}/saml/logout", initiator=f"{ORIGIN}/page.html", follow=False)
            visitor.jar.store(ORIGIN, f"{mine.name}={mine.value}; Path=/; Secure")
        else:
            mine.value = made_up_token()
    asked = [
        visitor.fetch(f"{SESSION}?page=/quick/"),
        visitor.fetch(f"{SESSION}?page=/quick/", method="POST"),
        visitor.open(f"{SESSION}?page=/quick/", follow=False),
        visitor.send("GET", f"{SESSION}?page=/quick/", {}),
    ]
    for page in asked:
        assert_refused(httpd, page, "session-none")
        assert page.json["sign_in"] == f"{LOGIN}?return=%2Fquick%2F"
        assert page.headers["WWW-Authenticate"] == f'EntraSAML login="{LOGIN}?return=%2Fquick%2F"'


def test_a_session_that_has_ended_for_this_page(httpd, ada):
    time.sleep(1.1)
    page = ada.fetch(f"{SESSION}?page=/brief/x")
    assert_refused(httpd, page, "session-expired")
    told(ada)


OTHERS = ["https://evil.example", "https://app.example.test:8443", "http://app.example.test", "https://sub.app.example.test",
          "null", "https://app.example.test.evil.example", "https://app.example.test/", ""]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_another_site_learns_nothing(httpd, ada, make_visitor, method):
    """With a session and without, the answer is the same, by either header; it is not even looked for."""
    nobody = make_visitor()
    headers = [{"Origin": origin} for origin in OTHERS]
    headers += [{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode} for site in ("cross-site", "same-site", "x", "")
                for mode in ("cors", "no-cors", "navigate")]
    headers += [{"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}]
    if method == "POST":
        headers += [{}, {"Sec-Fetch-Site": "none"}]
    for sent in headers:
        pages = [browser.send(method, f"{SESSION}?page=/", {"Cookie": f"{SESSION_COOKIE}0=x; " + (browser.jar.header(SESSION) or ""),
                                                            **sent}) for browser in (ada, nobody)]
        for page in pages:
            assert page.status == 403, sent
            assert_for_this_site_only(page) if method != "HEAD" else None
            assert page.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        if method != "HEAD":
            assert [{**page.json, "reference": ""} for page in pages] == [
                {"error": "cross-site", "message": REASONS["cross-site"].text, "reference": ""}
            ] * 2
    assert httpd.log.find("cross-site")


def test_this_site_without_fetch_metadata(ada):
    """Browsers before 2023 say Origin with a POST, and nothing with a GET of their own site."""
    for method, sent in (("GET", {}), ("GET", {"Origin": ORIGIN}), ("POST", {"Origin": ORIGIN})):
        assert ada.send(method, SESSION, sent).json["user"] == "ada@contoso.example"


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "FOO"])
def test_other_methods(ada, method):
    page = ada.fetch(SESSION, method=method, headers={"Access-Control-Request-Method": "GET"})
    assert page.status in (405, 501) and b"contoso" not in page.body
    if page.status == 405 and method != "TRACE":
        assert set(page.headers["Allow"].replace(" ", "").split(",")) >= {"GET", "POST"}
    assert not [name for name in page.headers if name.lower().startswith("access-control-")]


def test_head(ada):
    page = ada.fetch(SESSION, method="HEAD")
    assert page.status == 200 and page.body == b"" and page.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "query, code",
    [
        ("page=https://evil.example/", "landing-refused"),
        ("page=//evil.example/", "landing-refused"),
        ("page=", "landing-refused"),
        ("page=x", "landing-refused"),
        ("page=/a/../quick/", "landing-refused"),
        ("page=/%250d%250aX:1", None),
        ("page=/&page=/quick/", "form-malformed"),
        ("page=%zz", "form-malformed"),
    ],
)
def test_pages_that_are_none(httpd, ada, query, code):
    page = ada.fetch(f"{SESSION}?{query}")
    if code:
        assert_refused(httpd, page, code)
    else:
        assert page.status in (200, 400)


def test_it_is_there_whatever_the_rules_say(make_visitor, httpd):
    """As the other endpoints: a user without rights may know how long his session lasts, and a rewritten address goes on."""
    httpd.log.tolerate_denials()
    ben = make_visitor()
    ben.sign_in(ENV, "ben")
    assert told(ben, "/denied")["user"] == "ben@contoso.example"
    assert told(ben, "/moved")["ends_in"] > 0
