# SPDX-License-Identifier: GPL-3.0-or-later
"""Single logout by redirect (SAML profiles 4.4): ours goes on to Entra, Entra's ends the sessions here, and nobody
else's message ends anything."""

import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from lxml import etree

from entra import logout, names
from entra.request import read_redirect
from programs import ENVIRONMENT
from reasons import assert_own_answer
from server import ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE, Visitor

ENV = f"{ORIGIN}/cgi-bin/env"
LOGOUT = f"{ORIGIN}/saml/logout"
SAML = {"p": names.PROTOCOL, "a": names.ASSERTION}
VHOST = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/bye.html">
        Require all granted
    </Location>
"""


def equip(httpd):
    httpd.script("env", ENVIRONMENT)
    httpd.page("bye.html", "GOODBYE")
    return httpd


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd):
    return equip(make_httpd(vhost=VHOST, mpm=request.param))


@pytest.fixture
def sign_in(make_visitor):
    """sign_in("ada") gives a signed-in visitor, who knows as `participant` how Entra named his session."""

    def sign_in(user="ada"):
        visitor = make_visitor()
        asked = visitor.ask(ENV)
        form = visitor.entra.sign_in(asked.location, user)
        visitor.participant = form.participant
        answer = visitor.answer(asked, user)
        answer.fields = list(form.fields.items())
        assert visitor.submit(answer).status == 200
        return visitor

    return sign_in


@pytest.fixture
def user(sign_in):
    return sign_in()


def signed_in(visitor):
    return visitor.open(ENV).status == 200


def framed(visitor, address, headers=()):
    """The address in a hidden frame of Entra's page: cross-site, without Lax cookies."""
    page = visitor.fetch(
        address,
        initiator=visitor.entra.endpoint,
        mode="navigate",
        dest="iframe",
        headers={"Accept": "text/html", **dict(headers)},
    )
    assert SESSION_COOKIE not in page.sent.get("Cookie", "")
    return page


def message(location):
    """The XML of the message in a redirect to Entra."""
    fields = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    fields["SAMLRequest"] = fields.get("SAMLRequest") or fields["SAMLResponse"]
    return etree.fromstring(read_redirect(fields))


# --- the user signs out here --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method, body", [("GET", None), ("POST", b"")])
def test_a_sign_out_goes_on_to_entra_and_comes_back(httpd, user, method, body):
    old = dict(user.jar.cookies)
    page = user.open(LOGOUT, initiator=ENV, method=method, body=body)
    assert user.at_entra(page) and page.headers.get_all("Cache-Control") == ["no-store"]
    assert user.session is None
    user.jar.cookies = old
    assert user.at_entra(user.open(ENV)), "the session ended before Entra was asked"
    request = message(page.location)
    assert request.tag == f"{{{names.PROTOCOL}}}LogoutRequest" and request.get("Destination") == user.entra.endpoint
    assert request.get("ID").startswith("_") and request.get("Version") == "2.0"
    assert [child.tag.split("}")[1] for child in request] == ["Issuer", "NameID", "SessionIndex"]
    assert request.findtext("a:Issuer", None, SAML) == f"{ORIGIN}/saml/metadata"
    assert request.findtext("a:NameID", None, SAML) == user.participant.name_id
    assert request.find("a:NameID", SAML).get("Format") == user.participant.name_id_format
    assert request.findtext("p:SessionIndex", None, SAML) == user.participant.session_index
    [relay_state] = parse_qs(urlsplit(page.location).query)["RelayState"]
    assert len(relay_state) <= 80, "SAML bindings 3.4.3"
    back = user.open(user.entra.log_out(page.location), initiator=user.entra.endpoint)
    assert back.status == 200 and back.type == "text/html" and "at Microsoft." in back.words
    assert "still be signed in" not in back.words
    assert_own_answer(back)
    assert len([line for line in httpd.log.new() if "signed out" in line and "by=user" in line]) == 1


