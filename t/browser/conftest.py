# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium of its own for every test, and the demo's site for all of them."""

import base64
import os
import pathlib
import sys
import tempfile

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from demo.site import Site  # noqa: E402

PATIENCE = 60  # seconds for any one thing that a browser does
CHROMIUM = "/usr/bin/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"
# Quiet and without network but for the site; its throw-away certificates are not known to the browser.
FLAGS = """
    --headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run --no-proxy-server
    --disable-background-networking --disable-component-update --disable-sync --disable-default-apps
    --ignore-certificate-errors --window-size=1100,900 --lang=en
""".split()


@pytest.fixture(scope="session")
def module():
    path = pathlib.Path(os.environ.get("ENTRA_SAML_MODULE", "build/.libs/mod_entra_saml.so")).resolve()
    if not path.exists():
        pytest.exit(f"there is no module {path}: build it, or name it in ENTRA_SAML_MODULE", 2)
    return path


@pytest.fixture(scope="session")
def site(module):
    with Site(module) as site:
        yield site


@pytest.fixture
def new_browser():
    """new_browser(script=True) starts a browser with an empty profile."""
    browsers = []
    with tempfile.TemporaryDirectory(prefix="es-browser-", ignore_cleanup_errors=True) as folder:

        def new_browser(script=True):
            options = webdriver.ChromeOptions()
            options.binary_location = CHROMIUM
            for flag in [*FLAGS, f"--user-data-dir={folder}/{len(browsers)}"]:
                options.add_argument(flag)
            if not script:
                options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
            RemoteConnection.set_timeout(PATIENCE)
            browser = webdriver.Chrome(service=Service(CHROMEDRIVER), options=options)
            browsers.append(browser)
            return browser

        try:
            yield new_browser
        finally:
            for browser in browsers:
                end(browser)


def end(browser):
    """End Chromium, then its driver. browser.quit() asks the driver to end and may wait for a minute, or for ever."""
    try:
        browser.execute(Command.QUIT)
    finally:
        browser.service.process.kill()
        browser.service.process.wait()


@pytest.fixture
def picture():
    """picture(browser, name) keeps a screenshot of the whole page where BROWSER_SCREENSHOTS names a folder."""
    folder = os.environ.get("BROWSER_SCREENSHOTS")

    def picture(browser, name):
        if folder:
            whole = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            pathlib.Path(folder, f"{name}.png").write_bytes(base64.b64decode(whole["data"]))

    return picture
