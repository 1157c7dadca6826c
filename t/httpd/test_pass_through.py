# SPDX-License-Identifier: GPL-3.0-or-later
"""Websockets and HTTP/2 through us to a backend: a session is needed, and our cookies stay here."""

import io

import h2.events
import pytest

from http2 import Http2
from server import ORIGIN
from visitor import BINDING_COOKIE, SESSION_COOKIE, made_up_token
from websocket import TEXT, Echo, WebSocket, read_frame, write_frame

MODULES = """
LoadModule http2_module "{libexec}/mod_http2.so"
LoadModule proxy_wstunnel_module "{libexec}/mod_proxy_wstunnel.so"
H2WebSockets on
"""
VHOST = """
    Protocols h2 http/1.1
    ProxyWebsocketFallbackToProxyHttp Off
    ProxyPass "/tunnel" "ws://${ECHO}/tunnel"
    ProxyPass "/upgrade" "http://${ECHO}/upgrade" upgrade=websocket
    RewriteEngine on
    RewriteRule ^/rewritten$ ws://${ECHO}/rewritten [P]
    ProxyPass "/backend" "${BACKEND}"
    ProxyPass "/open" "${BACKEND}/open"
    <LocationMatch "^/(tunnel|upgrade|rewritten|backend)">
        AuthType entra-saml
        Require valid-user
        RequestHeader set X-User "expr=%{REMOTE_USER}"
    </LocationMatch>
"""
WAYS = ["tunnel", "upgrade", "rewritten"]
OWN = "theme=dark; b=2"


@pytest.fixture(scope="module")
def echo():
    echo = Echo()
    yield echo
    echo.stop()


@pytest.fixture(scope="module")
def httpd(make_httpd, tools, echo, backend):
    define = {"ECHO": echo.place, "BACKEND": backend.url}
    return make_httpd(server=MODULES.format(libexec=tools.libexec), vhost=VHOST, define=define)


@pytest.fixture
def ada(make_visitor):
    ada = make_visitor()
    ada.sign_in(f"{ORIGIN}/backend/")
    return ada


def cookies_of(visitor):
    return visitor.jar.header(f"{ORIGIN}/")


# --- Websockets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_no_socket_without_a_session(httpd, echo, ada, way):
    """Refused as a program is, and the backend hears nothing of it."""
    echo.handshakes.clear()
    name = ada.jar.named(SESSION_COOKIE)[0].name
    for headers in ({}, {"Cookie": f"{name}={made_up_token()}"}, {"X-User": "ada@contoso.example", "Remote-User": "ada"}):
        with WebSocket(httpd.network, f"{ORIGIN}/{way}", headers) as socket:
            assert socket.status == 401
    assert echo.handshakes == []


@pytest.mark.parametrize("way", WAYS)
def test_a_socket_of_a_user(httpd, echo, ada, way):
    """It knows who he is and not how he proves it; messages go to and fro, also large ones, one after the other."""
    echo.handshakes.clear()
    sent = {"Cookie": f"theme=dark; {cookies_of(ada)}; b=2", "Entra-Groups": "spoofed", "X-User": "spoofed"}
    with WebSocket(httpd.network, f"{ORIGIN}/{way}", sent) as socket:
        assert socket.status == 101
        for text in ("first", "Zoë", "x" * 70000, ""):
            assert socket.echo(text) == text
        assert socket.end()
    [(line, headers)] = echo.handshakes
    assert line == f"GET /{way} HTTP/1.1"
    assert dict(headers)["Cookie"] == OWN and dict(headers)["X-User"] == "ada@contoso.example"
    assert SESSION_COOKIE not in str(headers) and BINDING_COOKIE not in str(headers) and "spoofed" not in str(headers)


@pytest.mark.parametrize("way", WAYS)
def test_an_open_socket_stays_open(httpd, ada, make_visitor, way):
    """What a session let in goes on while others come and go, and when the session has ended; a new one is refused."""
    cookies = {"Cookie": cookies_of(ada)}
    with WebSocket(httpd.network, f"{ORIGIN}/{way}", cookies) as socket, WebSocket(httpd.network, f"{ORIGIN}/{way}", cookies) as other:
        assert (socket.echo("before"), other.echo("other")) == ("before", "other")
        assert other.end()
        make_visitor().sign_in(f"{ORIGIN}/backend/", "ben")
        ada.open(f"{ORIGIN}/saml/logout", initiator=f"{ORIGIN}/backend/", follow=False)
        assert ada.session is None and socket.echo("after") == "after"
        with WebSocket(httpd.network, f"{ORIGIN}/{way}", cookies) as late:
            assert late.status == 401
        assert socket.echo("still") == "still" and socket.end()


