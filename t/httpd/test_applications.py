# SPDX-License-Identifier: GPL-3.0-or-later
"""What real applications receive: CGI by mod_cgid and mod_cgi, PHP by php-fpm, Python by mod_wsgi, within httpd and in
processes of its own. Each answers all it was given, as JSON."""

import pytest

from fpm import Fpm
from programs import ENVIRONMENT
from server import ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE, Visitor

MODULES = """
LoadModule proxy_fcgi_module "{libexec}/mod_proxy_fcgi.so"
LoadModule wsgi_module "{libexec}/mod_wsgi.so"
WSGISocketPrefix "${{ROOT}}/run/wsgi"
"""
VHOST = """
    <LocationMatch "^/(cgi-bin|private|php)">
        AuthType entra-saml
        Require valid-user
    </LocationMatch>
    <Location "/open">
        AuthType entra-saml
        Require all granted
    </Location>
    ScriptAlias "/open/cgi" "${ROOT}/cgi-bin/env"
    ScriptAlias "/outside/cgi" "${ROOT}/cgi-bin/env"
    <Location "/php">
        ProxyPassMatch "unix:${ROOT}/run/fpm.sock|fcgi://passed${ROOT}/htdocs"
    </Location>
    <FilesMatch "\\.php$">
        SetHandler "proxy:unix:${ROOT}/run/fpm.sock|fcgi://handled/"
    </FilesMatch>
    # In an interpreter of its own mod_wsgi hangs at the end of a threaded child.
    WSGIApplicationGroup %{GLOBAL}
    WSGIDaemonProcess apart processes=1 threads=2
    WSGIScriptAlias "/private/apart" "${ROOT}/wsgi/application.py" process-group=apart
    WSGIScriptAlias "/private/within" "${ROOT}/wsgi/application.py"
    WSGIScriptAlias "/open/within" "${ROOT}/wsgi/application.py"
    WSGIScriptAlias "/outside/within" "${ROOT}/wsgi/application.py"
    <Directory "${ROOT}/wsgi">
        Require all granted
    </Directory>
    Alias "/private/handled" "${ROOT}/htdocs/env.php"
    Alias "/open/handled" "${ROOT}/htdocs/env.php"
    Alias "/outside/handled" "${ROOT}/htdocs/env.php"
"""
PHP = """<?php
header('Content-Type: application/json');
echo json_encode(array_map('strval', array_diff_key($_SERVER, ['argv' => 0])) + ['$_COOKIE' => $_COOKIE], JSON_THROW_ON_ERROR);
"""
PYTHON = """
import json

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({k: v.encode("latin-1").decode("utf-8") for k, v in environ.items() if isinstance(v, str)}).encode()]
"""
PRIVATE = {
    "cgi": "cgi-bin/env",
    "php-fpm by SetHandler": "private/handled",
    "php-fpm by ProxyPassMatch": "php/env.php",
    "wsgi within httpd": "private/within",
    "wsgi in a process of its own": "private/apart",
}
OWN_COOKIES = "theme=dark; name=Zoë"
SPOOFED = ["ENTRA_GROUPS", "Entra-Roles", "entra_logout-url", "Remote-User", "REMOTE_USER", "Entra-Invented"]


def equip(httpd):
    """Its programs in their places."""
    httpd.script("env", ENVIRONMENT)
    httpd.page("env.php", PHP)
    httpd.page("php/env.php", PHP)
    (httpd.root / "wsgi").mkdir()
    (httpd.root / "wsgi" / "application.py").write_text(PYTHON)
    return httpd


@pytest.fixture(scope="module", params=["event", "prefork"])
def httpd(make_httpd, tools, request):
    """mod_cgid with event, mod_cgi with prefork."""
    httpd = equip(
        make_httpd(start=False, mpm=request.param, server=MODULES.format(libexec=tools.libexec), vhost=VHOST)
    )
    fpm = Fpm(httpd)
    try:
        httpd.start()
        yield httpd
    finally:
        fpm.stop()


