# SPDX-License-Identifier: GPL-3.0-or-later
"""EntraSAMLStepUp: whom the rules deny may sign in once more, by force or with a second factor; then they have the last
word. Row 36: never a loop, whoever gives up, whatever the tabs, forms and programs do."""

import base64
import datetime
import zlib
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from aging import age_sessions, aged_relay_state
from entra import names
from entra.tamper import setting
from server import ORIGIN
from visitor import SESSION_COOKIE

MFA = names.METHOD_MULTIPLE
LOGIN = f"{ORIGIN}/saml/login"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# folder: what its section says. Ada: Editor, several factors; Ben: Reader, a password.
SECTIONS = {
    "plain": "Require valid-user",
    "never": "EntraSAMLStepUp Fresh\nRequire claim roles:Editor",
    "mfa": "EntraSAMLStepUp MFA\nRequire entra-mfa",
    "mfa-and-role": "EntraSAMLStepUp MFA\n<RequireAll>\nRequire entra-mfa\nRequire claim roles:Editor\n</RequireAll>",
    "age": "EntraSAMLStepUp Fresh\nRequire entra-authn-age 5min",
    "not-age": "EntraSAMLStepUp Fresh\n<RequireAll>\nRequire valid-user\nRequire not entra-authn-age 5min\n</RequireAll>",
    "off": "Require claim roles:Editor",
    "off-mfa": "Require entra-mfa",
    "off-again": "EntraSAMLStepUp Off\nRequire claim roles:Editor",
    "fresh": "EntraSAMLFreshSignIn 5min\nEntraSAMLStepUp Fresh\nRequire claim roles:Editor",
    "fresh-mfa": "EntraSAMLFreshSignIn 5min\nEntraSAMLStepUp MFA\nRequire entra-mfa",
    "user": "EntraSAMLStepUp Fresh\nRequire user ada@contoso.example",
    "expression": 'EntraSAMLStepUp Fresh\nRequire expr "%{REMOTE_USER} =~ /^ada@/"',
    "claim": "EntraSAMLStepUp Fresh\nRequire expr \"'Editor' in entra_claim('roles')\"",
    "address": "EntraSAMLStepUp Fresh\n<RequireAll>\nRequire valid-user\nRequire ip 192.0.2.1\n</RequireAll>",
    "nobody": "EntraSAMLStepUp Fresh\nRequire all denied",
    "programs": "EntraSAMLUnauthenticated 401\nEntraSAMLStepUp MFA\nRequire entra-mfa",
    "own-page": "EntraSAMLStepUp Fresh\nErrorDocument 403 /plain/sorry.txt\nRequire claim roles:Editor",
}
VHOST = "\n".join(
    f'<Location "/{folder}/">\nAuthType entra-saml\n{text}\n</Location>' for folder, text in SECTIONS.items()
)


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST)
    for folder in SECTIONS:
        for name in ("page", "other"):
            httpd.page(f"{folder}/{name}.txt", f"the page {folder}/{name}")
    httpd.page("plain/sorry.txt", "Sorry.")
    return httpd


@pytest.fixture(autouse=True)
def quiet(httpd):
    httpd.log.tolerate_denials()


@pytest.fixture
def ben(visitor):
    assert visitor.sign_in(url("plain"), "ben").status == 200
    return visitor


def url(folder, name="page"):
    return f"{ORIGIN}/{folder}/{name}.txt"


def request_of(asked):
    """(has it ForceAuthn, the classes it asks for)."""
    [packed] = parse_qs(urlsplit(asked.location).query)["SAMLRequest"]
    root = etree.fromstring(zlib.decompress(base64.b64decode(packed), -15))
    return root.get("ForceAuthn") == "true", [entry.text for entry in root.iter(f"{{{names.ASSERTION}}}AuthnContextClassRef")]


def denied(httpd, page):
    httpd.refused(page, "access-denied")
    assert page.location is None
    return page


# --- Once ---------------------------------------------------------------------------------------------


