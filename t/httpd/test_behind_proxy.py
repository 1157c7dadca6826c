# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind another front door: Microsoft Defender for Cloud Apps, which shows the site under a name of its own and
rewrites what it passes on, and Entra's application proxy, which knows it by an inner name.

The door is a real httpd with mod_proxy, in the same process; nothing of ours may depend on the Host that arrives.
"""

import dataclasses
from urllib.parse import parse_qs, urlsplit

import pytest

from entra.request import read_redirect
from entra.service import Service
from people import USERS
from programs import ENVIRONMENT
from server import HOST, ORIGIN, PROTECTED, free_ports
from visitor import Visitor

CLOUD = "https://mcas.elsewhere.test"  # app.example.test.mcas.ms, with Microsoft
OUTER = "https://app-tenant.elsewhere.test"  # app-tenant.msappproxy.net
LANDING = "/cgi-bin/env/page?a=1"


# What the door asks us for has the Host it is told to send, and what we answer is rewritten to the name it shows.
DOOR = """
Listen 127.0.0.1:{port} https
<VirtualHost 127.0.0.1:{port}>
    ServerName {shown}
    SSLEngine on
    SSLCertificateFile "${{CERTIFICATE}}"
    SSLCertificateKeyFile "${{KEY}}"
    SSLProxyEngine on
    SSLProxyCheckPeerName off
    SSLProxyCheckPeerCN off
    SSLProxyVerify none
    ProxyPreserveHost On
    RequestHeader set Host "{host}"
    ProxyPass "/" "https://127.0.0.1:${{HTTPS}}/"
    Header edit Location "^https://{host}/" "https://{shown}/"
</VirtualHost>
"""


def make_door(make_httpd, shown, host, **options):
    [port] = free_ports(1)
    httpd = make_httpd(server=DOOR.format(port=port, shown=urlsplit(shown).netloc, host=host), **options)
    httpd.script("env", ENVIRONMENT)
    httpd.network.add(shown, port)
    return httpd


def request_of(asked):
    """The AuthnRequest in a redirect to Entra."""
    parameters = {name: values[0] for name, values in parse_qs(urlsplit(asked.location).query).items()}
    return read_redirect(parameters).decode()


# --- Defender for Cloud Apps ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def httpd(make_httpd):
    return make_door(make_httpd, CLOUD, HOST, vhost=PROTECTED)


def through_defender(form, query=""):
    """The browser posts Entra's form to Defender's name, which adds what it wants to remember."""
    form.action = form.action.replace(ORIGIN, CLOUD) + query
    return form


@pytest.mark.parametrize(
    "query", ["", "?cas_app_landing=1", "?cas_app_landing=https%3A%2F%2Fevil.test%2F&SAMLResponse=x&RelayState=y&return=/z"]
)
def test_defender_for_cloud_apps(visitor, query):
    """The user signs in under Defender's name; parameters that it adds to the reply URL mean nothing to us."""
    asked = visitor.ask(CLOUD + LANDING)
    assert f'AssertionConsumerServiceURL="{ORIGIN}/saml/acs"' in request_of(asked)
    page = visitor.submit(through_defender(visitor.answer(asked), query))
    assert (page.status, page.url) == (200, CLOUD + LANDING)
    assert page.json["REMOTE_USER"] == "ada@contoso.example" and page.json["QUERY_STRING"] == "a=1"
    again = visitor.open(CLOUD + LANDING)
    assert again.status == 200


def test_defender_signing_out(visitor):
    """A link of a page under Defender's name is one of the site's own: fetch metadata say so."""
    asked = visitor.ask(CLOUD + LANDING)
    assert visitor.submit(through_defender(visitor.answer(asked))).status == 200
    page = visitor.open(f"{CLOUD}/saml/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert visitor.at_entra(page) and visitor.session is None
    assert visitor.at_entra(visitor.open(CLOUD + LANDING))


def test_the_users_address_may_change(make_httpd, entra):
    """Defender and mobile networks: request, answer and later pages come from three addresses; form and pages name
    Defender's host as where they come from."""
    remote = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n"
    httpd = make_httpd(server=remote, vhost=PROTECTED)
    httpd.script("env", ENVIRONMENT)
    person = Visitor(httpd.network, entra)
    asked = person.open(ORIGIN + LANDING, headers={"X-Forwarded-For": "192.0.2.1"}, follow=False)
    form = person.answer(asked)
    form.page_url = CLOUD
    arrived = person.submit(form, follow=False, headers={"X-Forwarded-For": "198.51.100.2"})
    assert arrived.status == 303
    for address in ("203.0.113.3", "2001:db8::4"):
        page = person.open(ORIGIN + LANDING, initiator=f"{CLOUD}/", headers={"X-Forwarded-For": address})
        assert page.json["REMOTE_USER"] == "ada@contoso.example" and page.json["REMOTE_ADDR"] == address


# --- The application proxy --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outer_entra(entra):
    """Registered by the outer name: Identifier, Reply URL."""
    [application] = entra.applications
    outer = dataclasses.replace(
        application, identifiers=[f"{OUTER}/saml/metadata"], reply_urls=[f"{OUTER}/saml/acs"], extra_claims={}
    )
    return Service([outer], tenant=entra.tenant, users=USERS)


@pytest.fixture(scope="module")
def proxied(make_httpd, outer_entra):
    return make_door(
        make_httpd, OUTER, HOST, vhost=f"EntraSAMLBaseURL {OUTER}\n{PROTECTED}",
        metadata=outer_entra.metadata(outer_entra.applications[0]),
    )


def test_application_proxy(proxied, outer_entra):
    """The public base URL is configured; the inner Host never shows."""
    person = Visitor(proxied.network, outer_entra)
    asked = person.ask(OUTER + LANDING)
    assert f'AssertionConsumerServiceURL="{OUTER}/saml/acs"' in request_of(asked) and HOST not in request_of(asked)
    page = person.submit(person.answer(asked))
    assert (page.status, page.url) == (200, OUTER + LANDING)
    assert not [step for step in page.history if HOST in (step.location or "")]


def test_by_the_inner_name(proxied, outer_entra):
    """Who comes past the proxy is sent through it by Entra, and arrives outside."""
    person = Visitor(proxied.network, outer_entra)
    asked = person.ask(ORIGIN + LANDING)
    page = person.finish(asked)
    assert (page.status, page.url) == (200, OUTER + LANDING)


def test_a_mismatch_is_explained(make_httpd, outer_entra):
    """Row 6: with the base URL forgotten Entra refuses the request; a message that arrives all the same is refused with
    both addresses and the directive to set."""
    httpd = make_door(
        make_httpd, OUTER, HOST, vhost=f"EntraSAMLEntityID {OUTER}/saml/metadata\n{PROTECTED}",
        metadata=outer_entra.metadata(outer_entra.applications[0]),
    )
    person = Visitor(httpd.network, outer_entra)
    page = person.submit(person.launch())
    httpd.refused(page, "destination")
    [line] = httpd.log.find("destination")
    assert f"{OUTER}/saml/acs" in line and f"{ORIGIN}/saml/acs" in line and "EntraSAMLBaseURL" in line
