# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo from end to end, as a person in a browser sees it."""

from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from entra.users import FINANCE, STAFF

PATIENCE = 10


def arrive(browser, prefix):
    """Wait until the browser is at an address that begins with `prefix`, through pages that send themselves."""
    WebDriverWait(browser, PATIENCE).until(lambda b: b.current_url.startswith(prefix), f"never at {prefix}")


def choose(browser, user):
    browser.find_element(By.CSS_SELECTOR, f"button[value={user}]").click()


def text(browser, selector="body"):
    return browser.find_element(By.CSS_SELECTOR, selector).text


def variables(browser):
    """What the application says it sees."""
    rows = browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    return {row.find_element(By.TAG_NAME, "th").text: row.find_element(By.TAG_NAME, "td").text for row in rows}


def cookies(browser):
    """name without the connection's id -> cookie"""
    return {cookie["name"].rsplit("-", 1)[0]: cookie for cookie in browser.get_cookies()}


def sign_out_of_entra(browser, site):
    browser.get(f"{site.entra.base_url}/")
    browser.find_element(By.CSS_SELECTOR, "form[action='/logout'] button").click()
    WebDriverWait(browser, PATIENCE).until(lambda b: "Nobody is signed in" in text(b))


def test_the_whole_demo(site, new_browser, picture):
    browser = new_browser()

    # Nobody: the page asked for leads to the choice of users at the lookalike.
    asked = f"{site.url}?first=1&word=a%20b"
    browser.get(asked)
    arrive(browser, site.entra.endpoint)
    assert "Sign in to Demo application" in text(browser, "h1")
    picture(browser, "1-choice-of-users")

    # Ben, a reader: back at the very page, which knows him.
    choose(browser, "ben")
    arrive(browser, site.url)
    assert browser.current_url == asked
    assert text(browser, "h1") == "Welcome, Ben Okafor"
    seen = variables(browser)
    assert seen["REMOTE_USER"] == "ben@contoso.example" and seen["AUTH_TYPE"] == "entra-saml"
    assert seen["ENTRA_EMAILADDRESS"] == "ben@contoso.example"
    assert seen["ENTRA_ROLES"] == "Reader" and seen["ENTRA_GROUPS"] == STAFF
    picture(browser, "2-claims")

    # His cookies are as safe as cookies get.
    session = cookies(browser)["__Host-entra-session"]
    assert (session["secure"], session["httpOnly"], session["sameSite"], session["path"]) == (True, True, "Lax", "/")
    binding = cookies(browser)["__Host-entra-signin"]
    assert (binding["secure"], binding["httpOnly"], binding["sameSite"], binding["path"]) == (True, True, "None", "/")

    # A page for editors: a refusal in words, with a reference that stands in the log too.
    browser.get(f"{site.url}admin")
    assert browser.current_url == f"{site.url}admin"
    status = browser.execute_script("return performance.getEntriesByType('navigation')[0].responseStatus")
    assert status == 403
    assert "you may not see this page" in text(browser)
    reference = text(browser, ".reference, #reference, code:last-of-type").split()[-1]
    assert any(reference in line and "roles:Editor" in line for line in site.log.read_text().splitlines())
    picture(browser, "3-refused")

    # Public pages know him all the same.
    browser.get(f"{site.url}public")
    assert text(browser, "h1") == "Welcome, Ben Okafor"

    # Sign-out: the session is gone, for this browser and at the server.
    browser.find_element(By.ID, "signout").click()
    arrive(browser, f"{site.url}saml/logout")
    assert "__Host-entra-session" not in cookies(browser)
    picture(browser, "4-signed-out")
    browser.get(f"{site.url}public")
    assert text(browser, "h1") == "Welcome, stranger"

    # Back past the sign-out, with nobody signed in at the lookalike either: the choice of users.
    sign_out_of_entra(browser, site)
    browser.get(site.url)
    arrive(browser, site.entra.endpoint)

    # Ada, an editor.
    choose(browser, "ada")
    arrive(browser, site.url)
    browser.get(f"{site.url}admin")
    assert text(browser, "h1") == "Welcome, Ada Lovelace"
    assert variables(browser)["ENTRA_GROUPS"].split() == [FINANCE, STAFF]
    picture(browser, "5-editor")
