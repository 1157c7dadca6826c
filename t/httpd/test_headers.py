# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 29: nobody sends claims as request headers, to CGI programs or to a backend that trusts them."""

import base64

import pytest

from client import raw
from entra import names
from programs import ENVIRONMENT
from server import HOST, ORIGIN

VHOST = """
    EntraSAMLClaim http://example.com/claims/cost-centre costcentre
    ProxyPass "/proxied" "${BACKEND}"
    RewriteEngine on
    RewriteRule ^/rewritten$ /cgi-bin/env [PT]
    ErrorDocument 404 /cgi-bin/env
    <Location "/aware">
        AuthType entra-saml
        Require all granted
    </Location>
    <Location "/proxied">
        AuthType entra-saml
        Require all granted
    </Location>
    <Location "/headers">
        AuthType entra-saml
        Require valid-user
        ProxyPass "${BACKEND}/headers"
        RequestHeader set X-Remote-User "expr=%{REMOTE_USER}"
        RequestHeader set X-Groups "%{ENTRA_GROUPS}e"
        RequestHeader set X-Surname "%{ENTRA_SURNAME}e"
        RequestHeader set X-Surname-Expr "expr=%{reqenv:ENTRA_SURNAME}"
        RequestHeader set X-Name "expr=%{base64:%{reqenv:ENTRA_DISPLAYNAME}}"
    </Location>
    SetEnvIf X-Evil (.+) ENTRA_ROLES=$1
    SetEnvIf X-Evil (.+) ENTRA_INVENTED=$1
    <Location "/private">
        AuthType entra-saml
        Require valid-user
    </Location>
    ScriptAlias "/aware" "${ROOT}/cgi-bin/env"
    ScriptAlias "/private" "${ROOT}/cgi-bin/env"
"""

SPELLINGS = [
    "ENTRA_GROUPS",
    "ENTRA-GROUPS",
    "entra-groups",
    "Entra_Groups",
    "eNtRa-gRoUpS",
    "ENTRA-ROLES",
    "Entra-Emailaddress",
    "Entra_Name",
    "Entra-Costcentre",
    "Entra-Groups-Link",
    "Entra_Groups-Link",
    "Entra-Anything-Derived",
]


@pytest.fixture(scope="module")
def httpd(make_httpd, backend):
    httpd = make_httpd(vhost=VHOST, define={"BACKEND": backend.url})
    httpd.script("env", ENVIRONMENT)
    httpd.page("page.shtml", '<!--#include virtual="/cgi-bin/env" -->')
    return httpd


def spoofed(page_text):
    return "spoofed" in page_text


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("path", ["aware", "cgi-bin/env", "rewritten", "no-such-page", "page.shtml"])
def test_cgi_programs_see_none(visitor, name, path):
    """In any spelling that CGI would fold into a name of ours; also after internal redirects, in subrequests and error
    documents, signed in or not, and outside of our sections."""
    seen = visitor.open(f"{ORIGIN}/{path}", headers={name: "spoofed"})
    assert not spoofed(seen.text)


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_backend_sees_none(visitor, backend, name):
    backend.requests.clear()
    visitor.open(f"{ORIGIN}/proxied", headers={name: "spoofed"})
    [(_, _, headers)] = backend.requests
    assert "spoofed" not in str(headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "FROBNICATE"])
def test_whatever_the_method(visitor, backend, method):
    backend.requests.clear()
    visitor.open(f"{ORIGIN}/proxied", method=method, headers={"Entra-Groups": "spoofed", "Accept": "text/html"})
    assert "spoofed" not in str(backend.requests)


def test_a_signed_in_user_cannot_add_to_his_claims(visitor):
    visitor.sign_in(f"{ORIGIN}/private", "ben")
    seen = visitor.open(f"{ORIGIN}/private", headers={"ENTRA_ROLES": "Editor", "Entra-Wids": "spoofed"})
    assert seen.json["ENTRA_ROLES"] == "Reader" and not spoofed(seen.text)
    assert not [name for name in seen.json if name.startswith("HTTP_ENTRA")]


def test_headers_for_a_backend(visitor, backend):
    """What an administrator sets from our variables reaches the backend, and what the client sent does not."""
    visitor.sign_in(f"{ORIGIN}/private", "zoe")
    backend.requests.clear()
    visitor.open(f"{ORIGIN}/headers", headers={"X-Remote-User": "spoofed", "X-Groups": "spoofed"})
    [(_, _, headers)] = backend.requests
    zoe, sent = visitor.entra.users["zoe"], dict(headers)
    assert sent["X-Remote-User"] == zoe.upn
    assert sent["X-Groups"].split(";")[0] == zoe.groups[0]
    assert base64.b64decode(sent["X-Name"]).decode("utf-8") == zoe.display_name
    assert "spoofed" not in str(headers)


def test_a_value_with_line_breaks_adds_no_header(visitor, backend):
    """Row 40: whoever may write his own name in the directory cannot write headers with it, however it is handed on."""

    def change(said):
        said.attributes = [
            (name, ["Doe\r\nX-Forged: yes\r\n\r\nGET /forged HTTP/1.1"] if name == names.SURNAME else values)
            for name, values in said.attributes
        ]

    visitor.sign_in(f"{ORIGIN}/private", change=change)
    assert "X-Forged" in visitor.open(f"{ORIGIN}/private").json["ENTRA_SURNAME"]
    backend.requests.clear()
    visitor.open(f"{ORIGIN}/headers")
    [(_, path, headers)] = backend.requests
    assert path == "/headers" and "X-Forged" not in dict(headers)
    assert dict(headers)["X-Surname"] == dict(headers)["X-Surname-Expr"] == "Doe  X-Forged: yes    GET /forged HTTP/1.1"


def test_variables_made_of_headers(visitor):
    """SetEnvIf is the administrator's, but in our sections a variable of ours is a claim or nothing."""
    visitor.sign_in(f"{ORIGIN}/private", "ben")
    seen = visitor.open(f"{ORIGIN}/private", headers={"X-Evil": "spoofed"}).json
    assert seen["ENTRA_ROLES"] == "Reader" and "ENTRA_INVENTED" not in seen


def test_repeated_and_odd_headers(httpd, backend):
    """Twice, folded names with blanks around the value, and an empty one."""
    backend.requests.clear()
    request = (
        f"GET /proxied HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nEntra-Roles: spoofed\r\nENTRA_ROLES:\r\n"
        "entra-roles:  spoofed  \r\nX-Other: kept\r\n\r\n"
    )
    assert raw(httpd.network, ORIGIN, request.encode()).startswith(b"HTTP/1.1 200")
    [(_, _, headers)] = backend.requests
    assert "spoofed" not in str(headers) and ("X-Other", "kept") in headers
    assert not [name for name, _ in headers if name.lower().startswith("entra")]


@pytest.mark.parametrize("name", ["Entrance", "X-Entra-Groups", "Entra", "Groups", "Remote-Usher"])
def test_other_headers_are_left_alone(visitor, backend, name):
    backend.requests.clear()
    visitor.open(f"{ORIGIN}/proxied", headers={name: "kept"})
    [(_, _, headers)] = backend.requests
    assert (name, "kept") in headers
