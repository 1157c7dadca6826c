# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of many virtual hosts for test_ways.py, each on two ports: protected here, the unprotected twin there."""

import os
import re
from urllib.parse import urlsplit

from octets import Connection
from server import HOST, ORIGIN, free_ports
from spellings import PIECES
from visitor import Visitor
from ways import APP, KINDS, PAGES, PLACES, PROTECTED, RAW_APP, RESTLESS, compose, host_lines, lines_of_modules

ENTRA = 'EntraSAMLMetadata "${ROOT}/entra.xml"\nEntraSAMLEntityID https://app.example.test/saml/metadata\n'
SECTION = '<Location "/">\nAuthType entra-saml\n%s\n</Location>\n'
WHOLE = SECTION % "Require valid-user"
ERRORS = (400, 401, 403, 404, 405, 409, 410, 412, 413, 416, 500, 501, 503)
NOT_YET = "EntraSAMLMetadata https://127.0.0.1:9/metadata.xml\n"  # nobody listens there

TLS = "https://tls.example.test"  # where HTTP/2 is spoken: another address, or the others would lead there

# name: (of both hosts, of the protected one).
HOSTS = {
    HOST: ("", ENTRA + WHOLE),
    "off.example.test": ("AllowEncodedSlashes Off", ENTRA + PIECES),
    "on.example.test": ("AllowEncodedSlashes On", ENTRA + PIECES),
    "nodecode.example.test": ("AllowEncodedSlashes NoDecode", ENTRA + PIECES),
    "errors.example.test": ("\n".join(f"ErrorDocument {status} /file.txt" for status in ERRORS), ENTRA + WHOLE),
    "proxied-errors.example.test": ("\n".join(f"ErrorDocument {status} /proxied/x" for status in ERRORS), ENTRA + WHOLE),
    "editors.example.test": ("", ENTRA + SECTION % "Require claim roles:Editor"),
    "anew.example.test": ("", ENTRA + SECTION % "Require expr \"%{REMOTE_USER} == 'nobody'\""),
    "fresh.example.test": ("", ENTRA + SECTION % "Require valid-user\nEntraSAMLFreshSignIn 1min"),
    "pending.example.test": ("", NOT_YET + WHOLE),
    "bare.example.test": (
        'AccessFileName .bare\n<Directory "${ROOT}/htdocs/bare">\nAllowOverride AuthConfig\n</Directory>',
        ENTRA,
    ),
}
MAIN = """
    Listen 127.0.0.1:{guarded}
    Listen 127.0.0.1:{twin}
    Protocols h2c http/1.1
    TraceEnable On
    ExtendedStatus Off
    MaxKeepAliveRequests 0
    DavLockDB "${{ROOT}}/cache/dav"
    <Proxy "balancer://app">
        BalancerMember "${{BACKEND}}"
    </Proxy>
"""
# What nobody is told without a session.
TELLING = {
    "etag", "last-modified", "content-range", "accept-ranges", "dav", "ms-author-via", "allow", "tcn", "alternates",
    "content-location", "x-canary", "sec-websocket-accept", "content-disposition", "expires",
}  # fmt: skip
# What we add, what is of the connection, and the frame of a program's answer, which hangs on how fast it came.
OURS = {"date", "cache-control", "connection", "keep-alive", "upgrade", "content-length", "transfer-encoding"}
# What httpd's own modules have to say of such requests, whoever sends them; and ours of an address that has no metadata.
NOISE = (
    "core:error", "cgid:error", "dav:error", "include:error", "include:warn", "proxy:error", "proxy:warn", "authz_core:error",
    "proxy_balancer:error", "rewrite:error", "metadata-unreachable",
)  # fmt: skip
AGED = 1_700_000_000


