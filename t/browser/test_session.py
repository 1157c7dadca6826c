# SPDX-License-Identifier: GPL-3.0-or-later
"""The front end that docs/session.md shows, word for word, in a browser."""

import pathlib
import re
import time

from selenium.webdriver.support.wait import WebDriverWait

from test_demo import CHOICE, PATIENCE, arrive, choose

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "session.md"
BOX = """
document.body.insertAdjacentHTML("beforeend", '<div id="session-warning" hidden><p></p><button></button></div>');
"""


def shown(browser):
    return browser.execute_script(
        "const box = document.getElementById('session-warning');"
        "return box.hidden ? '' : box.children[0].textContent + ' ' + box.children[1].textContent")


def run(browser, warn):
    """The two pieces of the page, warning `warn` seconds before the end."""
    watch, example = re.findall(r"```js\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    browser.execute_script(BOX + watch + example.replace("300", str(warn)))


def wait_for(browser, words):
    WebDriverWait(browser, PATIENCE, 0.05).until(lambda browser: shown(browser) == words, f"never {words!r}")


def ask(browser, method="GET"):
    return browser.execute_async_script(
        "fetch('/saml/session', {method: arguments[0]}).then(answer => answer.json()).then(arguments[1])", method)


def test_a_front_end_warns_and_goes_on(site, new_browser):
    browser = new_browser()
    browser.get(f"{site.url}?first=1")
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "ada")
    arrive(browser, f"{site.url}?first=1", "Welcome, Ada Lovelace")

    # An hour is left: too early for a warning of five minutes, time for one of two hours.
    run(browser, 300)
    first = ask(browser)
    assert shown(browser) == "" and first["user"] == "ada@contoso.example"
    browser.refresh()
    run(browser, 7200)
    wait_for(browser, "Your session ends in 60 minutes. Stay signed in")

    # The button makes the idle time begin anew; asking does not.
    time.sleep(1.1)
    assert ask(browser)["idle_ends"] == first["idle_ends"]
    browser.execute_script("document.querySelector('#session-warning button').click()")
    WebDriverWait(browser, PATIENCE).until(lambda browser: ask(browser)["idle_ends"] > first["idle_ends"])

    # Signed out in another tab: the next question gets an address that leads back to this very page. Entra still knows her.
    browser.execute_async_script("fetch('/saml/logout', {method: 'POST'}).then(arguments[0])")
    browser.execute_script("document.querySelector('#session-warning button').click()")
    wait_for(browser, "Your session has ended. Sign in")
    browser.execute_script("document.querySelector('#session-warning button').click()")
    WebDriverWait(browser, PATIENCE, 0.05).until(lambda browser: "session-warning" not in browser.page_source)
    arrive(browser, f"{site.url}?first=1", "Welcome, Ada Lovelace")


def test_another_site_learns_nothing(site, new_browser):
    """A page of another site, with a cookie of ours in its browser: no answer to fetch, as script, as image or in a frame."""
    browser = new_browser()
    browser.get(site.url)
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "ada")
    arrive(browser, site.url, "Welcome, Ada Lovelace")
    browser.get(f"{site.entra.base_url}/")
    outcome = browser.execute_async_script(
        """
        const [address, done] = arguments, seen = {};
        const element = name => new Promise(end => {
          const made = document.createElement(name);
          made.onload = () => end("loaded");
          made.onerror = () => end("error");
          made.src = address;
          document.body.append(made);
        });
        (async () => {
          seen.cors = await fetch(address, {credentials: "include"}).then(() => "answer", () => "error");
          seen.opaque = await fetch(address, {credentials: "include", mode: "no-cors"}).then(a => a.type, () => "error");
          seen.script = await element("script");
          seen.image = await element("img");
          done(seen);
        })();
        """,
        f"{site.url}saml/session",
    )
    assert outcome == {"cors": "error", "opaque": "error", "script": "error", "image": "error"}
