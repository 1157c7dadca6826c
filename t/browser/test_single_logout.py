# SPDX-License-Identifier: GPL-3.0-or-later
"""Single logout between two sites, with a browser's own judgement of cookies, frames and form-action."""

import re

import pytest
from selenium.webdriver.common.by import By

from test_demo import CHOICE, arrive, choose, cookies, text


@pytest.fixture
def browser(site, new_browser):
    """Ada, signed in."""
    browser = new_browser()
    site.entra.received.clear()
    browser.get(site.url)
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "ada")
    arrive(browser, site.url, "Welcome, Ada Lovelace")
    return browser


def messages(site):
    """The messages of single logout that the lookalike got."""
    return [entry.message for entry in site.entra.received if entry.message]


def assert_out_everywhere(browser, site):
    browser.get(site.url)
    arrive(browser, site.entra.endpoint, CHOICE)


def test_by_a_link_of_the_application(site, browser, picture):
    browser.find_element(By.ID, "signout").click()
    arrive(browser, f"{site.url}saml/logout?SAMLResponse=", "Signed out")
    assert "You are signed out of this application and at Microsoft." in text(browser)
    assert "__Host-entra-session" not in cookies(browser)
    [message] = messages(site)
    assert message.name_id == "ada@contoso.example" and message.session_index
    picture(browser, "8-signed-out-everywhere")
    assert_out_everywhere(browser, site)


def test_by_the_button_of_our_page(site, browser):
    """A typed address asks first; the page's own policy must let its form lead on to Entra."""
    browser.get(f"{site.url}saml/logout?return=/public")
    arrive(browser, f"{site.url}saml/logout", "Sign out")
    browser.find_element(By.CSS_SELECTOR, "form button").click()
    arrive(browser, f"{site.url}public", "Welcome, stranger")
    assert messages(site)
    assert_out_everywhere(browser, site)


def test_by_entra_in_hidden_frames(site, browser):
    """The user signs out at Entra: a frame there, which has no cookie of ours, ends the session here."""
    browser.get(f"{site.entra.base_url}/")
    browser.find_element(By.CSS_SELECTOR, "form[action='/logout'] button").click()
    arrive(browser, site.entra.base_url, "Lookalike Entra ID, nobody signed in")
    [answer] = messages(site)
    assert answer.in_response_to and answer.status.endswith(":Success")
    log = site.log.read_text("utf-8")
    assert re.search(rf"signed out: .* sessions=1 by=entra request={answer.in_response_to}", log)
    assert_out_everywhere(browser, site)
