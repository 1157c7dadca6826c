# SPDX-License-Identifier: GPL-3.0-or-later
"""What .htaccess files can get wrong where httpd -t does not look: an AuthType without a rule beside it."""

import pytest

from server import ORIGIN, PLAIN_ORIGIN
from visitor import Visitor

MARK = "PROTECTED text"
BARE = "AuthType entra-saml\n"
FOLDERS = {
    "bare": BARE,
    "bare/below": None,
    "bare/rule": "Require valid-user\n",
    "bare/none": "AuthType None\nRequire all granted\n",
    "denied": BARE + "Satisfy any\nOrder deny,allow\nDeny from all\n",
    "ruled": BARE + "Require valid-user\n",
}


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(start=False, vhost='<Location "/login">\nAuthType entra-saml\nRequire valid-user\n</Location>')
    for folder, text in FOLDERS.items():
        httpd.page(f"{folder}/page.txt", MARK)
        if text:
            httpd.page(f"{folder}/.htaccess", text)
    return httpd.start()


@pytest.fixture(scope="module")
def ada(httpd, entra):
    person = Visitor(httpd.network, entra)
    assert person.sign_in(f"{ORIGIN}/ruled/page.txt").text == MARK
    return person


@pytest.mark.parametrize("folder", ["bare", "bare/below", "denied"])
def test_a_bare_section_is_500_for_everybody(httpd, visitor, ada, folder):
    """httpd itself would take the rules of the folder around it, which here lets in all comers; and with `Satisfy any`
    it would go on behind an answer of ours."""
    for person in (visitor, ada):
        for method in ("GET", "POST", "PROPFIND"):
            page = person.open(f"{ORIGIN}/{folder}/page.txt", method=method)
            assert page.status == 500 and MARK not in page.text
    httpd.expect("config-section", 6)
    httpd.log.tolerate_denials()


def test_a_rule_below_a_bare_section_is_enough(visitor, ada):
    assert ada.open(f"{ORIGIN}/bare/rule/page.txt").text == MARK
    assert visitor.at_entra(visitor.open(f"{ORIGIN}/bare/rule/page.txt"))


def test_another_type_below_a_bare_section_is_none_of_ours(visitor):
    assert visitor.open(f"{ORIGIN}/bare/none/page.txt").text == MARK


@pytest.mark.parametrize("folder", ["bare", "ruled"])
def test_a_host_without_metadata_refuses(httpd, visitor, folder):
    page = visitor.open(f"{PLAIN_ORIGIN}/{folder}/page.txt")
    assert page.status == 500 and MARK not in page.text
    httpd.expect("config-section", 1)