def test_a_fresh_sign_in_once(httpd, ben):
    """The rules are as before, so that the sign-in ends at the page that says no, and stays there."""
    old = ben.session
    asked = ben.ask(f"{url('never')}?a=1")
    assert request_of(asked) == (True, [])
    [line] = httpd.log.find("step-up-needed")
    assert "claim roles:Editor: none of 1 value of claim roles matches" in line
    page = denied(httpd, ben.submit(ben.answer(asked, "ben")))
    assert page.url == f"{url('never')}?a=1" and ben.session != old
    for name in ("page", "other"):
        denied(httpd, ben.open(url("never", name)))
    assert ben.open(url("plain")).status == 200
    ben.jar.store(ORIGIN, ben.jar.named(SESSION_COOKIE)[0].name + f"={old}; Path=/; Secure")
    assert ben.at_entra(ben.open(url("plain"))), "the session before it has ended"


def test_another_account_helps(httpd, ben):
    assert ben.submit(ben.answer(ben.ask(url("never")), "ada")).text == "the page never/page"
    assert ben.open(url("never", "other")).status == 200


def test_a_second_factor_once(httpd, ben):
    """Entra is asked for it by class and by force; who gave it is in, also in other sections that ask for no more."""
    asked = ben.ask(url("mfa"))
    assert request_of(asked) == (True, [MFA])
    assert ben.submit(ben.answer(asked, "ben")).text == "the page mfa/page"
    assert ben.open(url("off-mfa")).status == 200
    assert ben.open(url("mfa", "other")).status == 200
    denied(httpd, ben.open(url("mfa-and-role")))
    denied(httpd, ben.open(url("never")))


def test_a_second_factor_that_did_not_come(httpd, ben):
    """Entra let him off, or a policy did: the answer says so, and he is not sent again."""

    def password(said):
        return [(name, [names.METHOD_PASSWORD] if name == names.AUTHN_METHODS else values) for name, values in said.attributes]

    page = ben.submit(ben.answer(ben.ask(url("mfa")), "ben", setting(attributes=password)))
    denied(httpd, page)
    denied(httpd, ben.open(url("mfa", "other")))
    [line] = httpd.log.find("access-denied")[:1]
    assert "entra-mfa: none of 1 value of claim authnmethodsreferences says multi-factor" in line


def test_one_for_each_kind(httpd, ben):
    """A fresh sign-in was not enough here; a second factor, which includes one, may be enough there."""
    denied(httpd, ben.submit(ben.answer(ben.ask(url("never")), "ben")))
    assert ben.submit(ben.answer(ben.ask(url("mfa")), "ben")).status == 200


def test_who_has_what_is_asked_for_is_not_asked(visitor):
    """Nor is a stranger asked for more than a sign-in: the rules are judged when he is known."""
    asked = visitor.ask(url("mfa"))
    assert request_of(asked) == (False, [])
    assert visitor.submit(visitor.answer(asked, "ada")).text == "the page mfa/page"


@pytest.mark.parametrize("folder", ["off", "off-mfa", "off-again"])
def test_off_is_the_default(httpd, ben, folder):
    page = denied(httpd, ben.open(url(folder), follow=False))
    assert not page.html.xpath("//a[contains(@href, 'login')]") and len(page.forms) == 1


# --- Age ----------------------------------------------------------------------------------------------


def test_a_sign_in_that_is_too_old(httpd, ben):
    """Time takes it away and a fresh sign-in gives it back, as often as the user comes back for it."""
    assert ben.open(url("age")).status == 200
    for _ in range(2):
        age_sessions(httpd, 301)
        asked = ben.ask(url("age"))
        assert request_of(asked) == (True, [])
        assert ben.submit(ben.answer(asked, "ben")).text == "the page age/page"


def test_a_sign_in_that_stays_too_old(httpd, ben):
    """Who signed in anew and then took his time on the last page: that is said, and he is not sent round and round."""
    age_sessions(httpd, 301)
    then = datetime.datetime.utcnow() - datetime.timedelta(seconds=400)
    form = ben.answer(ben.ask(url("age")), "ben", setting(authn_instant=then))
    form["RelayState"] = aged_relay_state(httpd, form["RelayState"], 400)
    denied(httpd, ben.submit(form))
    denied(httpd, ben.open(url("age")))


def test_a_sign_in_that_is_too_new(httpd, ben):
    """`not` turns it round: then a fresh sign-in cannot help, and is made once at most."""
    denied(httpd, ben.submit(ben.answer(ben.ask(url("not-age")), "ben")))
    assert "not entra-authn-age 5min: the user signed in at Entra" in httpd.log.find("access-denied")[0]
    age_sessions(httpd, 301)
    assert ben.open(url("not-age")).status == 200