class World:
    """The server, and somebody signed in."""

    def __init__(self, make_httpd, tools, backend, entra):
        self.ports = dict(zip(("guarded", "twin"), free_ports(2)))
        self.backend = backend
        hosts = "".join(
            host_lines(port, name, both + "\n" + (lines if which == "guarded" else ""))
            for which, port in self.ports.items()
            for name, (both, lines) in HOSTS.items()
        )
        main = lines_of_modules(tools) + MAIN.format(**self.ports)
        self.httpd = make_httpd(
            entra=f"{ENTRA}EntraSAMLBaseURL {TLS}\n",
            vhost=f"Protocols h2 http/1.1\n{PLACES}\n{WHOLE}",
            server=main + hosts,
            define={"BACKEND": backend.url},
            start=False,
        )
        for path, text in PAGES.items():
            os.utime(self.httpd.page(path, text), (AGED, AGED))
        (self.httpd.root / "htdocs" / "dav").chmod(0o777)
        self.httpd.script("app", APP)
        self.httpd.script("nph-app", RAW_APP)
        self.httpd.start()
        self.httpd.network.add(ORIGIN, self.ports["guarded"], tls=False)
        self.httpd.serve(urlsplit(TLS).hostname)
        self.entra = entra
        self.guarded = Connection(self.ports["guarded"])
        self.twin = Connection(self.ports["twin"])
        self.cookie = self.signed_in("ada")

    def signed_in(self, user):
        """The Cookie header of a user; good in every host, since they are of one connection."""
        person = Visitor(self.httpd.network, self.entra)
        person.finish(person.ask(f"{ORIGIN}/file.txt"), user)
        return person.jar.header(f"{ORIGIN}/")

    def stranger(self, kind, target, **how):
        """What a stranger gets, or somebody with a cookie who is not let in: nothing runs for it, and nothing is written."""
        before = self.traces()
        answer = self.guarded.ask(compose(kind, target, **how), KINDS[kind][1] == "HEAD")
        assert self.traces() == before, f"{kind} {target}: something ran or was written"
        return answer

    def user(self, kind, target, **how):
        return self.guarded.ask(compose(kind, target, cookie=self.cookie, **how), KINDS[kind][1] == "HEAD")

    def unprotected(self, kind, target, **how):
        """The twin gets no cookie, as the protected application sees none: some answers repeat the request."""
        return self.twin.ask(compose(kind, target, **how), KINDS[kind][1] == "HEAD")

    def traces(self):
        ran = self.httpd.root / "cache" / "ran"
        dav = self.httpd.root / "htdocs" / "dav"
        return ran.exists() and ran.stat().st_size, len(self.backend.requests), sorted(os.listdir(dav))

    def tidy(self):
        """What DAV has changed is as before."""
        for file in (self.httpd.root / "htdocs" / "dav").iterdir():
            file.unlink()
        file = self.httpd.page("dav/file.txt", PAGES["dav/file.txt"])
        file.chmod(0o666)
        os.utime(file, (AGED, AGED))


def holds_protected(octets):
    return any(mark in octets for mark in PROTECTED)


def assert_nothing_told(answer, about):
    """No protected octet, and no header that speaks of what is there."""
    assert not holds_protected(answer.octets), f"{about}: {answer.octets[:600]}"
    told = {name.lower() for name, _ in answer.headers} & TELLING
    assert not told, f"{about}: tells {told}"


def assert_kept_out(answer, kind, about, refused=None):
    """Sent to Entra or 401, as `kind` says; or what httpd says of such a request before it asks for whom it is."""
    expected = KINDS[kind][0]
    if refused is not None and answer.status == refused:
        assert not holds_protected(answer.octets), about
        return
    assert answer.status == expected, f"{about}: {answer.status} instead of {expected}: {answer.octets[:300]}"
    if expected == 303:
        assert answer.get("Location").startswith("https://login.microsoftonline.com/"), about
    assert_nothing_told(answer, about)
    assert answer.all("Cache-Control") == ["no-store"], about


def settled(answer, entry=None):
    """What must be the same for user and twin."""
    if entry in RESTLESS:
        return answer.status, answer.get("Content-Type")
    headers = sorted((name, value) for name, value in answer.headers if name.lower() not in {*OURS, "lock-token"})
    body = re.sub(rb'"[^"]*opaquelocktoken[^"]*"|opaquelocktoken:[0-9a-f-]+', b"", answer.body)
    return answer.status, headers, re.sub(rb'\["(X-Forwarded|Host|Connection)[^\]]*\]', b"", body)
