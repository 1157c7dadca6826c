# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way into a server: what is behind its addresses, how they can be written, and how they can be asked for.

Each protected virtual host has a twin on another port that says the same but for the protection: what a signed-in user
must get, and what nobody else may. Whatever is protected holds CANARY, in its body and in a header of its own.
"""

from backend import MARK
from server import HOST

CANARY = "CANARY-7f3a"
PROTECTED = (CANARY.encode(), MARK.encode())

# An application: says that it ran, and what it was asked.
APP = f"""\
#!/bin/sh
cat > /dev/null
echo ran >> "$(dirname "$0")/../cache/ran"
echo "Content-Type: text/plain"
echo "X-Canary: {CANARY}-header"
echo
echo "{CANARY}-app $REQUEST_METHOD $SCRIPT_NAME $PATH_INFO $QUERY_STRING"
"""
# The same, that writes its answer itself.
RAW_APP = f"""\
#!/bin/sh
cat > /dev/null
echo ran >> "$(dirname "$0")/../cache/ran"
printf 'HTTP/1.1 200 OK\\r\\nX-Canary: {CANARY}-header\\r\\nContent-Type: text/plain\\r\\nContent-Length: 16\\r\\n\\r\\n'
[ "$REQUEST_METHOD" = HEAD ] || echo "{CANARY}-raw"
"""
PAGES = {
    "private/page.txt": f"{CANARY}-private",
    "private/sub/page.txt": f"{CANARY}-private",
    "open/secret.txt": f"{CANARY}-secret",
    "guarded/page.txt": f"{CANARY}-guarded",
    "guarded/.guarded": "AuthType entra-saml\nRequire valid-user\n",
    "iffy/page.txt": f"{CANARY}-iffy",
    "bare/page.txt": f"{CANARY}-bare",
    "bare/.bare": "AuthType entra-saml\n",
    "file.txt": f"{CANARY}-file 0123456789",
    "dir/index.html": f"{CANARY}-index",
    f"list/{CANARY}.txt": "x",
    "neg/page.html.en": f"{CANARY}-english",
    "neg/page.html.de": f"{CANARY}-german",
    "neg/map.var": "URI: page.html.en\nContent-Type: text/html\nContent-Language: en\n\nURI: page.html.de\n"
    "Content-Type: text/html\nContent-Language: de\n",
    "send.asis": f"Status: 200 Fine\nX-Canary: {CANARY}-header\nContent-Type: text/plain\n\n{CANARY}-asis\n",
    "act/x.act": "x",
    "front/x.txt": "x",
    "per-dir/x.txt": "x",
    "cgidir/x.txt": "x",
    "spell/canary.txt": f"{CANARY}-spelled",
    "dav/file.txt": f"{CANARY}-dav",
    "page.shtml": f'{CANARY}-page <!--#include virtual="/file.txt" --> <!--#include file="file.txt" --> '
    '<!--#include virtual="/cgi-bin/app?x" --> <!--#exec cmd="echo $DOCUMENT_URI" --> <!--#exec cgi="/cgi-bin/app" -->',
}

MODULES = (
    "asis speling dav dav_fs info proxy_balancer lbmethod_byrequests slotmem_shm proxy_wstunnel http2 cache_socache"
).split()

# What stands in every virtual host, protected or twin.
PLACES = """
    DocumentRoot "${ROOT}/htdocs"
    ScriptAlias "/cgi-bin/" "${ROOT}/cgi-bin/"
    RewriteEngine on
    RewriteRule ^/pt/(.*)$ /cgi-bin/app/$1 [PT]
    RewriteRule ^/rwp/(.*)$ ${BACKEND}/$1 [P]
    ProxyPass "/proxied" "${BACKEND}/proxied"
    ProxyPass "/balanced" "balancer://app/balanced"
    ProxyPassMatch "^/match/(.*)$" "${BACKEND}/match/$1"
    ProxyPass "/ws" "${BACKEND}/ws" upgrade=websocket
    <Location "/proxy-loc">
        ProxyPass "${BACKEND}/proxy-loc"
    </Location>
    <Location "/set-handler">
        SetHandler "proxy:${BACKEND}"
    </Location>
    # httpd cuts ranges out of what a backend sent when that came fast enough
    <LocationMatch "^/(proxied|proxy-loc|match|set-handler|rwp|balanced|ws)/">
        MaxRanges none
    </LocationMatch>
    <Location "/server-status">
        SetHandler server-status
    </Location>
    <Location "/server-info">
        SetHandler server-info
    </Location>
    <Location "/balancer-manager">
        SetHandler balancer-manager
    </Location>
    Header set X-Canary CANARY-7f3a-header
    Action act /cgi-bin/app virtual
    <Directory "${ROOT}/htdocs">
        Options +Includes +FollowSymLinks +ExecCGI
        AddHandler type-map .var
        AddHandler send-as-is .asis
        AddHandler act .act
        AddLanguage en .en
        AddLanguage de .de
        AddType text/html .html .shtml
        RewriteEngine on
        RewriteRule ^per-dir/any /cgi-bin/app/per-dir [L]
        RewriteRule ^is-gone$ - [G]
        RewriteRule ^is-gone-elsewhere$ - [R=409]
        ErrorDocument 410 /file.txt
        ErrorDocument 409 /cgi-bin/app/conflict
    </Directory>
    <Directory "${ROOT}/htdocs/list">
        Options +Indexes
    </Directory>
    <Directory "${ROOT}/htdocs/neg">
        Options +MultiViews
    </Directory>
    <Directory "${ROOT}/htdocs/front">
        FallbackResource /cgi-bin/app
    </Directory>
    <Directory "${ROOT}/htdocs/cgidir">
        DirectoryIndex /cgi-bin/app
    </Directory>
    <Directory "${ROOT}/htdocs/spell">
        CheckSpelling On
    </Directory>
    <Directory "${ROOT}/htdocs/dav">
        Dav On
    </Directory>
