# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: a user signs in, and the application sees who it is."""

import base64
import zlib
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from entra import Application, Entra, names
from entra.service import Service
from entra.users import FINANCE, STAFF, many_groups
from people import BARE, COST_CENTRE, UNKNOWN
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE, Visitor

ENV = f"{ORIGIN}/cgi-bin/env"

VHOST = f"""
    EntraSAMLClaim {COST_CENTRE} costcentre
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
"""


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd):
    httpd = make_httpd(vhost=VHOST, mpm=request.param)
    httpd.script("env", ENVIRONMENT)
    httpd.page("a page/ü.html", "a page with a difficult name")
    return httpd


@pytest.mark.parametrize("option", ["assertion", "response", "both"])
def test_each_signing_option_signs_in(httpd, visitor, entra, option):
    """All three signing options of the portal, none configured here; the page asked for comes up with its query."""
    entra.applications[0].sign = option
    try:
        page = visitor.sign_in(f"{ENV}/path/info?a=1&b=%C3%BC")
    finally:
        entra.applications[0].sign = "assertion"
    assert (page.status, page.url) == (200, f"{ENV}/path/info?a=1&b=%C3%BC")
    assert page.json["REMOTE_USER"] == "ada@contoso.example"
    assert page.json["AUTH_TYPE"] == "entra-saml"
    assert [step.status for step in page.history] == [303]
    assert visitor.jar.refused == []
    assert [line for line in httpd.log.new() if "ada@contoso.example" in line], "a sign-in leaves a line in the log"


def test_every_claim_arrives_under_its_short_name(visitor):
    """Row 4: all claims of Entra's default set without any mapping, unknown ones under a safe derived name."""
    seen = visitor.sign_in(ENV).json
    exported = {name: value for name, value in seen.items() if name.startswith("ENTRA_")}
    user = visitor.entra.users["ada"]
    assert exported == {
        "ENTRA_NAMEID": "ada@contoso.example",
        "ENTRA_TENANTID": visitor.entra.tenant.tenant_id,
        "ENTRA_OBJECTIDENTIFIER": user.object_id,
        "ENTRA_DISPLAYNAME": "Ada Lovelace",
        "ENTRA_GROUPS": f"{FINANCE};{STAFF}",
        "ENTRA_IDENTITYPROVIDER": visitor.entra.tenant.issuer,
        "ENTRA_AUTHNMETHODSREFERENCES": f"{names.METHOD_PASSWORD};{names.METHOD_MULTIPLE}",
        "ENTRA_ROLES": "Editor",
        "ENTRA_GIVENNAME": "Ada",
        "ENTRA_SURNAME": "Lovelace",
        "ENTRA_EMAILADDRESS": user.mail,
        "ENTRA_NAME": "ada@contoso.example",
        "ENTRA_COSTCENTRE": "Analysis",
        "ENTRA_LOGOUT_URL": f"{ORIGIN}/saml/logout",
        derived(UNKNOWN): "permanent;full\\; time",
        derived(BARE): FINANCE,
    }


def derived(name):
    """The documented derivation: the last segment, every run of other characters one underscore, in upper case."""
    last = name.replace("#", "/").rsplit("/", 1)[-1]
    return "ENTRA_" + "".join(letter if letter.isalnum() else "_" for letter in last).upper()


def joined(values):
    """The documented form: ';' between values, and a backslash before a ';' or a backslash within one."""
    return ";".join(value.replace("\\", "\\\\").replace(";", "\\;") for value in values)


def test_values_arrive_as_exact_utf8_and_joined(visitor):
    """A separator within a value is escaped; letters, quotes and angle brackets come as Entra sent them."""
    zoe = visitor.entra.users["zoe"]
    assert not zoe.display_name.isascii() and {"<", "&", '"'} <= set(zoe.display_name)
    assert {";", "\\"} <= set(zoe.surname) and len(zoe.groups) > 2 and len(zoe.roles) == 2
    seen = visitor.sign_in(ENV, "zoe").json
    assert seen["ENTRA_DISPLAYNAME"] == zoe.display_name
    assert seen["ENTRA_SURNAME"] == joined([zoe.surname])
    assert seen["ENTRA_COSTCENTRE"] == joined([zoe.department])
    assert seen["ENTRA_GROUPS"] == joined(zoe.groups)
    assert seen["ENTRA_ROLES"] == joined(zoe.roles)
    assert seen["REMOTE_USER"] == zoe.upn


