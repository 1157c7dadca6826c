# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints answer wherever they are put, and the identity stays on every internal way a request can take."""

import pytest

from programs import ENVIRONMENT
from server import ORIGIN, PROTECTED
from visitor import Visitor


# What an administrator may have written around the endpoints.
SURROUNDINGS = {
    "plain": "",
    "rewrite": "RewriteEngine on\nRewriteRule ^ /front.html [L]",
    "rewrite-proxy": "RewriteEngine on\nRewriteRule ^/(.*)$ ${BACKEND}/$1 [P]",
    "rewrite-forbidden": "RewriteEngine on\nRewriteRule ^/saml - [F]",
    "rewrite-gone": "RewriteEngine on\nRewriteRule ^/saml https://elsewhere.example/ [R=301,L]",
    "proxy": 'ProxyPass "/" "${BACKEND}/"',
    "proxy-location": '<Location "/">\nProxyPass "${BACKEND}/"\n</Location>',
    "handler": '<Location "/">\nSetHandler server-status\n</Location>',
    "no-handler": '<Location "/">\nSetHandler none\n</Location>',
    "alias": 'Alias "/saml" "${ROOT}/htdocs/nothing"',
    "alias-match": 'AliasMatch "^/(.*)" "${ROOT}/htdocs/$1"',
    "redirect": 'Redirect "/saml" "https://elsewhere.example/"',
    "fallback": '<Directory "${ROOT}/htdocs">\nFallbackResource /front.html\n</Directory>',
    "denied-files": '<Directory "${ROOT}">\nRequire all denied\n</Directory>',
    "files-match": '<FilesMatch ".*">\nRequire all denied\n</FilesMatch>',
    "limit": '<Location "/saml">\n<LimitExcept GET HEAD>\nRequire valid-user\n</LimitExcept>\n</Location>',
    "negotiation": 'AllowEncodedSlashes On\n<Directory "${ROOT}/htdocs">\nOptions +MultiViews\n</Directory>',
    "cgi": 'ScriptAlias "/saml/" "${ROOT}/cgi-bin/"',
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_the_endpoints_are_never_lost(make_httpd, backend, entra, name):
    httpd = make_httpd(vhost=SURROUNDINGS[name] + PROTECTED, define={"BACKEND": backend.url})
    httpd.page("index.html", "index")
    httpd.page("front.html", "front")
    httpd.page("saml/acs.html", "a file of that name")
    visitor = Visitor(httpd.network, entra)
    metadata = visitor.open(f"{ORIGIN}/saml/metadata")
    assert metadata.status == 200 and b"EntityDescriptor" in metadata.body
    asked = visitor.open(f"{ORIGIN}/saml/login?return=/", follow=False)
    assert visitor.at_entra(asked)
    arrived = visitor.submit(visitor.answer(asked), follow=False)
    assert (arrived.status, arrived.location) == (303, f"{ORIGIN}/")
    assert visitor.session
    gone = visitor.open(f"{ORIGIN}/saml/logout", initiator=f"{ORIGIN}/", follow=False)
    assert gone.status in (200, 303) and visitor.session is None
    httpd.log.tolerate_denials()


def test_a_foreign_address_is_refused_at_the_endpoints_too(make_httpd, entra):
    """A rule that denies without regard to the user denies here as everywhere."""
    rules = """
    <Location "/">
        AuthType entra-saml
        <RequireAll>
            Require ip 192.0.2.1
            Require valid-user
        </RequireAll>
    </Location>"""
    httpd = make_httpd(vhost=rules)
    visitor = Visitor(httpd.network, entra)
    for path in ("acs", "login?return=/", "logout", "metadata"):
        page = visitor.open(f"{ORIGIN}/saml/{path}", follow=False)
        assert page.status == 403 and page.location is None, path
    httpd.log.tolerate_denials()


def test_denied_users_can_sign_out(make_httpd, entra):
    """Endpoints do not ask who is let in: who is denied everywhere must be able to leave, and to come as another."""
    rules = '<Location "/">\nAuthType entra-saml\nRequire claim roles:Editor\n</Location>'
    httpd = make_httpd(vhost=rules)
    httpd.page("index.html", "PROTECTED")
    visitor = Visitor(httpd.network, entra)
    page = visitor.sign_in(user="ben")
    httpd.refused(page, "access-denied")
    httpd.log.tolerate_denials()
    assert "/saml/logout" in page.text, "the page offers it"
    assert visitor.open(f"{ORIGIN}/saml/login?return=/", follow=False).status == 303
    visitor.open(f"{ORIGIN}/saml/logout", initiator=f"{ORIGIN}/")
    assert visitor.session is None
    assert visitor.sign_in(user="ada").text == "PROTECTED"


def test_endpoints_in_an_unprotected_host(make_httpd, entra):
    """Only a part is protected: the endpoints lie outside of it and need no section."""
    httpd = make_httpd(vhost='<Location "/private">\nAuthType entra-saml\nRequire valid-user\n</Location>')
    httpd.page("private/page.html", "PROTECTED")
    httpd.page("public.html", "public")
    visitor = Visitor(httpd.network, entra)
    assert visitor.open(f"{ORIGIN}/public.html").text == "public"
    assert visitor.sign_in(f"{ORIGIN}/private/page.html").text == "PROTECTED"


SPELLINGS = [
    "/%70rivate/page.html",
    "//private/page.html",
    "/private//page.html",
    "/x/../private/page.html",
    "/private/./page.html",
    "/saml/../private/page.html",
    "/saml/acs/../../private/page.html",
    "/saml/acs/%2e%2e/%2e%2e/private/page.html",
    "/private/page.html/",
    "/private%2fpage.html",
]


@pytest.mark.parametrize("said", ["", "EntraSAMLHeader X-User user"], ids=["variables", "headers"])
def test_an_index_in_a_section_of_its_own(make_httpd, entra, said):
    """mod_dir asks the rules of what it finds, not of where it looks: the user comes along all the same."""
    rules = f"""
    LogFormat "%r|%u|%{{name}}^EC" users
    CustomLog "${{ROOT}}/users.log" users
    <Location "/cgi-bin">
        AuthType entra-saml
        Require valid-user
        {said}
    </Location>
    <Directory "${{ROOT}}/htdocs/dir">
        DirectoryIndex /cgi-bin/env
    </Directory>"""
    httpd = make_httpd(vhost=rules)
    httpd.script("env", ENVIRONMENT)
    httpd.page("dir/x.txt", "x")
    visitor, stranger = (Visitor(httpd.network, entra) for _ in range(2))
    visitor.sign_in(f"{ORIGIN}/cgi-bin/env")
    for headers in ({}, {"X-User": "root"}):
        seen = visitor.open(f"{ORIGIN}/dir/", headers=headers).json
        assert seen["REMOTE_USER"] == seen["ENTRA_NAME"] == "ada@contoso.example" and seen["AUTH_TYPE"] == "entra-saml"
        assert not said or seen["HTTP_X_USER"] == "ada@contoso.example"
        assert "ENTRA_" not in stranger.open(f"{ORIGIN}/dir/", headers=headers, follow=False).text
    log = httpd.root / "users.log"
    assert httpd.wait(lambda: log.read_text().count("/dir/ HTTP/1.1|ada@contoso.example|ada@contoso.example\n") == 2)


def test_encoded_addresses_are_no_way_around(make_httpd, entra):
    """However its address is written a protected page is protected; an endpoint is only what is written as one."""
    httpd = make_httpd(vhost='<Location "/private">\nAuthType entra-saml\nRequire valid-user\n</Location>')
    httpd.page("private/page.html", "PROTECTED")
    visitor = Visitor(httpd.network, entra)
    for path in SPELLINGS:
        page = visitor.send("GET", f"{ORIGIN}{path}", {"Accept": "text/html"})
        assert b"PROTECTED" not in page.body, path
        assert page.status in (303, 400, 404), path


# --- Internal ways ------------------------------------------------------------------------------------

INTERNAL = """
    RewriteEngine on
    RewriteRule ^/rewritten/(.*)$ /cgi-bin/env/$1 [PT]
    <Directory "${ROOT}/htdocs/front">
        FallbackResource /cgi-bin/env
    </Directory>
    <Directory "${ROOT}/htdocs/dir">
        DirectoryIndex /cgi-bin/env
    </Directory>
    <Directory "${ROOT}/htdocs/htaccess">
        RewriteEngine on
        RewriteRule .* /cgi-bin/env [L]
    </Directory>
    <Directory "${ROOT}/htdocs/same">
        FallbackResource /same/app.shtml
        DirectoryIndex app.shtml
        ErrorDocument 410 /same/app.shtml
        Redirect gone /same/gone
        RewriteEngine on
        RewriteRule ^nice/ app.shtml [L]
    </Directory>
    Action show-env /cgi-bin/env
    <Location "/action">
        SetHandler show-env
    </Location>
    ErrorDocument 404 /cgi-bin/env
"""


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(request, make_httpd):
    httpd = make_httpd(vhost=INTERNAL + PROTECTED, mpm=request.param)
    httpd.script("env", ENVIRONMENT)
    for folder in ("front", "dir", "htaccess", "action"):
        httpd.page(f"{folder}/here.txt", "x")
    httpd.page("same/app.shtml", APP)
    httpd.page("part.html", "PART")
    httpd.page(
        "ssi.shtml",
        'user=<!--#echo var="REMOTE_USER" -->;given=<!--#echo var="ENTRA_GIVENNAME" -->;'
        '<!--#include virtual="/part.html" -->;<!--#include virtual="/cgi-bin/env" -->',
    )
    return httpd


# A front controller without a program.
APP = "{%s}" % ", ".join(
    f'"{name}": "<!--#echo var="{name}" -->"' for name in ("REMOTE_USER", "ENTRA_GIVENNAME", "ENTRA_ROLES")
)

# Into another folder, and within one: there httpd takes over the verdict of the first request without asking anybody.
WAYS = ["rewritten/x", "front/app/route?x=1", "dir/", "htaccess/any/thing", "action/here.txt", "no-such-page"]
WAYS += ["same/app/route", "same/", "same/nice/address", "same/gone"]


@pytest.mark.parametrize("way", WAYS)
def test_the_identity_survives(visitor, way):
    """Internal redirects skip httpd's auth hooks; the application behind sees who it is all the same."""
    visitor.sign_in(f"{ORIGIN}/part.html")
    page = visitor.open(f"{ORIGIN}/{way}")
    assert page.status == {"no-such-page": 404, "same/gone": 410}.get(way, 200)
    seen = page.json
    assert seen["REMOTE_USER"] == "ada@contoso.example"
    assert seen["ENTRA_GIVENNAME"] == "Ada" and seen["ENTRA_ROLES"] == "Editor"


@pytest.mark.parametrize("way", [*WAYS, "ssi.shtml", "part.html"])
def test_no_way_leads_around_the_rules(visitor, way):
    assert visitor.at_entra(visitor.open(f"{ORIGIN}/{way}"))


@pytest.mark.parametrize("way", WAYS)
def test_the_landing_is_the_address_that_was_asked_for(visitor, way):
    """Not the one that an internal redirect made of it."""
    arrived = visitor.submit(visitor.answer(visitor.ask(f"{ORIGIN}/{way}")), follow=False)
    assert arrived.location == f"{ORIGIN}/{way}"


def test_subrequests_keep_the_identity(visitor):
    visitor.sign_in(f"{ORIGIN}/part.html")
    page = visitor.open(f"{ORIGIN}/ssi.shtml")
    assert page.status == 200
    assert page.text.startswith("user=ada@contoso.example;given=Ada;PART;{")
    assert '"ENTRA_GIVENNAME": "Ada"' in page.text


class TestOpenPageWithProtectedPart:
    """A subrequest or error document never redirects, sets no cookie, shows nothing protected and no page of ours."""

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd):
        httpd = make_httpd(
            vhost="""
    <Location "/private">
        AuthType entra-saml
        Require claim roles:Editor
    </Location>
    ErrorDocument 404 /private/part.html"""
        )
        httpd.page("private/part.html", "PROTECTED part")
        httpd.page("page.shtml", 'before <!--#include virtual="/private/part.html" --> after')
        return httpd

    @staticmethod
    def assert_left_out(page):
        assert page.status == 200 and page.location is None and page.cookies() == []
        assert page.text.startswith("before ") and page.text.endswith(" after")
        assert not [word for word in ("PROTECTED", "<html", "{", "Moved", "microsoft") if word in page.text]

    def test_for_a_stranger(self, httpd, visitor):
        self.assert_left_out(visitor.open(f"{ORIGIN}/page.shtml"))
        httpd.expect("include:error")

    def test_for_a_program(self, httpd, visitor):
        self.assert_left_out(visitor.fetch(f"{ORIGIN}/page.shtml"))
        httpd.expect("include:error")

    def test_for_a_form(self, httpd, visitor):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assert_left_out(visitor.open(f"{ORIGIN}/page.shtml", method="POST", body=b"a=b", headers=kind))
        httpd.expect("include:error")

    def test_for_who_may_not_see_it(self, httpd, visitor):
        visitor.finish(visitor.ask(f"{ORIGIN}/private/part.html"), "ben")
        httpd.log.verdict()
        self.assert_left_out(visitor.open(f"{ORIGIN}/page.shtml"))
        httpd.expect("include:error")
        httpd.log.tolerate_denials()

    @pytest.mark.parametrize("program", [False, True])
    def test_as_error_document(self, visitor, program):
        """Nobody is sent to sign in for the sake of an error message."""
        page = (visitor.fetch if program else visitor.open)(f"{ORIGIN}/no-such-page")
        assert page.status == 404 and page.location is None and page.cookies() == []
        assert "PROTECTED" not in page.text and "reason" not in page.text

    def test_for_a_user(self, visitor):
        visitor.sign_in(f"{ORIGIN}/private/part.html")
        assert visitor.open(f"{ORIGIN}/page.shtml").text == "before PROTECTED part after"

