# SPDX-License-Identifier: GPL-3.0-or-later
"""Protection in pieces, in every kind of section, and the ways to write an address that somebody may take for theirs."""

from server import HOST

SECTION = "AuthType entra-saml\n        Require valid-user"

# Around them all is open.
PIECES = f"""
    AccessFileName .guarded
    <Directory "${{ROOT}}/htdocs/private">
        {SECTION}
    </Directory>
    <Directory "${{ROOT}}/htdocs/guarded">
        AllowOverride AuthConfig
    </Directory>
    <Directory "${{ROOT}}/cgi-bin">
        {SECTION}
    </Directory>
    <Files "secret.txt">
        {SECTION}
    </Files>
    <Location "/proxied">
        {SECTION}
    </Location>
    <LocationMatch "^/(match|rwp|server-status)(/|$)">
        {SECTION}
    </LocationMatch>
    <Proxy "balancer://app">
        {SECTION}
    </Proxy>
    <If "%{{REQUEST_URI}} -strmatch '/iffy/*'">
        {SECTION}
    </If>
"""
# What is protected there.
ADDRESSES = [
    "/private/page.txt",
    "/private/sub/page.txt",
    "/open/secret.txt",
    "/guarded/page.txt",
    "/iffy/page.txt",
    "/cgi-bin/app",
    "/proxied/x",
    "/match/x",
    "/rwp/x",
    "/balanced/x",
    "/server-status",
]


def spellings(path):
    """The path itself, and others that mean the same to somebody."""
    first, _, rest = path[1:].partition("/")
    folder, _, last = path.rpartition("/")
    code = f"{ord(first[0]):02x}{first[1:]}"
    return [
        path, "/" + path, path.replace("/", "//"), "/." + path, path.replace("/", "/./"), f"{folder}/./{last}",
        f"{folder}//{last}", f"{folder}/x/../{last}", "/x/.." + path, "/x/../x/.." + path, "/.." + path, "/..;" + path,
        "/%2e" + path, "/%2e%2e" + path, "/x/%2e%2e" + path, "/x/.%2e" + path, f"{folder}/%2e/{last}", f"{folder}/%2e%2e{path}",
        f"/%{code}/{rest}", f"/%25{code}/{rest}", f"/{first}%2f{rest}", f"/{first}%2F{rest}", f"/{first}%252f{rest}",
        f"/x%2f..{path}", f"/x%2f..%2f{path[1:]}", f"/{first}%2f%2f{rest}", f"/{first}%2f..%2f{first}/{rest}",
        f"/{first};a=b/{rest}", f"/{first};/{rest}", path + ";a=b", path + ";", "/;" + path, path.upper(), path.title(),
        f"{folder}./{last}", path + ".", path + "..", path + "%2e", path + "%20", path + "+", path + "%00", path + "%0a",
        path + "/", path + "//", path + "/.", path + "/extra", path + "%2f", path + "%2fextra", path + "?", path + "?a=1",
        path + "%3fa", path + "#x", path + "%23x", path.replace("/", "\\"), f"{folder}\\{last}", f"{folder}%5c{last}",
        f"{folder}%c0%af{last}", f"/%c0%ae%c0%ae{path}", path + "::$DATA", path + "~", f"/%e2%80%8b{path[1:]}", path[1:], "*",
        f"http://{HOST}{path}", f"http://elsewhere.example{path}", f"https://{HOST}:443{path}", f"http://a:b@{HOST}{path}",
        f"//{HOST}{path}",
    ]  # fmt: skip