@pytest.mark.parametrize("issuer", ["https://login.microsoftonline.com/{}/", "https://sts.windows.net/{}/"])
def test_both_forms_of_the_issuer(httpd, user, issuer):
    """Documented is the first, measured the second."""
    issuer = issuer.format(user.entra.tenant.tenant_id)
    page = user.open(LOGOUT, initiator=ENV)
    change = logout.setting(issuer=issuer)
    assert "at Microsoft." in user.open(user.entra.log_out(page.location, change)).words
    other = user.entra.ask_logout(user.participant, change)
    assert user.at_entra(framed(user, other))


def test_the_button_of_another_sites_link_goes_on_too(httpd, user):
    """… and the page's own policy lets the form lead there."""
    asked = user.send("GET", f"{LOGOUT}?return=/bye.html", {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"})
    assert signed_in(user)
    entra = "{0.scheme}://{0.netloc}".format(urlsplit(user.entra.endpoint))
    assert asked.headers["Content-Security-Policy"].endswith(f"form-action 'self' {entra}")
    [form] = asked.forms
    assert form.action == f"{LOGOUT}?return=%2Fbye.html"
    assert user.at_entra(user.submit(form))


def test_the_page_to_return_to(user):
    page = user.open(f"{LOGOUT}?return=%2Fbye.html", initiator=ENV)
    assert user.at_entra(page)
    back = user.open(user.entra.log_out(page.location), initiator=user.entra.endpoint)
    assert back.url == f"{ORIGIN}/bye.html" and back.text == "GOODBYE"


def test_without_a_session_there_is_nothing_to_ask_entra(visitor):
    assert visitor.open(LOGOUT, initiator=ENV).status == 200
    assert visitor.open(f"{LOGOUT}?return=/bye.html", initiator=ENV).text == "GOODBYE"


@pytest.mark.parametrize("wanted", ["https://evil.test/", "//evil.test", "/%5cevil.test", "/a&return=/b"])
def test_a_return_address_elsewhere_keeps_nobody_signed_in(httpd, user, wanted):
    """It is passed over: the sign-out must not fail for it."""
    page = user.open(f"{LOGOUT}?return={wanted}", initiator=ENV)
    assert user.at_entra(page) and user.session is None
    back = user.open(user.entra.log_out(page.location))
    assert back.url.startswith(LOGOUT) and "You are signed out" in back.words
    assert httpd.log.find("landing-refused") or httpd.log.find("form-malformed")
    httpd.log.tolerate("form-malformed")


def test_programs_are_signed_out_here_only(user):
    page = user.fetch(LOGOUT, initiator=ENV, method="POST", body=b"")
    assert page.status == 200 and user.session is None


# --- Entra's answer -----------------------------------------------------------------------------------------------

ANSWERS = {
    "unsigned": "logout-unsigned",
    "altered": "logout-signature",
    "other-key": "logout-signature",
    "sha1": "logout-algorithm",
    "no-algorithm": "logout-algorithm",
    "cut-off": "logout-signature",
    "stale": "logout-stale",
    "from-the-future": "logout-stale",
    "other-destination": "logout-destination",
    "other-issuer": "logout-issuer",
    "other-request": "logout-unasked",
    "failed": "logout-status",
}


@pytest.mark.parametrize("change, code", ANSWERS.items())
def test_whatever_entra_answers_the_user_comes_to_a_page(httpd, user, change, code):
    """Row 43."""
    page = user.open(LOGOUT, initiator=ENV)
    back = user.open(user.entra.log_out(page.location, change), initiator=user.entra.endpoint)
    assert back.status == 200 and "You are signed out of this application" in back.words
    assert "still be signed in at Microsoft" in back.words
    assert_own_answer(back)
    httpd.expect(code, 1)
    page = sign_in_again(user).open(f"{LOGOUT}?return=/bye.html", initiator=ENV)
    assert user.open(user.entra.log_out(page.location, change)).text == "GOODBYE"
    httpd.log.announced[-1] = (code, 2)


def sign_in_again(user):
    assert user.sign_in(ENV).status == 200
    return user


def test_an_answer_without_relay_state(httpd, user):
    page = user.open(LOGOUT, initiator=ENV)
    change = logout.setting(relay_state=None)
    assert "You are signed out" in user.open(user.entra.log_out(page.location, change)).words
    httpd.expect("logout-unasked", 1)


def test_a_relay_state_of_a_sign_in_leads_nowhere(httpd, user, visitor):
    """Sealed by the same key, for another purpose."""
    [relay_state] = parse_qs(urlsplit(visitor.ask(f"{ORIGIN}/bye-bye").location).query)["RelayState"]
    page = user.open(LOGOUT, initiator=ENV)
    back = user.open(user.entra.log_out(page.location, logout.setting(relay_state=relay_state)))
    assert back.url.startswith(LOGOUT) and back.status == 200
    httpd.expect("logout-unasked", 1)


def test_an_answer_ends_nobodys_session(httpd, user, sign_in):
    """A stranger's answer in an image or frame, or one kept from last time."""
    page = user.open(LOGOUT, initiator=ENV)
    kept = user.entra.log_out(page.location)
    other = sign_in("ben")
    other.open(kept, initiator="https://evil.test/")
    assert signed_in(other)


# --- Entra's request ----------------------------------------------------------------------------------------------


def test_entras_request_in_a_frame_ends_the_session(httpd, user, sign_in):
    other = sign_in("ben")
    page = framed(user, user.entra.ask_logout(user.participant, relay_state="as/it is+&="))
    assert user.at_entra(page) and page.headers.get_all("Cache-Control") == ["no-store"]
    assert "X-Frame-Options" not in page.headers
    assert user.session and user.at_entra(user.open(ENV)), "the cookie is still there, and worth nothing"
    assert signed_in(other)
    [line] = [line for line in httpd.log.new() if "signed out" in line]
    assert "sessions=1 by=entra request=_" in line
    answer = message(page.location)
    assert answer.tag == f"{{{names.PROTOCOL}}}LogoutResponse" and answer.get("Destination") == user.entra.endpoint
    assert answer.get("InResponseTo") in line and answer.get("ID").startswith("_")
    assert answer.findtext("a:Issuer", None, SAML) == f"{ORIGIN}/saml/metadata"
    assert answer.find("p:Status/p:StatusCode", SAML).get("Value") == names.SUCCESS
    assert parse_qs(urlsplit(page.location).query)["RelayState"] == ["as/it is+&="]
    fields = dict(re.findall("([^&=]+)=([^&]*)", urlsplit(page.location).query))
    assert user.entra.receive_logout({"SAMLResponse": parse_qs(f"a={fields['SAMLResponse']}")["a"][0]}).in_response_to


def test_entras_request_on_top(user):
    """Not in a frame: the cookie comes along."""
    page = user.open(user.entra.ask_logout(user.participant), initiator=user.entra.endpoint)
    assert SESSION_COOKIE in page.sent.get("Cookie", "")
    assert user.at_entra(page) and not signed_in(user)


def test_the_session_named_and_no_other(user, sign_in):
    """One user, two browsers: SessionIndex names one of them (SAML profiles 4.4.3.3)."""
    second = sign_in()
    framed(user, user.entra.ask_logout(user.participant))
    assert not signed_in(user) and signed_in(second)


@pytest.mark.parametrize("indexes", [[], ["_unknown"], ["_a", "_b"]], ids=str)
def test_all_sessions_of_the_user(user, sign_in, indexes):
    """Without SessionIndex, or with none that we know, the NameID counts, in every browser."""
    second, other = sign_in(), sign_in("ben")
    page = framed(user, user.entra.ask_logout(user.participant, indexes=indexes))
    assert user.at_entra(page)
    assert not signed_in(user) and not signed_in(second) and signed_in(other)


def test_a_stranger_is_answered_all_the_same(user, sign_in):
    """Without any session of his the user is out."""
    page = framed(user, user.entra.ask_logout(user.participant))
    assert user.at_entra(page) and not signed_in(user)
    assert user.at_entra(framed(user, user.entra.ask_logout(user.participant)))


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_every_accepted_algorithm(user, digest):
    assert user.at_entra(framed(user, user.entra.ask_logout(user.participant, logout.setting(digest=digest))))
    assert not signed_in(user)


REORDERED = {
    "signature first": lambda pairs: pairs.insert(0, pairs.pop(-2)),
    "reversed": lambda pairs: pairs.reverse(),
    "with others between": lambda pairs: pairs.insert(1, ["McasTsid", "20893&a&=b"]),
    "names escaped": lambda pairs: pairs[0].__setitem__(0, "SAML%52equest"),
}


@pytest.mark.parametrize("order", REORDERED)
def test_any_order_of_the_query(user, order):
    address = user.entra.ask_logout(user.participant, logout.Tamper(query=REORDERED[order]), relay_state="x")
    assert user.at_entra(framed(user, address)) and not signed_in(user)


def test_escapes_by_the_binding(user):
    """Upper-case escapes, as every other implementation writes them, are signed as such."""
    change = logout.setting(signer=lambda said: said.signer)
    lower = logout.escape
    try:
        logout.escape = lambda text: quote(text, safe="")
        address = user.entra.ask_logout(user.participant, change)
    finally:
        logout.escape = lower
    assert "%2B" in address or "%2F" in address
    assert user.at_entra(framed(user, address)) and not signed_in(user)


REFUSALS = {
    "unsigned": "logout-unsigned",
    "altered": "logout-signature",
    "other-key": "logout-signature",
    "cut-off": "logout-signature",
    "sha1": "logout-algorithm",
    "no-algorithm": "logout-algorithm",
    "stale": "logout-stale",
    "from-the-future": "logout-stale",
    "ended": "logout-stale",
    "other-destination": "logout-destination",
    "no-destination": "logout-destination",
    "other-issuer": "logout-issuer",
    "twice": "logout-malformed",
}


@pytest.mark.parametrize("change, code", REFUSALS.items())
def test_refused_and_nothing_ended(httpd, user, change, code):
    page = framed(user, user.entra.ask_logout(user.participant, change))
    httpd.refused(page, code)
    assert page.headers["Content-Type"].startswith("text/html") and page.cookies() == []
    assert signed_in(user)
    assert not [line for line in httpd.log.new() if "signed out" in line]


def test_a_request_from_another_tenant(httpd, user):
    """Signed by the right key, and of another tenant in either form: keys of tenants may be shared, issuers are not."""
    change = logout.setting(issuer="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/")
    httpd.refused(framed(user, user.entra.ask_logout(user.participant, change)), "logout-issuer")
    assert signed_in(user)


def test_a_response_is_no_request(httpd, user, sign_in):
    """A signed LogoutResponse under the name SAMLRequest: its signature covers the name too."""
    page = sign_in("ben").open(LOGOUT, initiator=ENV)
    address = user.entra.log_out(page.location).replace("SAMLResponse=", "SAMLRequest=")
    httpd.refused(framed(user, address), "logout-signature")
    change = logout.Tamper(facts=lambda said: setattr(said, "parameter", "SAMLResponse"))
    httpd.log.verdict()
    framed(user, user.entra.ask_logout(user.participant, change))
    httpd.expect("logout-unasked", 1)
    assert signed_in(user)


def test_a_replay_ends_nothing(httpd, user, sign_in):
    """The same address again, from history or a log file, when the user is back."""
    address = user.entra.ask_logout(user.participant, indexes=[])
    assert user.at_entra(framed(user, address))
    again = sign_in()
    httpd.refused(framed(again, address), "logout-replayed")
    assert signed_in(again)


def test_reordering_a_query_makes_no_new_request(httpd, user, sign_in):
    """What is remembered is the message's ID, not the address."""
    address = user.entra.ask_logout(user.participant, indexes=[])
    assert user.at_entra(framed(user, address))
    again = sign_in()
    path, query = address.split("?")
    httpd.refused(framed(again, f"{path}?{'&'.join(reversed(query.split('&')))}&more=1"), "logout-replayed")
    assert signed_in(again)


def test_head_and_prefetch_end_nothing(httpd, user):
    address = user.entra.ask_logout(user.participant)
    user.send("HEAD", address, {})
    user.send("GET", address, {"Accept": "text/html", "Sec-Purpose": "prefetch"})
    assert signed_in(user)


def test_a_message_by_post_counts_as_none(httpd, user):
    """The metadata offers the redirect binding only."""
    query = urlsplit(user.entra.ask_logout(user.participant)).query
    page = user.open(
        LOGOUT,
        initiator=user.entra.endpoint,
        method="POST",
        body=query.encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert page.status == 200 and signed_in(user)
    assert httpd.log.find("logout-unconfirmed")


def test_rubbish(httpd, user):
    for rubbish in ("SAMLRequest=a&SAMLResponse=b", "SAMLRequest=%", "SAMLRequest=a&Sig%ZZ=1"):
        httpd.refused(user.open(f"{LOGOUT}?{rubbish}", initiator=ENV), "logout-malformed")
    httpd.refused(user.open(f"{LOGOUT}?SAMLRequest=", initiator=ENV), "logout-unsigned")
    assert signed_in(user)


def test_quick_sign_outs_are_no_loop(user):
    """Whoever is signed out by Entra and signs in again has lost no cookie."""
    for _ in range(5):
        framed(user, user.entra.ask_logout(user.participant, indexes=[]))
        assert user.jar.named(BINDING_COOKIE), "which a frame may carry"
        assert user.sign_in(ENV).status == 200


# --- the directives -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lenient(make_httpd):
    return equip(make_httpd(vhost="    EntraSAMLUnsignedLogout On\n    EntraSAMLSingleLogout Off\n" + VHOST))


class TestDirectives:
    @pytest.fixture
    def httpd(self, lenient):
        return lenient

    def test_unsigned_requests_where_allowed(self, user):
        assert user.at_entra(framed(user, user.entra.ask_logout(user.participant, "unsigned")))
        assert not signed_in(user)

    @pytest.mark.parametrize("change, code", [item for item in REFUSALS.items() if item[0] not in ("unsigned",)])
    def test_a_signature_that_is_there_still_counts(self, httpd, user, change, code):
        httpd.refused(framed(user, user.entra.ask_logout(user.participant, change)), code)
        assert signed_in(user)

    def test_an_unsigned_request_is_otherwise_judged_alike(self, httpd, user):
        def stale_and_unsigned(said):
            said.signer, said.issued = None, said.issued - logout.HOUR

        httpd.refused(framed(user, user.entra.ask_logout(user.participant, stale_and_unsigned)), "logout-stale")
        assert signed_in(user)

    def test_an_unsigned_request_fills_no_memory(self, httpd, user):
        """Else anybody could fill the replay memory: it leaves no mark."""
        address = user.entra.ask_logout(user.participant, "unsigned", indexes=[])
        assert user.at_entra(framed(user, address))
        assert user.at_entra(framed(user, address))

    def test_sign_out_stays_here_where_single_logout_is_off(self, user):
        page = user.open(LOGOUT, initiator=ENV)
        assert page.status == 200 and "You may still be signed in at Microsoft" in page.words

    def test_entras_request_is_followed_all_the_same(self, user):
        assert user.at_entra(framed(user, user.entra.ask_logout(user.participant)))
        assert not signed_in(user)


def test_metadata_without_a_logout_address(make_httpd, entra):
    """There is nobody to ask and nobody to answer, and sign-out works."""
    document = re.sub(rb"<SingleLogoutService [^>]*/>", b"", entra.metadata(entra.applications[0]))
    httpd = equip(make_httpd(vhost=VHOST, metadata=document))
    user = Visitor(httpd.network, entra)
    asked = user.ask(ENV)
    form = entra.sign_in(asked.location, "ada")
    answer = user.answer(asked)
    answer.fields = list(form.fields.items())
    assert user.submit(answer).status == 200
    page = framed(user, entra.ask_logout(form.participant))
    assert page.status == 200 and "signed out" in page.words and not signed_in(user)
    assert user.sign_in(ENV).status == 200
    assert user.open(LOGOUT, initiator=ENV).status == 200 and not signed_in(user)
