# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache in front of our sections never serves one user's page to another (SECURITY.md)."""

import email.utils
import time

import pytest

from programs import ENVIRONMENT
from server import ORIGIN
from visitor import Visitor

# An application that believes its pages are public, and says so in every way HTTP knows.
PUBLIC = """\
#!/bin/sh
echo "Content-Type: text/plain"
echo "Cache-Control: public, max-age=60"
echo "Cache-Control: s-maxage=600"
echo "Expires: Thu, 01 Jan 2099 00:00:00 GMT"
echo "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT"
echo "ETag: \\"one-for-all\\""
echo
echo "page of $REMOTE_USER $$"
"""

# What an administrator may have written about such pages, in sections below /cgi-bin/private.
HEADERS = {
    "set": 'Header set Cache-Control "public, max-age=600"',
    "always": 'Header always set Cache-Control "public, max-age=600"',
    "add": 'Header add Cache-Control "public"',
    "append": 'Header append Cache-Control "public, s-maxage=600"',
    "unset": "Header unset Cache-Control\nHeader always unset Cache-Control",
    "both": 'Header set Cache-Control public\nHeader always set Cache-Control "public, max-age=9"',
    "network": 'Header set CDN-Cache-Control "max-age=600"\nHeader set Surrogate-Control "max-age=600"',
    "expires": 'ExpiresActive On\nExpiresDefault "access plus 1 hour"',
    "filter": "SetOutputFilter CACHE",
}
# What may be all that stands on an answer of httpd's own.
ALONE = {
    "expires": 'Header set Expires "Thu, 01 Jan 2099 00:00:00 GMT"',
    "always-expires": 'Header always set expires "Thu, 01 Jan 2099 00:00:00 GMT"',
    "network": "Header set CDN-Cache-Control private",
    "always-surrogate": "Header always set surrogate-control private",
    "private": "Header set Cache-Control private",
    "always": "Header always set Cache-Control private",
    "both": "Header set Cache-Control private\nHeader always set Cache-Control private",
    "nothing": "",
}
PLACES = {f"/cgi-bin/private/{name}": text for name, text in HEADERS.items()}
PLACES.update({f"/alone-{name}.txt": text for name, text in ALONE.items()})
SECTIONS = "\n".join(f'<Location "{path}">\n{text}\n</Location>' for path, text in PLACES.items())

VHOST = """
    CacheQuickHandler {quick}
    CacheRoot "${{ROOT}}/cache"
    CacheEnable disk "/"
    CacheIgnoreNoLastMod On
    CacheDefaultExpire 60
    CacheIgnoreCacheControl {ignore}
    ProxyPass "/proxied" "${{BACKEND}}/cacheable"
    ProxyPass "/network" "${{BACKEND}}/network"
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/cgi-bin/any-ip">
        <RequireAny>
            Require ip 127.0.0.1
            Require valid-user
        </RequireAny>
    </Location>
    <Location "/cgi-bin/aware">
        Require all granted
    </Location>
    <Location "/cgi-bin/open">
        AuthType None
        Require all granted
    </Location>
"""


@pytest.fixture(scope="module", params=[("on", "off"), ("off", "off"), ("on", "on")], ids=str)
def httpd(request, make_httpd, backend):
    quick, ignore = request.param
    httpd = make_httpd(vhost=VHOST.format(quick=quick, ignore=ignore) + SECTIONS, define={"BACKEND": backend.url})
    for name in ("private", "any-ip", "aware", "open"):
        httpd.script(name, PUBLIC)
    httpd.script("env", ENVIRONMENT)
    httpd.page("static.txt", "PROTECTED static")
    for name in ALONE:
        httpd.page(f"alone-{name}.txt", "PROTECTED alone")
    httpd.page("page.shtml", '<!--#include virtual="/cgi-bin/private" -->')
    return httpd


def assert_private(page):
    """Exactly one Cache-Control header, and it keeps shared caches away; nothing that contradicts it."""
    values = page.headers.get_all("Cache-Control")
    assert len(values) == 1
    words = {word.strip() for word in values[0].split(",")}
    assert "private" in words or "no-store" in words
    assert "public" not in words and "s-maxage" not in values[0]
    assert "CDN-Cache-Control" not in page.headers and "Surrogate-Control" not in page.headers
    expires = page.headers["Expires"]
    assert expires is None or email.utils.parsedate_to_datetime(expires).timestamp() <= time.time()


@pytest.mark.parametrize(
    "path", ["cgi-bin/private", "static.txt", "proxied", "page.shtml", *(f"cgi-bin/private/{name}" for name in HEADERS)]
)
def test_the_second_user_gets_his_own_page(httpd, visitor, make_visitor, path):
    ada, ben, stranger = visitor, make_visitor(), make_visitor()
    ada.sign_in(f"{ORIGIN}/cgi-bin/env", "ada")
    ben.sign_in(f"{ORIGIN}/cgi-bin/env", "ben")
    for _ in range(2):
        for user, name in ((ada, "ada"), (ben, "ben")):
            page = user.open(f"{ORIGIN}/{path}")
            assert page.status == 200
            assert_private(page)
            if path.startswith("cgi-bin/private") or path == "page.shtml":
                assert page.text.startswith(f"page of {name}@contoso.example")
        answer = stranger.open(f"{ORIGIN}/{path}")
        assert stranger.at_entra(answer) and "page of" not in answer.text and "PROTECTED" not in answer.text
        assert_private(answer)
    if path.endswith("/filter") and "CacheQuickHandler on" in httpd.text["vhost"]:
        httpd.expect("AH00776")  # mod_cache: the filter is ignored