# --- HTTP/2 -----------------------------------------------------------------------------------------------


def test_http2(httpd, tools, backend, ada):
    """One connection, several requests: with and without a session, cookies in one piece and in crumbs (RFC 9113, section
    8.2.3), headers that look like ours."""
    backend.requests.clear()
    crumbs = [("cookie", crumb) for crumb in ("theme=dark", *cookies_of(ada).split("; "), "b=2")]
    spoofed = [(name, "spoofed") for name in ("entra-groups", "entra_roles", "remote-user", "x-user")]
    accept = ("accept", "text/html")
    with Http2(httpd.network, ORIGIN, tools.certificate) as client:
        assert client.ask("/backend/none", [accept])[0] == 303
        assert client.ask("/backend/none", [*spoofed, ("sec-fetch-mode", "cors")])[0] == 401
        assert client.ask("/backend/crumbs", [*crumbs, *spoofed])[0] == 200
        assert client.ask("/backend/whole", [("cookie", f"{cookies_of(ada)}; {OWN}")], "DELETE")[0] == 200
        assert client.ask("/backend/only", [("cookie", cookies_of(ada))])[0] == 200
        assert client.ask("/open/crumbs", [*crumbs, *spoofed[:3]])[0] == 200
        assert client.ask("/backend/none", [accept])[0] == 303
    seen = {path: headers for _, path, headers in backend.requests}
    assert list(seen) == ["/crumbs", "/whole", "/only", "/open/crumbs"]
    assert "spoofed" not in str(seen) and SESSION_COOKIE not in str(seen) and BINDING_COOKIE not in str(seen)
    for path in ("/crumbs", "/whole", "/open/crumbs"):
        assert [value for name, value in seen[path] if name.lower() == "cookie"] == [OWN]
    assert "cookie" not in [name.lower() for name, _ in seen["/only"]]
    users = [dict(seen[path]).get("X-User") for path in seen]
    assert users == ["ada@contoso.example"] * 3 + [None]


def open_stream(client, path, headers):
    """A websocket within HTTP/2 (RFC 8441): (status, a function that sends a message and returns what comes back)."""
    stream = client.connection.get_next_available_stream_id()
    pseudo = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", client.host), (":path", path)]
    client.connection.send_headers(stream, [*pseudo, ("sec-websocket-version", "13"), *headers])
    client.flush()
    received, status = bytearray(), None

    def receive(enough):
        nonlocal status
        while not enough():
            for event in client.connection.receive_data(client.socket.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    received.extend(event.data)
            client.flush()

    def echo(text):
        received.clear()
        write_frame(lambda octets: client.connection.send_data(stream, octets), TEXT, text.encode(), b"mask")
        client.flush()
        receive(lambda: len(received) >= len(text.encode()) + 2)
        return read_frame(io.BytesIO(received))[1].decode()

    receive(lambda: status)
    return status, echo


def test_websockets_within_http2(httpd, tools, echo, ada):
    """The CONNECT of RFC 8441 is another way to the same backend, with the same rules."""
    echo.handshakes.clear()
    with Http2(httpd.network, ORIGIN, tools.certificate) as client:
        assert open_stream(client, "/upgrade", [])[0] == 401
        assert echo.handshakes == []
        status, say = open_stream(client, "/upgrade", [("cookie", f"{cookies_of(ada)}; {OWN}"), ("entra-groups", "spoofed")])
        assert status == 200 and [say(text) for text in ("first", "Zoë")] == ["first", "Zoë"]
    [(_, headers)] = echo.handshakes
    assert dict(headers)["Cookie"] == OWN and dict(headers)["X-User"] == "ada@contoso.example"
    assert SESSION_COOKIE not in str(headers) and "spoofed" not in str(headers)
