# SPDX-License-Identifier: GPL-3.0-or-later
"""A form that is sent without a session, by a real browser: what arrives after the sign-in is what it would have sent
with one, octet by octet, with script and without."""

import json

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from demo.site import Site
from test_demo import CHOICE, PATIENCE, arrive, choose, text

CONFIGURATION = """
    ScriptAlias /form "{root}/app/form.py"
    <Location "/form">
        EntraSAMLPreservePost 64K
    </Location>
</VirtualHost>
"""

# A page with the form that its query names; and what was posted to it.
PROGRAM = r'''#!/usr/bin/python3
import json, os, sys
FORMS = {
    "plain": ("utf-8", "application/x-www-form-urlencoded", """
        <input name="name" value="Ada L\u00f6velace \u20ac \U0001f600"><input name="name" value="again">
        <input name="submit" value="&quot;'&lt;&amp;amp;"><input name="id" value=""><input name="action" value="x">
        <textarea name="text">\n\none\ntwo &lt;/textarea&gt;\n</textarea><input type="hidden" name="_charset_">
        <input type="hidden" name="tabs" value="\ta&#10;b&#13;c&#1;&#127;">"""),
    "old": ("windows-1252", "application/x-www-form-urlencoded",
        "".join(f'<input type="hidden" name="o{n}\u00e4" value="' + bytes([n]).decode("latin-1") + '">' for n in range(160, 256))
        + '<input name="w" value="' + bytes(sorted(set(range(128, 160)) - {129, 141, 143, 144, 157})).decode("windows-1252") + '">'
        + '<input name="c1" value="&#129;\u0081\u009d">'),
    "japanese": ("shift_jis", "application/x-www-form-urlencoded", '<input name="j" value="\u65e5\u672c\u8a9e \u8868">'),
    "text": ("utf-8", "text/plain", """<input name="a" value="1=2 &amp; %41+\u00e4">
        <textarea name="b">\u20ac\nx=y\n</textarea><input name="c" value="">"""),
}
if os.environ["REQUEST_METHOD"] == "POST":
    told = {"body": sys.stdin.buffer.read().hex(), "type": os.environ["CONTENT_TYPE"], "user": os.environ["REMOTE_USER"],
            "uri": os.environ["REQUEST_URI"]}
    print("Content-Type: text/html\n\n<h1>Got it</h1><pre>" + json.dumps(told) + "</pre>")
else:
    charset, enctype, fields = FORMS[os.environ["QUERY_STRING"]]
    page = f"""<!DOCTYPE html><html lang="en"><title>A form</title><h1>A form</h1>
<form method="post" enctype="{enctype}">{fields}<button id="send">Send</button></form></html>"""
    sys.stdout.buffer.write(f"Content-Type: text/html; charset={charset}\r\n\r\n".encode())
    for letter in page:  # where the charset has no such character: its octet
        try:
            sys.stdout.buffer.write(letter.encode(charset))
        except UnicodeEncodeError:
            sys.stdout.buffer.write(letter.encode("latin-1"))
'''


class FormSite(Site):
    """The demo, with a page that has forms."""

    def _prepare(self):
        super()._prepare()
        program = self.root / "app" / "form.py"
        program.write_text(PROGRAM, "utf-8")
        program.chmod(0o755)

    def _configuration(self):
        return super()._configuration().replace("</VirtualHost>", CONFIGURATION.format(root=self.root))


@pytest.fixture(scope="module")
def site(module):
    with FormSite(module) as site:
        yield site


def sign_in(browser, site, script=True):
    browser.get(site.url)
    arrive(browser, site.entra.endpoint, CHOICE)
    choose(browser, "ada")
    if not script:
        go_on(browser)
    arrive(browser, site.url, "Welcome, Ada Lovelace")


def go_on(browser):
    """The button of the page that posts itself to us, where there is no script."""
    button = "noscript input[type=submit]"
    WebDriverWait(browser, PATIENCE).until(lambda b: b.find_elements(By.CSS_SELECTOR, button))
    browser.find_element(By.CSS_SELECTOR, button).click()


def send(browser, site, name):
    browser.get(f"{site.url}form?{name}")
    arrive(browser, f"{site.url}form", "A form")
    browser.find_element(By.ID, "send").click()


def got(browser, site, name):
    arrive(browser, f"{site.url}form?{name}", "Got it")
    return json.loads(text(browser, "pre"))


def session_cookie(browser):
    return next(cookie for cookie in browser.get_cookies() if "session" in cookie["name"])


def open_form_and_lose_session(browser, site, name):
    browser.get(f"{site.url}form?{name}")
    arrive(browser, f"{site.url}form", "A form")
    browser.delete_cookie(session_cookie(browser)["name"])
    browser.find_element(By.ID, "send").click()


@pytest.mark.parametrize("name", ["plain", "old", "japanese", "text"])
def test_the_octets_are_the_same(site, new_browser, name):
    browser = new_browser()
    sign_in(browser, site)
    send(browser, site, name)
    wanted = got(browser, site, name)
    assert len(wanted["body"]) > 20
    open_form_and_lose_session(browser, site, name)
    assert got(browser, site, name) == wanted
    assert session_cookie(browser)
    # Back leads to the form, not to our page, which would say that it was sent already.
    browser.back()
    arrive(browser, f"{site.url}form?{name}", "A form")


def test_without_script_a_button_does_it(site, new_browser, picture):
    browser = new_browser(script=False)
    sign_in(browser, site, script=False)
    send(browser, site, "plain")
    wanted = got(browser, site, "plain")
    open_form_and_lose_session(browser, site, "plain")
    go_on(browser)
    arrive(browser, f"{site.url}saml/resend", "Sending")
    assert "the form that you sent to /form before" in text(browser)
    picture(browser, "9-sends-a-form-again")
    browser.find_element(By.CSS_SELECTOR, "main form button").click()
    assert got(browser, site, "plain") == wanted


def test_who_may_be_another_is_asked(site, new_browser, picture):
    """The cookie is of a session that nobody knows any more."""
    browser = new_browser()
    sign_in(browser, site)
    browser.get(f"{site.url}form?plain")
    arrive(browser, f"{site.url}form", "A form")
    cookie = session_cookie(browser)
    browser.delete_cookie(cookie["name"])
    del cookie["domain"]  # __Host-
    browser.add_cookie({**cookie, "value": cookie["value"][::-1]})
    browser.find_element(By.ID, "send").click()
    arrive(browser, f"{site.url}saml/resend", "Send it now?")
    picture(browser, "10-asks-before-it-sends")
    browser.find_element(By.CSS_SELECTOR, "main form button").click()
    assert got(browser, site, "plain")["user"]
    browser.back()  # perhaps to the very page, which browsers may keep; asked for again it is another
    browser.refresh()
    arrive(browser, f"{site.url}saml/resend", "Not sent again")
    picture(browser, "11-was-sent-already")


def test_another_site_sends_nothing(site, new_browser, picture):
    """From the lookalike's origin, which stands for any other: the session cookie would not come, nor is it kept."""
    browser = new_browser()
    browser.get(f"{site.entra.base_url}/")
    browser.execute_script(
        "const f = document.createElement('form'); f.method = 'post'; f.action = arguments[0];"
        "document.body.append(f); f.submit()",
        f"{site.url}form?plain",
    )
    arrive(browser, f"{site.url}form", "Not sent")
    assert "another site" in text(browser)
    picture(browser, "12-from-another-site")
