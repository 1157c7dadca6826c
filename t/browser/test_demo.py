# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo from end to end, as a person in a browser sees it."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from entra.users import FINANCE, STAFF

PATIENCE = 10
CHOICE = "Sign in to Demo application"


def arrive(browser, address, heading):
    """Wait until the browser is at an address that begins so, on the page with this heading.

    On the way there are redirects and a page that posts itself, so any element may vanish while it is looked at.
    """

    def there(browser):
        loaded = browser.execute_script("return document.readyState") == "complete"
        return loaded and browser.current_url.startswith(address) and text(browser, "h1") == heading

    passing = (NoSuchElementException, StaleElementReferenceException)
    WebDriverWait(browser, PATIENCE, 0.05, passing).until(there, f"never at {address} on {heading!r}")


def choose(browser, user):
    browser.find_element(By.CSS_SELECTOR, f"button[value={user}]").click()


def text(browser, selector="body"):
    return browser.find_element(By.CSS_SELECTOR, selector).text


def variables(browser):
    """What the application says it sees."""
    rows = browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    return {row.find_element(By.TAG_NAME, "th").text: row.find_element(By.TAG_NAME, "td").text for row in rows}


def details(browser):
    """What a page of the module tells the administrator."""
    terms, facts = (browser.find_elements(By.CSS_SELECTOR, f"dl {tag}") for tag in ("dt", "dd"))
    return {term.text: fact.text for term, fact in zip(terms, facts)}


def logged(site, *words):
    return any(all(word in line for word in words) for line in site.log.read_text("utf-8").splitlines())


def cookies(browser):
    """name without the connection's id -> cookie"""
    return {cookie["name"].rsplit("-", 1)[0]: cookie for cookie in browser.get_cookies()}


def status(browser):
    return browser.execute_script("return performance.getEntriesByType('navigation')[0].responseStatus")


def reload_httpd(site):
    def generations():
        return site.log.read_text("utf-8").count("resuming normal operations")

    before = generations()
    os.kill(site.httpd.pid, signal.SIGUSR1)
    eventually(lambda: generations() > before, "httpd does not come back")


def has_processes(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition, complaint):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def sign_out(browser, site):
    browser.find_element(By.ID, "signout").click()
    arrive(browser, f"{site.url}saml/logout", "Signed out")


def test_the_whole_demo(site, new_browser, picture):
    browser = new_browser()

    # Nobody: the page asked for leads to the choice of users at the lookalike.
    asked = f"{site.url}?first=1&word=a%20b"
    browser.get(asked)
    arrive(browser, site.entra.endpoint, CHOICE)
    picture(browser, "1-choice-of-users")

    # Ben, a reader: back at the very page, which knows him.
    choose(browser, "ben")
    arrive(browser, asked, "Welcome, Ben Okafor")
    seen = variables(browser)
    assert seen["REMOTE_USER"] == "ben@contoso.example" and seen["AUTH_TYPE"] == "entra-saml"
    assert seen["ENTRA_EMAILADDRESS"] == "ben@contoso.example"
    assert seen["ENTRA_ROLES"] == "Reader" and seen["ENTRA_GROUPS"] == STAFF
    picture(browser, "2-claims")
    check_cookies(browser)

    # Back over the sign-in ends on the application again, not on an error.
    browser.back()
    arrive(browser, asked, "Welcome, Ben Okafor")

    # A graceful restart: still signed in.
    reload_httpd(site)
    browser.refresh()
    arrive(browser, asked, "Welcome, Ben Okafor")

    # A page for editors: a refusal in words, with a reference that stands in the log too.
    browser.get(f"{site.url}admin")
    assert browser.current_url == f"{site.url}admin" and status(browser) == 403
    assert "you may not see this page" in text(browser)
    assert details(browser)["Reason"] == "access-denied"
    assert logged(site, details(browser)["Reference"], "roles:Editor")
    picture(browser, "3-refused")

    # Public pages know him all the same.
    browser.get(f"{site.url}public")
    assert text(browser, "h1") == "Welcome, Ben Okafor"

    # Sign-out: the session is gone, for this browser and at the server.
    sign_out(browser, site)
    assert "You are signed out" in text(browser)
    assert "__Host-entra-session" not in cookies(browser)
    assert logged(site, "signed out", "sessions=1")
    picture(browser, "4-signed-out")
    browser.back()
    arrive(browser, f"{site.url}public", "Welcome, stranger")
    picture(browser, "5-stranger")

    # The lookalike has signed him out as well: the choice of users comes again.
    browser.get(f"{site.url}admin")
    arrive(browser, site.entra.endpoint, CHOICE)

    # Ada, an editor.
    choose(browser, "ada")
    arrive(browser, f"{site.url}admin", "Welcome, Ada Lovelace")
    assert variables(browser)["ENTRA_GROUPS"].split() == [FINANCE, STAFF]
    picture(browser, "6-editor")


def check_cookies(browser):
    """As safe as cookies get; the one that Entra's cross-site POST must bring along is SameSite=None."""
    for name, same_site in (("__Host-entra-session", "Lax"), ("__Host-entra-signin", "None")):
        cookie = cookies(browser)[name]
        assert (cookie["secure"], cookie["httpOnly"], cookie["path"]) == (True, True, "/")
        assert cookie["sameSite"] == same_site