def test_absent_claims_are_absent(visitor):
    """A user without mail, groups and roles has no such variables, rather than empty ones."""
    seen = visitor.sign_in(ENV, "nora").json
    assert not {"ENTRA_EMAILADDRESS", "ENTRA_GROUPS", "ENTRA_ROLES", derived(BARE)} & set(seen)
    assert seen["REMOTE_USER"] == "nora@contoso.example"


def test_two_thousand_groups_with_default_settings(visitor):
    """Row 19: no slot of a fixed size is in the way."""
    seen = visitor.sign_in(ENV, "otto").json
    assert seen["ENTRA_GROUPS"].split(";") == many_groups(2000)
    assert visitor.fetch(ENV).json["ENTRA_GROUPS"] == seen["ENTRA_GROUPS"], "the next request sees the same"


def test_the_session_id_is_never_exported(visitor):
    """Row 23: no variable of ours holds the cookie's value, nor a hash of it that could be taken for it."""
    seen = visitor.sign_in(ENV).json
    assert len(visitor.session) == 43
    holders = {name for name, value in seen.items() if visitor.session in value}
    assert not holders
    assert not [name for name in seen if "SESSION" in name and name.startswith("ENTRA_")]


def test_the_request_is_minimal(visitor):
    """Row 42: six things are said, nothing is demanded of how the user signs in."""
    asked = visitor.ask()
    query = parse_qs(urlsplit(asked.location).query)
    assert set(query) == {"SAMLRequest", "RelayState"}
    request = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -zlib.MAX_WBITS))
    assert request.tag == f"{{{names.PROTOCOL}}}AuthnRequest"
    assert set(request.attrib) == {"ID", "Version", "IssueInstant", "Destination", "AssertionConsumerServiceURL"} | (
        {"ProtocolBinding"} & set(request.attrib)
    )
    assert request.get("Destination") == visitor.entra.endpoint
    assert request.get("AssertionConsumerServiceURL") == f"{ORIGIN}/saml/acs"
    assert [(child.tag, child.text) for child in request] == [
        (f"{{{names.ASSERTION}}}Issuer", f"{ORIGIN}/saml/metadata")
    ]
    assert len(asked.location) <= 2048


def test_ids_are_never_used_twice(visitor):
    visitor.entra.received.clear()
    for _ in range(20):
        visitor.answer(visitor.ask())
    assert len({received.request.id for received in visitor.entra.received}) == 20


def test_cookies_come_by_themselves(visitor):
    """Row 9: two cookies, right without any directive: SameSite=None reaches the reply URL, Lax stays at home."""
    asked = visitor.ask(ENV)
    form = visitor.answer(asked)
    arrived = visitor.submit(form, follow=False)
    assert BINDING_COOKIE in arrived.sent["Cookie"] and SESSION_COOKIE not in arrived.sent["Cookie"]
    assert arrived.status == 303 and arrived.location == ENV
    assert visitor.open(arrived.location).json["REMOTE_USER"] == "ada@contoso.example"


def test_issuer_comes_from_the_metadata(httpd, visitor):
    """Row 5: nobody typed the issuer, its trailing slash is right by itself."""
    assert visitor.entra.tenant.issuer.endswith("/")
    assert visitor.entra.tenant.issuer not in (httpd.root / "httpd.conf").read_text()
    assert visitor.sign_in(ENV).status == 200


def test_difficult_page_names_survive_the_round(visitor):
    page = visitor.sign_in(f"{ORIGIN}/a%20page/%C3%BC.html?x=%2F%3F&y=a+b")
    assert (page.status, page.url) == (200, f"{ORIGIN}/a%20page/%C3%BC.html?x=%2F%3F&y=a+b")


def test_the_road_through_entras_own_pages(make_httpd, keys):
    """The whole way by HTTP: Entra's page with its choice of users, and the form that its answer posts by itself."""
    tenant, signer = keys
    application = Application([f"{ORIGIN}/saml/metadata"], [f"{ORIGIN}/saml/acs"], signer=signer)
    with Entra([application], tenant=tenant, tls=True) as service:
        httpd = make_httpd(vhost=VHOST, metadata=service.metadata(application))
        httpd.script("env", ENVIRONMENT)
        browser = httpd.browser()
        service.authority.write(httpd.root / "authority.pem")
        browser.network.tls.load_verify_locations(httpd.root / "authority.pem")
        browser.network.add(service.base_url, int(service.base_url.rpartition(":")[2]))
        choice = browser.open(ENV)
        form = choice.forms[0].copy()
        form["user"] = "ben"
        posting = browser.submit(form)
        page = browser.submit(posting.forms[0])
        assert page.json["REMOTE_USER"] == "ben@contoso.example"
        browser.jar.drop(SESSION_COOKIE)
        assert browser.submit(browser.open(ENV).forms[0]).json["REMOTE_USER"] == "ben@contoso.example", "silently"


