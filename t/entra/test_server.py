# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookalike as a browser meets it."""

import base64
import datetime
import ssl
import urllib.error
import urllib.parse
import urllib.request

import pytest
from lxml import etree

from entra import Application, Entra, names
from entra.ask import ENTITY_ID, REPLY_URL, SAML, authn_request, location


@pytest.fixture
def browser(entra, tmp_path):
    entra.authority.write(tmp_path / "authority.pem")
    tls = ssl.create_default_context(cafile=tmp_path / "authority.pem")
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=tls), urllib.request.HTTPCookieProcessor(), urllib.request.ProxyHandler({})
    )

    def open_(url, fields=None):
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            with opener.open(urllib.parse.urljoin(entra.base_url, url), data) as page:
                return page.status, page.read().decode("utf-8-sig")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return open_


def hidden(page):
    return {
        field.get("name"): field.get("value")
        for field in etree.HTML(page).iterfind(".//input[@type='hidden']")
    }


def test_choose_a_user_then_sign_in_silently(entra, browser):
    status, page = browser(location(entra, authn_request(entra)))
    assert status == 200 and "Ada Lovelace" in page and "not Microsoft" in page
    status, page = browser(f"{entra.login}/login", {**hidden(page), "user": "ada"})
    form = etree.HTML(page).find(".//form")
    assert form.get("name") == "hiddenform" and form.get("action") == REPLY_URL
    assert hidden(page)["RelayState"] == "state" and b"ada@" in base64.b64decode(hidden(page)["SAMLResponse"])
    status, page = browser(location(entra, authn_request(entra, ID="_second")))
    assert b'InResponseTo="_second"' in base64.b64decode(hidden(page)["SAMLResponse"])
    status, page = browser(location(entra, authn_request(entra, ForceAuthn="true")))
    assert "Ada Lovelace" in page and "hiddenform" not in page
    assert [entry.refused for entry in entra.received] == [None, None, None]


def test_the_authn_instant_is_when_the_person_signed_in(entra, browser):
    browser("/login", {"user": "ben"})
    next(iter(entra.sessions.values())).since -= datetime.timedelta(days=81)
    _, page = browser(location(entra, authn_request(entra)))
    tree = etree.fromstring(base64.b64decode(hidden(page)["SAMLResponse"]))
    day = (datetime.datetime.utcnow() - datetime.timedelta(days=81)).strftime("%Y-%m-%d")
    assert tree.xpath("string(//@AuthnInstant)").startswith(day)


def test_a_request_by_post_is_asked_and_answered_too(entra, browser):
    encoded = base64.b64encode(authn_request(entra).encode()).decode()
    _, page = browser(entra.endpoint, {"SAMLRequest": encoded, "RelayState": "kept"})
    _, page = browser(f"{entra.login}/login", {**hidden(page), "user": "ben"})
    assert hidden(page)["RelayState"] == "kept"


def test_silent_without_session_gets_a_status(entra, browser):
    _, page = browser(location(entra, authn_request(entra, IsPassive="true")))
    assert names.NO_PASSIVE.encode() in base64.b64decode(hidden(page)["SAMLResponse"])


def test_a_refusal_is_a_page_with_its_code(entra, browser):
    elsewhere = "https://evil.example/&lt;b&gt;"
    status, page = browser(location(entra, authn_request(entra, AssertionConsumerServiceURL=elsewhere)))
    assert status == 400 and "AADSTS50011: " in page and "<b>" not in page.split("<main")[1]


def test_home_sign_out_and_launch(entra, browser):
    assert "nobody signed in" in browser("/")[1]
    assert "Ben Okafor signed in" in browser("/login", {"user": "ben"})[1]
    launched = browser("/launch", {"appid": entra.applications[0].app_id})[1]
    assert b"InResponseTo" not in base64.b64decode(hidden(launched)["SAMLResponse"])
    assert browser("/launch", {"appid": "unknown"})[0] == 400
    assert "nobody signed in" in browser("/logout", {})[1]
    assert "Sign in" in browser("/launch", {"appid": entra.applications[0].app_id})[1]
    entra.applications[0].sign_on_url = f"{entra.base_url}/elsewhere"
    assert "/elsewhere" in browser("/launch", {"appid": entra.applications[0].app_id})[1]


def test_metadata_by_address(entra, browser, tmp_path):
    application = entra.applications[0]
    address = f"/{entra.tenant.tenant_id}/FederationMetadata/2007-06/FederationMetadata.xml"
    of_application = etree.fromstring(browser(f"{address.lower()}?appid={application.app_id}")[1].encode())
    of_tenant = etree.fromstring(browser(address)[1].encode())
    certificate = "string(m:IDPSSODescriptor/m:KeyDescriptor//d:X509Certificate)"
    assert of_application.xpath(certificate, namespaces=SAML) == application.signer.base64
    assert of_tenant.xpath(certificate, namespaces=SAML) == entra.tenant.signer.base64
    locations = set(of_application.xpath("m:IDPSSODescriptor/*/@Location", namespaces=SAML))
    assert locations == {entra.endpoint} and entra.endpoint.startswith("https://127.0.0.1:")
    entra.write_metadata(tmp_path / "metadata.xml", byte_order_mark=False)
    assert (tmp_path / "metadata.xml").read_bytes().startswith(b"<?xml")


def test_what_is_not_there(browser):
    assert browser("/common/saml2")[0] == 404


def test_an_unknown_user_is_refused(entra, browser):
    status, page = browser(f"{entra.login}/login", {"user": "nobody"})
    assert status == 400 and "AADSTS50034" in page


def test_plain_http_for_those_who_want_it():
    with Entra([Application([ENTITY_ID], [REPLY_URL])], tls=False) as plain:
        assert plain.base_url.startswith("http://127.0.0.1:")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(plain.base_url + "/") as page:
            assert page.status == 200
