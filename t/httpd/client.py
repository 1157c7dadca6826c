# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser without a screen: cookies, Sec-Fetch headers, redirects step by step, forms.

It speaks to the hosts of a Network, which says where each origin really listens; so tests use
the addresses that a user would see (https://app.example.test/) whatever port was free. Redirects
to origins that the Network does not know are where following ends.
"""

import http.client
import json
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

from lxml import html

from cookies import Jar, origin_of, site_of

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36"
ACCEPT_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
REDIRECTS = (301, 302, 303, 307, 308)
TIMEOUT = 30


class Network:
    """Which local port serves which origin."""

    def __init__(self, certificate):
        self.tls = ssl.create_default_context(cafile=certificate)
        self.places = {}

    def add(self, origin, port, tls=True):
        self.places[origin] = (port, tls)

    def knows(self, url):
        return url is not None and origin_of(url) in self.places

    def connect(self, url):
        """A connected http.client connection for the origin of `url`."""
        parts = urlsplit(url)
        port, tls = self.places[origin_of(url)]
        sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        if tls:
            sock = self.tls.wrap_socket(sock, server_hostname=parts.hostname)
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
        connection.sock = sock
        return connection


@dataclass
class Form:
    """A form as it stands in a page; `fields` may be changed before it is sent."""

    action: str
    method: str
    fields: list
    page_url: str

    def __getitem__(self, name):
        return dict(self.fields)[name]

    def __setitem__(self, name, value):
        self.fields = [(key, old) for key, old in self.fields if key != name] + [(name, value)]

    def copy(self):
        return Form(self.action, self.method, list(self.fields), self.page_url)


@dataclass
class Page:
    """One answer, and the redirects that led to it."""

    url: str
    method: str
    sent: dict
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    history: list = field(default_factory=list)

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        return (self.headers["Content-Type"] or "").partition(";")[0]

    @property
    def location(self):
        """Where a redirect leads, made absolute; None for anything else."""
        target = self.headers["Location"]
        return urljoin(self.url, target) if self.status in REDIRECTS and target else None

    @property
    def html(self):
        return html.document_fromstring(self.text, base_url=self.url)

    @property
    def words(self):
        """What a reader sees, without markup."""
        return " ".join(" ".join(self.html.xpath("//body//text()")).split())

    @property
    def forms(self):
        return [
            Form(urljoin(self.url, form.action or ""), form.method, form.form_values(), self.url)
            for form in self.html.forms
        ]

    def cookies(self, prefix=""):
        """The Set-Cookie headers whose name starts with `prefix`."""
        return [value for value in self.headers.get_all("Set-Cookie", []) if value.startswith(prefix)]


class Browser:
    def __init__(self, network):
        self.network = network
        self.jar = Jar()
        self.leave_out = ()  # headers that this browser does not send

    def open(self, url, *, initiator=None, follow=True, method="GET", body=None, headers=None):
        """Navigate, as by a typed address or, with an `initiator`, by a link or form on that page."""
        page = self._navigate(method, url, initiator, body, headers or {})
        history = []
        while follow and self.network.knows(page.location):
            assert len(history) < 20, f"too many redirects, the last to {page.location}"
            history.append(page)
            again = page.status in (307, 308)
            page = self._navigate(
                page.method if again else "GET",
                page.location,
                initiator,
                body if again else None,
                headers if again and headers else {},
                chain=[step.url for step in history],
            )
        page.history = history
        return page

    def submit(self, form, *, follow=True, headers=None):
        """Send a form, as its button or script would."""
        data = urlencode(form.fields)
        if form.method.upper() == "GET":
            separator = "&" if "?" in form.action else "?"
            return self.open(f"{form.action}{separator}{data}", initiator=form.page_url, follow=follow)
        sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.open(
            form.action, initiator=form.page_url, follow=follow, method="POST", body=data.encode("ascii"), headers=sent
        )

    def fetch(self, url, *, initiator=None, method="GET", mode="cors", dest="empty", headers=None, body=None):
        """A request by a script or for a part of a page: never followed."""
        initiator = initiator or url
        sent = {"Accept": "*/*", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        sent["Sec-Fetch-Site"] = relation(initiator, [url])
        if sent["Sec-Fetch-Site"] != "same-origin" or method not in ("GET", "HEAD"):
            sent["Origin"] = origin_of(initiator)
        sent.update(headers or {})
        cross = site_of(initiator) != site_of(url)
        return self.send(method, url, sent, body, cross_site=cross, navigation=False)

    def send(self, method, url, headers, body=None, *, cross_site=False, navigation=True):
        """One request with these headers and the cookies that belong to it; the lowest road."""
        sent = {"User-Agent": AGENT, "Connection": "close", **headers}
        cookie = self.jar.header(url, method=method, cross_site=cross_site, navigation=navigation)
        if cookie and "Cookie" not in sent:
            sent["Cookie"] = cookie
        connection = self.network.connect(url)
        try:
            parts = urlsplit(url)
            connection.request(method, parts.path + ("?" + parts.query if parts.query else "") or "/", body, sent)
            answer = connection.getresponse()
            page = Page(url, method, sent, answer.status, answer.headers, answer.read())
        finally:
            connection.close()
        for value in page.headers.get_all("Set-Cookie", []):
            self.jar.store(url, value)
        return page

    def _navigate(self, method, url, initiator, body, headers, chain=()):
        sent = {
            "Accept": ACCEPT_PAGE,
            "Upgrade-Insecure-Requests": "1",
            "Sec-Fetch-Site": relation(initiator, [*chain, url]),
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-User": "?1",
            "Sec-Fetch-Dest": "document",
        }
        if initiator:
            sent["Referer"] = initiator if origin_of(initiator) == origin_of(url) else origin_of(initiator) + "/"
            if method not in ("GET", "HEAD"):
                sent["Origin"] = origin_of(initiator)
        sent.update(headers)
        sent = {name: value for name, value in sent.items() if name not in self.leave_out}
        cross = initiator is not None and site_of(initiator) != site_of(url)
        return self.send(method, url, sent, body, cross_site=cross, navigation=True)


def relation(initiator, chain):
    """Sec-Fetch-Site: how far at most the URLs of a redirect chain lie from the initiator (W3C Fetch Metadata 2.3)."""
    if initiator is None:
        return "none"
    if any(site_of(url) != site_of(initiator) for url in chain):
        return "cross-site"
    if any(origin_of(url) != origin_of(initiator) for url in chain):
        return "same-site"
    return "same-origin"


def raw(network, origin, octets):
    """Send octets as they are and return all that comes back until the server closes."""
    connection = network.connect(origin)
    try:
        connection.sock.sendall(octets)
        received = []
        while chunk := connection.sock.recv(65536):
            received.append(chunk)
        return b"".join(received)
    finally:
        connection.close()