@pytest.mark.parametrize("folder, kind", [("fresh", []), ("fresh-mfa", [MFA])])
def test_beside_a_fresh_sign_in(httpd, ben, folder, kind):
    """EntraSAMLFreshSignIn comes first. What it asked for is not asked for again; a second factor, which it did not ask
    for, is, and the session that comes of it is fresh as well."""
    age_sessions(httpd, 600)
    asked = ben.ask(url(folder))
    assert request_of(asked) == (True, [])
    page = ben.submit(ben.answer(asked, "ben"))
    if kind:
        assert request_of(page) == (True, kind)
        assert ben.submit(ben.answer(page, "ben")).text == f"the page {folder}/page"
    else:
        denied(httpd, page)
    assert not ben.at_entra(ben.open(url(folder)))


# --- Who does not come back ---------------------------------------------------------------------------


def test_who_goes_back_finds_the_page_that_says_no(httpd, ben):
    """It offers the sign-in, and the way out. His session is as good as before."""
    old = ben.session
    ben.ask(url("mfa"))
    page = denied(httpd, ben.open(url("mfa")))
    assert page.html.xpath("//a/@href") == [f"/saml/login?mfa=1&return=%2Fmfa%2Fpage.txt"]
    assert [urlsplit(form.action).path for form in page.forms] == ["/saml/logout"]
    assert ben.session == old and ben.open(url("plain")).status == 200
    asked = ben.ask(ORIGIN + page.html.xpath("//a/@href")[0])
    assert request_of(asked) == (True, [MFA])
    assert ben.submit(ben.answer(asked, "ben")).text == "the page mfa/page"


def test_an_error_of_entra_leads_back_to_the_page(httpd, ben, entra):
    """A user who cancels, or cannot do it: no dead end at an error page, the session goes on."""
    asked = ben.ask(url("mfa"))
    entra.refuse("50058")
    page = denied(httpd, ben.submit(ben.visit(asked, "ben")))
    assert page.url == url("mfa")
    assert "aadsts=50058" in httpd.log.find("step-up-failed")[0]
    assert ben.open(url("plain")).status == 200


def test_an_error_for_a_stranger_is_a_page(httpd, ben, entra, make_visitor):
    """The form of another browser, or of a session that has ended: nothing leads round in a circle."""
    asked = ben.ask(url("mfa"))
    entra.refuse("50058")
    form = ben.visit(asked, "ben")
    httpd.refused(make_visitor().submit(form), "response-status")
    ben.jar.store(ORIGIN, ben.jar.named(SESSION_COOKIE)[0].name + "=; Path=/; Secure; Max-Age=0")
    page = ben.submit(form)
    assert ben.at_entra(page) and request_of(page) == (False, [])


def test_tabs(httpd, ben):
    """Of many tabs one goes to Entra; the others say no, and are right when they are loaded again."""
    pages = [ben.open(f"{url('mfa')}?tab={number}") for number in range(5)]
    assert [ben.at_entra(page) for page in pages] == [True, False, False, False, False]
    for page in pages[1:]:
        denied(httpd, page)
    assert ben.submit(ben.answer(pages[0], "ben")).url == f"{url('mfa')}?tab=0"
    assert ben.open(pages[1].url).text == "the page mfa/page"


def test_a_form_that_comes_twice(httpd, ben):
    """Back and reload behind the sign-in: the page decides, and says what it said."""
    form = ben.answer(ben.ask(url("never")), "ben")
    for _ in range(2):
        denied(httpd, ben.submit(form.copy()))


def test_two_browsers_of_one_user(httpd, ben, make_visitor):
    """Each session has its own."""
    other = make_visitor()
    other.sign_in(url("plain"), "ben")
    ben.ask(url("never"))
    assert other.at_entra(other.open(url("never")))


# --- Who cannot be sent -------------------------------------------------------------------------------