@pytest.mark.parametrize("path", ["network", *(f"alone-{name}.txt" for name in ALONE)])
def test_one_header_alone(visitor, path):
    visitor.sign_in(f"{ORIGIN}/cgi-bin/env")
    page = visitor.open(f"{ORIGIN}/{path}")
    assert page.status == 200
    assert_private(page)
    assert page.headers.get_all("Cache-Control") == ["private"]


def test_a_page_granted_by_address_is_no_ones_else(visitor, make_visitor):
    """Anonymous answers of a section with rules are private too: the next reader may not have that address."""
    for someone in (make_visitor(), visitor):
        page = someone.open(f"{ORIGIN}/cgi-bin/any-ip")
        assert page.text.startswith("page of  ")
        assert_private(page)
    visitor.sign_in(f"{ORIGIN}/cgi-bin/env")
    assert visitor.open(f"{ORIGIN}/cgi-bin/any-ip").text.startswith("page of ada")
    assert make_visitor().open(f"{ORIGIN}/cgi-bin/any-ip").text.startswith("page of  ")


def test_a_signed_in_page_of_an_aware_section(visitor, make_visitor):
    """Where all comers are granted an anonymous page may be shared, a signed-in user's never."""
    visitor.sign_in(f"{ORIGIN}/cgi-bin/env")
    page = visitor.open(f"{ORIGIN}/cgi-bin/aware")
    assert page.text.startswith("page of ada")
    assert_private(page)
    assert make_visitor().open(f"{ORIGIN}/cgi-bin/aware").text.startswith("page of  ")


def test_other_sections_keep_what_they_say(make_visitor):
    """Not ours: the application's own words arrive, and the cache works."""
    first = make_visitor().open(f"{ORIGIN}/cgi-bin/open")
    assert "public, max-age=60" in first.headers.get_all("Cache-Control")[0]
    assert make_visitor().open(f"{ORIGIN}/cgi-bin/open").text == first.text


@pytest.mark.parametrize("path", ["login?return=/", "logout", "metadata", "acs"])
def test_our_own_answers_are_never_stored(visitor, path):
    page = visitor.open(f"{ORIGIN}/saml/{path}", follow=False)
    assert page.headers.get_all("Cache-Control") == ["no-store"]


def test_refusals_are_not_stored(httpd, visitor):
    visitor.sign_in(f"{ORIGIN}/cgi-bin/env")
    page = visitor.open(f"{ORIGIN}/saml/acs", method="POST", body=b"", headers={"Content-Type": "text/plain"})
    httpd.refused(page, "form-malformed")


def test_not_modified_keeps_the_header(visitor):
    """A 304 updates what a cache stored: it has to say private as well."""
    visitor.sign_in(f"{ORIGIN}/cgi-bin/env")
    tag = visitor.open(f"{ORIGIN}/static.txt").headers["ETag"]
    page = visitor.open(f"{ORIGIN}/static.txt", headers={"If-None-Match": tag})
    assert page.status == 304
    assert_private(page)


# A cache that is told to store whatever comes, and to heed nothing that says otherwise.
GREEDY = """
    CacheQuickHandler {quick}
    {store}
    CacheIgnoreNoLastMod On
    CacheDefaultExpire 60
    CacheMinExpire 60
    CacheStorePrivate On
    CacheStoreNoStore On
    CacheIgnoreCacheControl On
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/open">
        AuthType None
        Require all granted
    </Location>
"""
STORES = {
    "disk": 'CacheRoot "${ROOT}/cache"\n    CacheEnable disk "/"',
    "socache": 'CacheSocache "shmcb:${ROOT}/run/cache(2048000)"\n    CacheSocacheMaxSize 102400\n    CacheEnable socache "/"',
}


@pytest.mark.parametrize("quick", ["on", "off"])
@pytest.mark.parametrize("store", STORES)
def test_a_greedy_cache(make_httpd, tools, entra, store, quick):
    """It stores what is public, and still nobody's own page."""
    httpd = make_httpd(
        vhost=GREEDY.format(quick=quick, store=STORES[store]),
        server=f'LoadModule cache_socache_module "{tools.libexec}/mod_cache_socache.so"',
    )
    httpd.script("private", PUBLIC)
    for name in ("private", "open"):
        httpd.page(f"{name}/page.txt", f"{name} page, old")
    ada, ben, stranger = (Visitor(httpd.network, entra) for _ in range(3))
    program, file, public = f"{ORIGIN}/cgi-bin/private", f"{ORIGIN}/private/page.txt", f"{ORIGIN}/open/page.txt"
    ada.sign_in(program, "ada")
    ben.sign_in(program, "ben")
    for age in ("old", "new"):
        for name in ("private", "open"):
            httpd.page(f"{name}/page.txt", f"{name} page, {age}")
        assert stranger.open(public).text == "open page, old", "the cache works"
        assert ada.open(file).text == ben.open(file).text == f"private page, {age}"
        assert ada.open(program).text.startswith("page of ada") and ben.open(program).text.startswith("page of ben")
        for url in (program, file):
            page = stranger.open(url)
            assert stranger.at_entra(page) and "page of" not in page.text and "private" not in page.text