def test_without_script_a_button_does_it(site, new_browser, picture):
    browser = new_browser(script=False)
    zoe = site.entra.users["zoe"]
    browser.get(site.url)
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "zoe")
    WebDriverWait(browser, PATIENCE).until(lambda b: b.find_elements(By.CSS_SELECTOR, "noscript input[type=submit]"))
    assert "Script is disabled" in text(browser)
    browser.find_element(By.CSS_SELECTOR, "noscript input[type=submit]").click()
    arrive(browser, site.url, f"Welcome, {zoe.display_name}")
    seen = variables(browser)
    assert (seen["ENTRA_DISPLAYNAME"], seen["ENTRA_SURNAME"]) == (zoe.display_name, zoe.surname)
    assert seen["ENTRA_GROUPS"].splitlines() == zoe.groups
    picture(browser, "7-every-letter")


def test_a_user_with_2000_values(site, new_browser):
    browser = new_browser()
    browser.get(site.url)
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "tess")
    arrive(browser, site.url, "Welcome, Tess Thousand")
    assert "and 1,990 more" in variables(browser)["ENTRA_ROLES"]


@pytest.fixture
def without_sign_on_url(site):
    """My Apps then posts a response that nobody asked for; with one it opens that address."""
    application = site.entra.applications[0]
    kept, application.sign_on_url = application.sign_on_url, ""
    yield application
    application.sign_on_url, application.relay_state = kept, ""


def open_tile(browser, site):
    """A click on the application's tile, by somebody who is signed in at the lookalike."""
    browser.get(f"{site.entra.base_url}/")
    browser.find_element(By.CSS_SELECTOR, "form[action='/launch'] button").click()


def sign_in_at_entra(browser, site, user):
    browser.get(f"{site.entra.base_url}/login")
    choose(browser, user)
    arrive(browser, site.entra.base_url, f"Lookalike Entra ID, {site.entra.users[user].display_name} signed in")


def test_a_tile_of_my_apps(site, new_browser, without_sign_on_url, picture):
    without_sign_on_url.relay_state = f"{site.url}public"
    browser = new_browser()
    sign_in_at_entra(browser, site, "ben")
    open_tile(browser, site)
    arrive(browser, f"{site.url}public", "Welcome, Ben Okafor")
    assert logged(site, "signed in", "ben@contoso.example")
    check_cookies(browser)

    # Once more: the session goes on, without another question.
    open_tile(browser, site)
    arrive(browser, f"{site.url}public", "Welcome, Ben Okafor")
    assert logged(site, "reason=launch-asked", "ben@contoso.example")

    # Another account's tile: nobody is replaced. The cookie that says so came with the cross-site post.
    sign_in_at_entra(browser, site, "ada")
    open_tile(browser, site)
    arrive(browser, f"{site.url}public", "Welcome, Ben Okafor")
    assert logged(site, "reason=launch-asked", "ada@contoso.example")

    # Signed out here (and thereby at Entra), Entra is asked, and names whoever has signed in there since.
    sign_out(browser, site)
    sign_in_at_entra(browser, site, "ada")
    open_tile(browser, site)
    arrive(browser, f"{site.url}public", "Welcome, Ada Lovelace")
    picture(browser, "8-from-a-tile")


def test_a_tile_with_a_sign_on_url(site, new_browser):
    """The way without IdP-initiated sign-on: the tile opens the application, which asks."""
    browser = new_browser()
    sign_in_at_entra(browser, site, "ben")
    open_tile(browser, site)
    arrive(browser, site.url, "Welcome, Ben Okafor")


def test_an_error_of_entra(site, new_browser, picture):
    browser = new_browser()
    site.entra.refuse("50105")
    browser.get(site.url)
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "ben")
    arrive(browser, f"{site.url}saml/acs", "Sign-in failed")
    told = details(browser)
    assert told["Microsoft's code"] == "AADSTS50105" and "Ask your administrator for access" in text(browser)
    assert logged(site, told["Reference"], told["Trace ID"], told["Correlation ID"])
    picture(browser, "9-error-of-entra")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_ends_when_asked_and_leaves_nothing(module, number):
    command = [sys.executable, "-m", "demo", "--module", module, "--port", "0", "--entra-port", "0"]
    here = pathlib.Path(__file__).resolve().parent
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=here.parent, **streams) as demo:
        said = ""
        while "Ctrl-C ends the demo" not in said:
            said += demo.stdout.readline() or pytest.fail(f"the demo ended by itself:\n{said}")
        root = pathlib.Path(re.search(r"configuration is (.*)/httpd.conf", said)[1])
        httpd = int(re.search(r"kill -USR1 (\d+)", said)[1])
        port = int(re.search(r"https://localhost:(\d+)/", said)[1])
        assert (root / "state").is_dir() and has_processes(httpd)
        demo.send_signal(number)
        assert demo.wait(PATIENCE) == 0
    assert not root.exists()
    eventually(lambda: not has_processes(httpd), "processes of httpd live on")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