@pytest.mark.parametrize("folder, address", [("never", f"{LOGIN}?fresh=1"), ("mfa", f"{LOGIN}?mfa=1")])
def test_programs_get_401_with_the_address(httpd, ben, folder, address):
    """They lose nothing for the user: the page that he opens himself leads to Entra all the same. When that is done the
    answer is 403."""
    for method in ("GET", "POST", "PUT"):
        page = ben.fetch(url(folder), method=method, body=None if method == "GET" else b"{}")
        httpd.refused(page, "step-up-needed")
        assert page.json["sign_in"] == address
        assert page.headers["WWW-Authenticate"] == f'EntraSAML login="{address}"'
    asked = ben.ask(url(folder))
    page = ben.fetch(url(folder))
    httpd.refused(page, "access-denied")
    assert "sign_in" not in page.json and "WWW-Authenticate" not in page.headers
    ben.submit(ben.answer(asked, "ben"))
    assert ben.fetch(url(folder)).status == (200 if folder == "mfa" else 403)


def test_the_address_leads_on(httpd, ben):
    """What a program does with it: a window there, and back."""
    address = ben.fetch(url("mfa")).json["sign_in"]
    asked = ben.ask(f"{address}&return=/mfa/page.txt")
    assert request_of(asked) == (True, [MFA])
    assert ben.submit(ben.answer(asked, "ben")).text == "the page mfa/page"


def test_forms_get_a_page(httpd, ben):
    """A redirect would lose what was written; the page says so before, not after."""
    for _ in range(2):
        page = ben.open(url("mfa"), method="POST", body=b"a=b", headers=FORM, initiator=url("plain"))
        httpd.refused(page, "step-up-needed")
        assert page.html.xpath("//a/@href") == ["/saml/login?mfa=1"]
    assert ben.at_entra(ben.open(url("mfa")))


def test_head_is_not_sent(httpd, ben):
    assert ben.open(url("never"), method="HEAD").status == 401
    assert ben.at_entra(ben.open(url("never")))


def test_where_nobody_is_redirected(httpd, ben):
    page = ben.open(url("programs"), follow=False)
    httpd.refused(page, "step-up-needed")
    assert page.html.xpath("//a/@href") == ["/saml/login?mfa=1&return=%2Fprograms%2Fpage.txt"]


@pytest.mark.parametrize("folder", ["address", "nobody"])
def test_where_the_user_does_not_matter(httpd, ben, folder):
    """Another sign-in does not change an address."""
    denied(httpd, ben.open(url(folder), follow=False))
    assert "rule" in httpd.log.find("access-denied")[0]


@pytest.mark.parametrize("folder", ["user", "expression", "claim"])
def test_rules_of_other_modules(httpd, ben, folder):
    """Also where a rule asks for a user although there is one, as expressions about REMOTE_USER do."""
    asked = ben.ask(url(folder))
    assert request_of(asked) == (True, [])
    denied(httpd, ben.submit(ben.answer(asked, "ben")))
    age_sessions(httpd, 600)
    denied(httpd, ben.open(url(folder)))
    ben.open(f"{LOGIN}?fresh=1&return=/{folder}/page.txt")


def test_an_error_document_of_ones_own(ben):
    page = ben.submit(ben.answer(ben.ask(url("own-page")), "ben"))
    assert (page.status, page.text) == (403, "Sorry.")


@pytest.mark.parametrize("query", ["mfa=0", "mfa=", "mfa=1&passive=1", "mfa=1&mfa=1"])
def test_what_the_sign_in_address_does_not_take(httpd, ben, query):
    page = ben.open(f"{LOGIN}?{query}")
    httpd.refused(page, "form-malformed" if query.count("mfa") > 1 else "hint-refused")


# --- Configuration ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line, code",
    [
        ("EntraSAMLStepUp On", "config-value"),
        ("EntraSAMLStepUp", "config-value"),
        ("EntraSAMLStepUp Fresh MFA", "config-value"),
        ("Require entra-mfa yes", "config-rule"),
        ("Require entra-authn-age", "config-rule"),
        ("Require entra-authn-age 5min 6min", "config-rule"),
        ("Require entra-authn-age soon", "config-time"),
        ("Require entra-authn-age 59s", "config-time"),
        ("Require entra-authn-age 366d", "config-time"),
    ],
)
def test_what_httpd_t_refuses(make_httpd, line, code):
    httpd = make_httpd(start=False, vhost=f"<Location />\nAuthType entra-saml\nRequire valid-user\n{line}\n</Location>")
    status, said = httpd.configtest()
    assert status != 0 and f"reason={code}" in said, said