@pytest.fixture(scope="module")
def zoe(httpd, entra):
    zoe = Visitor(httpd.network, entra)
    zoe.sign_in(f"{ORIGIN}/cgi-bin/env", "zoe")
    return zoe


def escaped(values):
    return ";".join(value.replace("\\", "\\\\").replace(";", "\\;") for value in values)


@pytest.mark.parametrize("application", PRIVATE)
def test_who_is_signed_in(zoe, application):
    """Every claim octet by octet, the user, how he signed in, where he signs out; nothing that the browser made up, and
    of cookies the application's own only."""
    user = zoe.entra.users["zoe"]
    cookies = f"{zoe.jar.header(ORIGIN + '/')}; {OWN_COOKIES}".encode()
    page = zoe.open(f"{ORIGIN}/{PRIVATE[application]}", headers={"Cookie": cookies, **dict.fromkeys(SPOOFED, "spoofed")})
    seen = page.json
    assert (seen["REMOTE_USER"], seen["AUTH_TYPE"]) == (user.upn, "entra-saml")
    assert seen["ENTRA_LOGOUT_URL"] == f"{ORIGIN}/saml/logout"
    assert seen["ENTRA_DISPLAYNAME"] == user.display_name and seen["ENTRA_SURNAME"] == escaped([user.surname])
    assert seen["ENTRA_GROUPS"] == escaped(user.groups) and seen["ENTRA_ROLES"] == escaped(user.roles)
    assert "spoofed" not in page.text and "ENTRA_INVENTED" not in seen
    assert seen["HTTP_COOKIE"] == OWN_COOKIES
    assert SESSION_COOKIE not in page.text and BINDING_COOKIE not in page.text and zoe.session not in page.text
    if "wsgi" in application:
        assert seen["mod_wsgi.process_group"] == ("apart" if "apart" in PRIVATE[application] else "")
    if "php" in application:
        assert seen["$_COOKIE"] == {"theme": "dark", "name": "Zoë"}


@pytest.mark.parametrize("application", PRIVATE)
def test_who_is_not(make_visitor, application):
    """Sent to Entra, or told so; the application does not run."""
    stranger = make_visitor()
    url = f"{ORIGIN}/{PRIVATE[application]}"
    assert stranger.at_entra(stranger.open(url))
    answer = stranger.fetch(url, headers=dict.fromkeys(SPOOFED, "spoofed"))
    assert answer.status == 401 and "REQUEST_METHOD" not in answer.text


@pytest.mark.parametrize("application", ["cgi", "handled", "within"])
def test_open_to_all(zoe, make_visitor, application):
    """A section that asks nobody still says who is there; a place outside knows nobody and sees no cookie of ours."""
    spoofed = dict.fromkeys(SPOOFED, "spoofed")
    assert zoe.open(f"{ORIGIN}/open/{application}", headers=spoofed).json["REMOTE_USER"] == zoe.entra.users["zoe"].upn
    for visitor, place in ((make_visitor(), "open"), (make_visitor(), "outside"), (zoe, "outside")):
        page = visitor.open(f"{ORIGIN}/{place}/{application}", headers=spoofed)
        assert page.status == 200 and "spoofed" not in page.text and SESSION_COOKIE not in page.text
        named = [name for name in page.json if name.startswith("ENTRA_") or name in ("AUTH_TYPE", "REMOTE_USER")]
        assert not [name for name in named if page.json[name]]


def test_the_sign_out_address(httpd, make_visitor):
    """As a link of the application's page, which says where to go on."""
    visitor = make_visitor()
    page = visitor.sign_in(f"{ORIGIN}/private/handled")
    url = page.json["ENTRA_LOGOUT_URL"] + "?return=/outside/cgi"
    left = visitor.open(url, initiator=page.url)
    assert visitor.at_entra(left) and visitor.session is None
    assert visitor.at_entra(visitor.open(page.url))
