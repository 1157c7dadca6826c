# SPDX-License-Identifier: GPL-3.0-or-later
"""The instruments: a jar that is too kind, or an oracle that is deaf, would make every other test worthless."""

import time

import pytest

from client import relation
from cookies import Jar
from errorlog import ErrorLog
from server import ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE

APP, ENTRA = "https://app.example.test/x", "https://login.microsoftonline.com/"
WARNING = "[Sun Nov 22 00:00:00 2026] [entra_saml:warn] [pid 1] [entra_saml] reason=audience ref=ABCDEFGH: no"


@pytest.fixture
def jar():
    jar = Jar()
    for name, attributes in (
        ("none", "Secure; SameSite=None"),
        ("lax", "Secure; SameSite=Lax"),
        ("strict", "Secure; SameSite=Strict"),
        ("silent", "Secure"),
    ):
        jar.store(APP, f"{name}=1; Path=/; {attributes}")
    return jar


def names(header):
    return {pair.partition("=")[0] for pair in (header or "").split("; ")} - {""}


def test_entras_post_brings_same_site_none_only(jar):
    assert names(jar.header(APP, method="POST", cross_site=True)) == {"none"}


def test_a_link_from_elsewhere_brings_lax(jar):
    assert names(jar.header(APP, cross_site=True)) == {"none", "lax", "silent"}


def test_an_image_elsewhere_brings_none_only(jar):
    assert names(jar.header(APP, cross_site=True, navigation=False)) == {"none"}


def test_the_same_site_brings_all(jar):
    assert names(jar.header(APP, method="POST")) == {"none", "lax", "strict", "silent"}


@pytest.mark.parametrize(
    "header",
    [
        "__Host-a=1; Path=/",
        "__Host-a=1; Secure",
        "__Host-a=1; Secure; Path=/; Domain=example.test",
        "__Secure-a=1; Path=/",
        "a=1; SameSite=None",
        "a=1; Domain=elsewhere.test",
    ],
)
def test_what_a_browser_refuses(header):
    jar = Jar()
    jar.store(APP, header)
    assert jar.cookies == {} and len(jar.refused) == 1


def test_cookies_end(jar):
    jar.store(APP, "lax=; Path=/; Secure; Max-Age=0")
    jar.store(APP, "strict=; Path=/; Secure; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    jar.store(APP, "soon=1; Path=/; Secure; Max-Age=1")
    assert names(jar.header(APP)) == {"none", "silent", "soon"}
    time.sleep(1.1)
    assert names(jar.header(APP)) == {"none", "silent"}


def test_cookies_stay_where_they_belong(jar):
    assert jar.header("http://app.example.test/") is None
    assert jar.header("https://other.example.test/") is None
    jar.store(APP, "wide=1; Domain=example.test; Path=/deep")
    assert names(jar.header("https://other.example.test/deep/er")) == {"wide"}
    assert jar.header("https://other.example.test/deeper") is None


@pytest.mark.parametrize(
    "initiator, chain, expected",
    [
        (None, [APP], "none"),
        (APP, [APP], "same-origin"),
        ("https://other.example.test/", [APP], "same-site"),
        (ENTRA, [APP], "cross-site"),
        (APP, [ENTRA, APP], "cross-site"),
    ],
)
def test_fetch_metadata(initiator, chain, expected):
    assert relation(initiator, chain) == expected


# --- The oracle ---------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path):
    return ErrorLog(tmp_path / "error.log")


def write(log, *lines):
    with open(log.path, "a") as file:
        file.writelines(line + "\n" for line in lines)


def test_an_unannounced_warning_fails(log):
    write(log, WARNING)
    assert len(log.verdict()) == 1
    assert log.verdict() == [], "every line is judged once"


def test_an_announced_one_does_not(log):
    log.expect("audience")
    write(log, WARNING)
    assert log.verdict() == []


def test_another_code_is_no_announcement(log):
    log.expect("audience-missing")
    write(log, WARNING)
    assert len(log.verdict()) == 2, "one unannounced, one announced in vain"


def test_counts_are_exact(log):
    log.expect("audience", 2)
    write(log, WARNING)
    assert log.verdict() == ["announced audience 2 times, logged 1 times"]


@pytest.mark.parametrize(
    "line",
    [
        "[x] [core:notice] [pid 1] AH00052: child pid 2 exit signal Segmentation fault (11)",
        "==1==ERROR: AddressSanitizer: heap-use-after-free",
        "[x] [core:crit] [pid 1] disaster",
        "[x] [:error] [pid 1] no module",
    ],
)
def test_crashes_are_heard(log, line):
    write(log, line)
    assert len(log.verdict()) == 1


def test_information_is_not_loud(log):
    write(log, WARNING.replace(":warn]", ":info]"), "[x] [mpm_event:notice] [pid 1] AH00489: resuming")
    assert log.verdict() == []


# --- A sign-in seen through them ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost='<Location "/">\nAuthType entra-saml\nRequire valid-user\n</Location>')
    httpd.page("index.html", "index")
    return httpd


def test_a_real_warning_is_heard(httpd, visitor):
    visitor.sign_in(change="other-audience")
    [fault] = httpd.log.verdict()
    assert fault.startswith("unannounced: ") and "reason=audience" in fault


def test_the_visitor_keeps_the_rules(visitor):
    asked = visitor.ask()
    assert asked.sent["Sec-Fetch-Site"] == "none"
    arrived = visitor.submit(visitor.answer(asked), follow=False)
    assert arrived.sent["Sec-Fetch-Site"] == "cross-site"
    assert arrived.sent["Origin"] == "https://login.microsoftonline.com"
    assert BINDING_COOKIE in arrived.sent["Cookie"] and SESSION_COOKIE not in arrived.sent["Cookie"]
    assert visitor.open(ORIGIN + "/").text == "index"
