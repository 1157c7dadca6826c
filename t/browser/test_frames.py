# SPDX-License-Identifier: GPL-3.0-or-later
"""The application inside of another site's page, by a browser's own judgement of frames, cookies and clicks."""

import http.server
import threading

import pytest
from selenium.webdriver.common.by import By

from test_demo import CHOICE, arrive, choose, cookies, text


@pytest.fixture
def embed():
    """embed(url) is the address of another site's page with a frame of that address."""
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = pages.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()

    def embed(url):
        path = f"/{len(pages)}"
        pages[path] = f'<!DOCTYPE html><h1>Portal</h1><iframe id="app" width="900" height="620" src="{url}"></iframe>'
        return f"http://127.0.0.1:{server.server_address[1]}{path}"

    yield embed
    server.shutdown()
    server.server_close()
    thread.join()


def open_portal(browser, portal):
    browser.get(portal)
    browser.switch_to.frame("app")


def test_the_link_leaves_the_frame(site, new_browser, embed, picture):
    browser = new_browser()
    open_portal(browser, embed(site.url))
    assert text(browser, "h1") == "Sign-in needed"
    assert "frame-without-session" in text(browser)
    picture(browser, "9-in-a-frame")
    browser.find_element(By.LINK_TEXT, "Sign in").click()
    browser.switch_to.default_content()
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "ada")
    arrive(browser, site.url, "Welcome, Ada Lovelace")


def test_a_click_in_the_frame_is_a_strangers(site, new_browser, embed):
    """Whoever frames the page can have it clicked: it must not sign the user out, as a link of our own page would."""
    browser = new_browser()
    browser.get(site.url)
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "ada")
    arrive(browser, site.url, "Welcome, Ada Lovelace")
    open_portal(browser, embed(f"{site.url}saml/login?return=/saml/logout"))
    browser.find_element(By.LINK_TEXT, "Sign in").click()
    browser.switch_to.default_content()
    arrive(browser, f"{site.url}saml/logout", "Sign out")  # the page that asks
    assert "__Host-entra-session" in cookies(browser)


def test_no_other_page_is_shown_in_a_frame(site, new_browser, embed):
    """The page that asks whether to sign out has a button."""
    browser = new_browser()
    open_portal(browser, embed(f"{site.url}saml/logout"))
    assert not browser.find_elements(By.TAG_NAME, "form") and "Sign out" not in browser.page_source
