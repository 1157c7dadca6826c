# SPDX-License-Identifier: GPL-3.0-or-later
"""A cookie jar that keeps and sends cookies as Chrome does (RFC 6265bis), which is where SAML sign-ins succeed or fail.

What matters here: __Host- and __Secure- prefixes, Secure, host-only cookies, and SameSite.
The response comes as a POST from Entra's site: Lax cookies stay at home, SameSite=None goes
along. Chrome's two-minute exception for cookies without any SameSite is left out on purpose.
"""

import email.utils
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
_counter = iter(range(10**9))


@dataclass
class Cookie:
    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool
    http_only: bool
    same_site: str  # "none", "lax", "strict", "" where nothing was said
    expires: float | None
    order: int = field(default_factory=lambda: next(_counter))

    @property
    def identity(self):
        return self.name, self.domain, self.host_only, self.path


class Jar:
    def __init__(self):
        self.cookies = {}
        self.refused = []  # (Set-Cookie value, why)

    def store(self, url, header):
        """Take one Set-Cookie header that came with the answer to `url`."""
        cookie, why = parse(url, header)
        if why is None:
            why = self._objection(cookie, urlsplit(url))
        if why is not None:
            self.refused.append((header, why))
        elif cookie.expires is not None and cookie.expires <= time.time():
            self.cookies.pop(cookie.identity, None)
        else:
            old = self.cookies.get(cookie.identity)
            if old:
                cookie.order = old.order
            self.cookies[cookie.identity] = cookie

    @staticmethod
    def _objection(cookie, url):
        secure_origin = url.scheme == "https"
        if not cookie.host_only and not domain_matches(url.hostname, cookie.domain):
            return "Domain is not the host's"
        if cookie.secure and not secure_origin:
            return "Secure from an http origin"
        if cookie.same_site == "none" and not cookie.secure:
            return "SameSite=None without Secure"
        if cookie.name.startswith("__Secure-") and not cookie.secure:
            return "__Secure- without Secure"
        return None

    def header(self, url, *, method="GET", cross_site=False, navigation=True):
        """The Cookie header of a request, None where there is nothing to send."""
        parts = urlsplit(url)
        chosen = [
            cookie
            for cookie in self.cookies.values()
            if matches(cookie, parts) and not (cross_site and stays_home(cookie, method, navigation))
        ]
        chosen.sort(key=lambda cookie: (-len(cookie.path), cookie.order))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in chosen) or None

    def named(self, prefix):
        """The cookies whose name starts with `prefix`."""
        return [cookie for cookie in self.cookies.values() if cookie.name.startswith(prefix)]

    def drop(self, prefix):
        """Forget the cookies whose name starts with `prefix`, as a filter or a user would."""
        for cookie in self.named(prefix):
            del self.cookies[cookie.identity]


def parse(url, header):
    """(cookie, None), or (None, why it is no cookie)."""
    pair, *attributes = header.split(";")
    name, equals, value = pair.strip().partition("=")
    if not equals or not name:
        return None, "no name"
    parts = urlsplit(url)
    said = {}
    for attribute in attributes:
        key, _, text = attribute.strip().partition("=")
        said[key.strip().lower()] = text.strip()
    path = said.get("path", "")
    if name.startswith("__Host-") and ("secure" not in said or path != "/" or "domain" in said):
        return None, "__Host- needs Secure, Path=/ and no Domain, each in so many words"
    if not path.startswith("/"):
        path = parts.path.rpartition("/")[0] or "/"
    domain = said.get("domain", "").lstrip(".").lower()
    cookie = Cookie(
        name=name.strip(),
        value=value.strip(),
        domain=domain or parts.hostname,
        host_only=not domain,
        path=path,
        secure="secure" in said,
        http_only="httponly" in said,
        same_site=said.get("samesite", "").lower(),
        expires=expiry(said),
    )
    return cookie, None


def expiry(said):
    if "max-age" in said:
        seconds = int(said["max-age"])
        return time.time() + seconds if seconds > 0 else 0.0
    if "expires" in said:
        return email.utils.parsedate_to_datetime(said["expires"]).timestamp()
    return None


def matches(cookie, parts):
    if cookie.expires is not None and cookie.expires <= time.time():
        return False
    if cookie.secure and parts.scheme != "https":
        return False
    if cookie.host_only and parts.hostname != cookie.domain:
        return False
    if not cookie.host_only and not domain_matches(parts.hostname, cookie.domain):
        return False
    path = parts.path or "/"
    return path == cookie.path or path.startswith(cookie.path.rstrip("/") + "/")


def stays_home(cookie, method, navigation):
    """SameSite's judgement of a cross-site request."""
    if cookie.same_site == "none":
        return False
    if cookie.same_site == "strict":
        return True
    return not (navigation and method in SAFE_METHODS)


def domain_matches(host, domain):
    return host == domain or host.endswith("." + domain)


def site_of(url):
    """Scheme and registrable domain; the tests' hosts all have a public suffix of one label."""
    parts = urlsplit(url)
    return parts.scheme, ".".join((parts.hostname or "").split(".")[-2:])


def origin_of(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
