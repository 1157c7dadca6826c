# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookalike on loopback: a thread that speaks HTTP or HTTPS to browsers and to the tests."""

import http.cookies
import http.server
import pathlib
import ssl
import sys
import tempfile
import threading
import urllib.parse

from . import logout, pages
from .keys import Authority
from .publication import Publication
from .request import Answered, Refused
from .service import METADATA_PATH, Service

COOKIE = "ESTSAUTH"
HOST = "127.0.0.1"


class Entra(Service):
    """The service, listening. Use it as a context manager, or call start() and stop().

    port       0 takes a free one; base_url tells which
    tls        False for plain http, which the module refuses in metadata
    authority  whose certificate the server shows; made when absent

    publication tells how the metadata address answers.
    """

    def __init__(self, applications, *, port=0, tls=True, authority=None, **options):
        super().__init__(applications, **options)
        self.authority = authority or Authority()
        self.publication = Publication()
        self._server = _Server((HOST, port), self, self._tls() if tls else None)
        self._thread = None
        scheme = "https" if tls else "http"
        self.base_url = f"{scheme}://{HOST}:{self._server.server_address[1]}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def stop(self):
        if self._thread is not None:  # else shutdown() would wait for a loop that never ran
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def write_metadata(self, path, application=None, **options):
        """Write what "Federation Metadata XML: Download" in the portal gives, by default of the first application."""
        pathlib.Path(path).write_bytes(self.metadata(application or self.applications[0], **options))

    def _tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            self.authority.write_server(f"{folder}/server.pem", HOST, "localhost")
            context.load_cert_chain(f"{folder}/server.pem")
        return context


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, entra, tls):
        super().__init__(address, _Handler)
        self.entra = entra
        if tls:
            # The handshake waits for the first read, in the connection's own thread: nobody holds up the others.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        """A browser that hangs up, or does not know our authority, is no error of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        self._answer(self._parse(urllib.parse.urlsplit(self.path).query), "redirect")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self._parse(body.decode("utf-8", "replace")), "post")

    def log_message(self, format, *arguments):
        """The record is Entra.received."""

    def _answer(self, parameters, binding):
        path = urllib.parse.urlsplit(self.path).path
        routes = {
            "/": self._home,
            "/login": self._login,
            "/logout": self._logout,
            "/launch": self._launch,
            f"/{self._entra.tenant.tenant_id}/saml2": self._saml2,
            f"/{self._entra.tenant.tenant_id}/login": self._choose,
            f"/{self._entra.tenant.tenant_id}{METADATA_PATH}": self._metadata,
        }
        action = routes.get(path) or routes.get(path.lower())
        if action is None:
            self._send(404, pages.not_found(path))
            return
        try:
            action(parameters, binding)
        except Answered as failure:
            self._send(200, pages.post(self._entra.fail(failure)))
        except Refused as refusal:
            self._send(400, pages.refused(refusal))

    def _saml2(self, parameters, binding):
        """The endpoint: an answer at once when the browser has a session here, else the choice of users."""
        entra, session = self._entra, self._session()
        if binding == "redirect" and logout.is_logout(parameters):
            self._single_logout(parameters)
            return
        request = entra.receive(binding, parameters, urllib.parse.urlsplit(self.path).query)
        if session and not request.force_authn:
            self._deliver(entra.answer(request, session.user, session.since), session)
            return
        if request.is_passive:
            raise entra.refuse_silent(request)
        fields = {name: parameters[name] for name in ("SAMLRequest", "RelayState") if name in parameters}
        fields["binding"] = binding
        action = f"/{entra.tenant.tenant_id}/login"
        users, hinted = entra.choices(parameters)
        self._send(200, pages.sign_in(action, fields, users, request.application, hinted))

    def _choose(self, parameters, binding):
        """A user was chosen. The request came along and is judged again: the page keeps nothing here."""
        entra = self._entra
        user = entra.users.get(parameters.get("user"))
        if user is None:
            raise Refused("50034", "The account does not exist in this directory.")
        cookie = entra.open_session(user)
        request = entra.judge(parameters.get("binding"), parameters)
        session = entra.sessions[cookie]
        self._deliver(entra.answer(request, user, session.since), session, cookie)

    def _deliver(self, form, session, cookie=None):
        session.participants.append(form.participant)
        self._send(200, pages.post(form), cookie=cookie)

    def _single_logout(self, parameters):
        """An application's request ends the session here and, in frames, at the others; its answer only ends there."""
        message = self._entra.receive_logout(parameters)
        if message.in_response_to:
            self._send(200, pages.signed_out())
        else:
            self._end(self._entra.answer_logout(message), asked_by=message.application)

    def _end(self, location, asked_by=None):
        """End the browser's session here and at every application that took part in it, then go to `location`."""
        session = self._entra.sessions.pop(self._cookie(), None)
        told = [
            self._entra.ask_logout(participant)
            for participant in (session.participants if session else [])
            if participant.application.logout_url and participant.application is not asked_by
        ]
        if told:
            self._send(200, pages.signing_out(told, location), cookie="")
        else:
            self._redirect(location, "")

    def _metadata(self, parameters, binding):
        wanted = parameters.get("appid")
        application = self._application(wanted) if wanted else None
        document = self._entra.metadata(application)
        signers = application.certificates if application else [self._entra.tenant.signer]
        version = " ".join(signer.thumbprint for signer in signers)
        status, headers, octets = self._entra.publication.answer(self.headers, document, version)
        self._send(status, octets, kind="application/samlmetadata+xml", headers=headers)

    def _home(self, parameters, binding):
        self._send(200, pages.home(self._entra, self._session()))

    def _login(self, parameters, binding):
        """Signing in at the lookalike itself, before any application asks."""
        user = self._entra.users.get(parameters.get("user"))
        if user is None:
            self._send(200, pages.sign_in("/login", {}, self._entra.users.values(), None))
        else:
            self._redirect("/", self._entra.open_session(user))

    def _logout(self, parameters, binding):
        self._end("/")

    def _launch(self, parameters, binding):
        """My Apps: the application's own address where it has one, else a response without request."""
        application, session = self._application(parameters.get("appid")), self._session()
        if application.sign_on_url:
            self._redirect(application.sign_on_url)
        elif session is None:
            self._redirect("/login")
        else:
            self._deliver(self._entra.launch(application, session.user, session.since), session)

    def _application(self, app_id):
        for application in self._entra.applications:
            if application.app_id == app_id:
                return application
        raise Refused("700016", f"No application with the identifier '{app_id}' was found in the directory.")

    @property
    def _entra(self):
        return self.server.entra

    def _cookie(self):
        cookies = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        return cookies[COOKIE].value if COOKIE in cookies else ""

    def _session(self):
        return self._entra.sessions.get(self._cookie())

    def _parse(self, encoded):
        return dict(urllib.parse.parse_qsl(encoded, keep_blank_values=True))

    def _redirect(self, location, cookie=None):
        self._send(303, "", cookie=cookie, location=location)

    def _send(self, status, body, *, kind="text/html; charset=utf-8", cookie=None, location=None, headers=None):
        octets = body if isinstance(body, bytes) else body.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        self.send_header("Cache-Control", "no-store, no-cache")
        if cookie is not None:
            # As at Microsoft: applications of other sites send the browser here, by GET and by POST.
            secure = "; Secure; SameSite=None" if isinstance(self.connection, ssl.SSLSocket) else ""
            expired = "" if cookie else "; Max-Age=0"
            self.send_header("Set-Cookie", f"{COOKIE}={cookie}; Path=/; HttpOnly{secure}{expired}")
        if location is not None:
            self.send_header("Location", location)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(octets)