class TestRemoteUser:
    """Row 41: REMOTE_USER is the first claim of the list that is there; never empty."""

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        httpd = make_httpd(vhost=f"EntraSAMLRemoteUser emailaddress costcentre\n{VHOST}")
        httpd.script("env", ENVIRONMENT)
        return httpd

    def test_the_first_of_the_list(self, visitor):
        assert visitor.sign_in(ENV, "zoe").json["REMOTE_USER"] == "zoë@contoso.example"

    def test_a_missing_claim_is_named(self, httpd, visitor):
        page = visitor.sign_in(ENV, "nora")
        httpd.refused(page, "remote-user-missing")
        line = httpd.log.find("remote-user-missing")[0]
        assert "emailaddress" in line and "costcentre" in line
        assert visitor.session is None and visitor.at_entra(visitor.open(ENV)), "nobody is signed in"


class TestBehindAProxy:
    """Row 6: TLS ends at a proxy, httpd speaks plain http under another port; the addresses are right all the same."""

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        httpd = make_httpd(entra="", plain=f'EntraSAMLMetadata "${{ROOT}}/entra.xml"\n{VHOST}')
        httpd.script("env", ENVIRONMENT)
        httpd.network.add(ORIGIN, httpd.ports["http"], tls=False)
        return httpd

    def test_the_default_base_url_is_https(self, visitor):
        page = visitor.sign_in(ENV)
        assert page.json["REMOTE_USER"] == "ada@contoso.example"
        assert page.url == ENV

    def test_the_host_header_is_never_copied(self, visitor):
        page = visitor.open(ENV, headers={"Host": "evil.test", "X-Forwarded-Host": "evil.test"})
        asked = visitor.entra.receive("redirect", {k: v[0] for k, v in parse_qs(urlsplit(page.location).query).items()})
        assert asked.reply_url == f"{ORIGIN}/saml/acs"
        assert "evil" not in str(page.headers)


class TestOtherAddresses:
    """Row 6: base URL with a port, reply URL and endpoints elsewhere, as registered in the portal."""

    BASE = "https://app.example.test:8443"

    @pytest.fixture(scope="class")
    def service(self, keys):
        tenant, signer = keys
        application = Application(["urn:example:app"], [f"{self.BASE}/Shibboleth.sso/SAML2/POST"], signer=signer)
        return Service([application], tenant=tenant)

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd, service):
        httpd = make_httpd(
            metadata=service.metadata(service.applications[0]),
            vhost=f"""
    EntraSAMLBaseURL {self.BASE}
    EntraSAMLEntityID urn:example:app
    EntraSAMLReplyURL /Shibboleth.sso/SAML2/POST
    EntraSAMLPath /sso
    {VHOST}""",
        )
        httpd.script("env", ENVIRONMENT)
        httpd.network.add(self.BASE, httpd.ports["https"])
        return httpd

    @pytest.fixture
    def visitor(self, httpd, service):
        return Visitor(httpd.network, service)

    def test_sign_in(self, visitor):
        page = visitor.sign_in(f"{self.BASE}/cgi-bin/env")
        assert (page.url, page.json["REMOTE_USER"]) == (f"{self.BASE}/cgi-bin/env", "ada@contoso.example")

    def test_the_endpoints_have_moved(self, visitor):
        assert visitor.open(f"{self.BASE}/sso/metadata").status == 200
        assert visitor.at_entra(visitor.open(f"{self.BASE}/saml/metadata")), "an ordinary protected page"


def test_a_wrong_destination_is_explained_with_both_addresses(httpd, visitor):
    """Row 6: the log line holds the address that came and the one that was expected, and which directive to set."""
    page = visitor.sign_in(ENV, change="other-destination")
    httpd.refused(page, "destination")
    line = httpd.log.find("destination")[0]
    assert "https://elsewhere.example/saml/acs" in line and f"{ORIGIN}/saml/acs" in line
    assert "EntraSAMLBaseURL" in line