"""

# name: the request's target. What each reaches is in PLACES.
ENTRIES = {
    "file": "/file.txt",
    "SSI": "/page.shtml",
    "mod_dir": "/dir/",
    "mod_dir, no slash": "/dir",
    "mod_dir, a program": "/cgidir/",
    "mod_autoindex": "/list/",
    "MultiViews": "/neg/page",
    "type map": "/neg/map.var",
    "CGI": "/cgi-bin/app",
    "CGI, path info": "/cgi-bin/app/path/info?a=1",
    "CGI, raw": "/cgi-bin/nph-app",
    "as is": "/send.asis",
    "Action": "/act/x.act",
    "FallbackResource": "/front/route?x=1",
    "RewriteRule PT": "/pt/rewritten",
    "RewriteRule in <Directory>": "/per-dir/any/thing",
    "ErrorDocument, a page": "/is-gone",
    "ErrorDocument, a program": "/is-gone-elsewhere",
    "mod_speling": "/spell/canry.txt",
    "ProxyPass": "/proxied/x?a=1",
    "ProxyPass in <Location>": "/proxy-loc/x",
    "ProxyPassMatch": "/match/x",
    "SetHandler proxy:": "/set-handler/x",
    "RewriteRule P": "/rwp/x",
    "BalancerMember": "/balanced/x",
    "ProxyPass upgrade=websocket": "/ws/x",
    "mod_dav": "/dav/file.txt",
    "server-status": "/server-status",
    "server-status?auto": "/server-status?auto",
    "server-info": "/server-info",
    "balancer-manager": "/balancer-manager",
}
# They tell of themselves, differently every time.
RESTLESS = {"server-status", "server-status?auto", "server-info", "balancer-manager"}

NAVIGATES = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FETCHES = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
ASKS = {"Origin": "https://other.example", "Access-Control-Request-Method": "GET"}
SHAKES_HANDS = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}

# name: (what a stranger gets, method, headers, body). "303": sent to Entra, for a person's navigation.
KINDS = {
    "GET": (303, "GET", NAVIGATES, None),
    "HEAD": (303, "HEAD", NAVIGATES, None),
    "GET 1.0": (303, "GET", {"Accept": "text/html"}, None),
    "GET range": (303, "GET", {**NAVIGATES, "Range": "bytes=0-9"}, None),
    "GET If-Range": (303, "GET", {**NAVIGATES, "Range": "bytes=0-9", "If-Range": "Sun, 01 Jan 2040 00:00:00 GMT"}, None),
    "GET If-None-Match": (303, "GET", {**NAVIGATES, "If-None-Match": "*"}, None),
    "GET If-Modified-Since": (303, "GET", {**NAVIGATES, "If-Modified-Since": "Sun, 01 Jan 2040 00:00:00 GMT"}, None),
    "GET If-Match": (303, "GET", {**NAVIGATES, "If-Match": '"none"'}, None),
    "GET frame": (401, "GET", {**NAVIGATES, "Sec-Fetch-Dest": "iframe"}, None),
    "fetch": (401, "GET", FETCHES, None),
    "HEAD fetch": (401, "HEAD", FETCHES, None),
    "websocket": (401, "GET", SHAKES_HANDS, None),
    "h2c upgrade": (401, "GET", {**FETCHES, **H2C}, None),
    "POST form": (401, "POST", {**NAVIGATES, **FORM}, b"a=1"),
    "POST frame": (401, "POST", {**NAVIGATES, **FORM, "Sec-Fetch-Dest": "iframe"}, b"a=1"),
    "POST JSON": (401, "POST", {**FETCHES, **JSON}, b"{}"),
    "POST continue": (401, "POST", {**FETCHES, "Expect": "100-continue"}, b"x"),
    "PUT": (401, "PUT", FETCHES, b"written"),
    "PATCH": (401, "PATCH", FETCHES, b"x"),
    "DELETE": (401, "DELETE", FETCHES, None),
    "OPTIONS": (401, "OPTIONS", FETCHES, None),
    "preflight": (401, "OPTIONS", {**FETCHES, **ASKS}, None),
    "PROPFIND": (401, "PROPFIND", {**FETCHES, "Depth": "1"}, None),
    "MOVE": (401, "MOVE", {**FETCHES, "Destination": "/dav/stolen.txt"}, None),
    "LOCK": (401, "LOCK", FETCHES, None),
    "TRACE": (200, "TRACE", {}, None),
    "CONNECT": (401, "CONNECT", {}, None),
    "BREW": (401, "BREW", FETCHES, None),
    "get": (401, "get", FETCHES, None),
}
# Only strangers ask for it: what follows for the others is no HTTP/1.
LEAVES = {"h2c upgrade"}


def compose(kind, target, host=HOST, cookie=None):
    """The octets of a request."""
    _, method, headers, body = KINDS[kind]
    version = "1.0" if kind.endswith("1.0") else "1.1"
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    if cookie:
        lines.append(f"Cookie: {cookie}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def lines_of_modules(tools):
    return "\n".join(
        f'LoadModule {name}_module "{tools.libexec}/mod_{name}.so"' for name in MODULES if name not in tools.builtin
    )


def host_lines(port, name, lines):
    return f"<VirtualHost 127.0.0.1:{port}>\n    ServerName {name}\n{PLACES}\n{lines}\n</VirtualHost>\n"
