# SPDX-License-Identifier: GPL-3.0-or-later
"""One private httpd with the protected application, and the lookalike Entra ID that it trusts.

httpd is https://localhost:PORT and the lookalike https://127.0.0.1:PORT: two sites in the eyes of a browser, as in
real life, and neither name has to be known anywhere.
"""

import contextlib
import http.client
import os
import pathlib
import pwd
import shutil
import signal
import socket
import ssl
import string
import subprocess
import tempfile
import time

from entra import Application, Authority, Entra

HERE = pathlib.Path(__file__).resolve().parent
HTTPD = "/usr/sbin/apache2"
MODULES = "/usr/lib/apache2/modules"
USER = "www-data"
PATIENCE = 15


class Site:
    """Context manager: started on entry, ended and removed on exit.

    module      the module to load, a path
    port        httpd's; entra_port the lookalike's; where one is taken a free one is used
    """

    def __init__(self, module, port=0, entra_port=0):
        self.module = pathlib.Path(module).resolve()
        self._wanted = port, entra_port
        self.port = self.url = self.root = self.httpd = self.entra = None

    def __enter__(self):
        try:
            self._prepare()
            self.entra.start()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.httpd:
            self._stop()
        if self.entra:
            self.entra.stop()
        if self.root:
            shutil.rmtree(self.root)

    def alive(self):
        return self.httpd.poll() is None

    @property
    def log(self):
        return self.root / "error.log"

    def complaint(self):
        """Why httpd did not start or go on: what it printed and logged last."""
        lines = [*_lines(self.root / "stderr.log"), *_lines(self.log)]
        return "\n".join(lines[-20:])

    def _prepare(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="entra-saml-demo-"))
        (self.root / "run").mkdir()
        (self.root / "app").mkdir()
        shutil.copy(HERE / "app.py", self.root / "app")
        # The application runs as another user, whatever our umask; what is secret in here has its own mode.
        for path in (self.root, self.root / "run", self.root / "app", self.root / "app" / "app.py"):
            path.chmod(0o755)
        authority = Authority()
        authority.write(self.root / "authority.pem")
        authority.write_server(self.root / "server.pem", "localhost", "127.0.0.1")
        self._register(authority)
        (self.root / "httpd.conf").write_text(self._configuration(), "utf-8")

    def _register(self, authority):
        """What an administrator does in the portal. The lookalike takes its port first, so that httpd's is another."""
        port, entra_port = self._wanted
        self.entra = Entra([], port=free_port(entra_port), authority=authority)
        self.port = free_port(port)
        self.url = f"https://localhost:{self.port}/"
        application = Application(
            name="Demo application",
            identifiers=[f"{self.url}saml/metadata"],
            reply_urls=[f"{self.url}saml/acs"],
            sign_on_url=self.url,
            logout_url=f"{self.url}saml/logout",
        )
        self.entra.applications.append(application)
        self.entra.write_metadata(self.root / "entra-metadata.xml")

    def _configuration(self):
        identity = ""
        if os.geteuid() == 0:
            account = pwd.getpwnam(USER)
            identity = f"User {account.pw_name}\nGroup #{account.pw_gid}"
        return string.Template((HERE / "httpd.conf").read_text("utf-8")).substitute(
            root=self.root,
            port=self.port,
            identity=identity,
            modules=MODULES,
            module=self.module,
            entra=f"{self.entra.base_url}/",
        )

    def _start(self):
        with open(self.root / "stderr.log", "wb") as printed:
            # A session of its own: Ctrl-C in the terminal is for us, we end httpd in good order.
            self.httpd = subprocess.Popen(
                [HTTPD, "-d", self.root, "-f", self.root / "httpd.conf", "-DFOREGROUND"],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if not self.alive() or time.monotonic() > deadline:
                raise RuntimeError(f"httpd does not start:\n{self.complaint()}")
            time.sleep(0.05)

    def _stop(self):
        self.httpd.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.httpd.wait(PATIENCE)
        # mod_cgid's daemon misses the end of an httpd that ends right after its start, and would live on.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.httpd.pid, signal.SIGKILL)
        self.httpd.wait()

    def _answers(self):
        """Whether the application does. A port that can be connected to is not enough: httpd opens it half-way."""
        tls = ssl.create_default_context(cafile=self.root / "authority.pem")
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=PATIENCE, context=tls)
        try:
            connection.request("GET", "/public")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def free_port(wanted):
    """`wanted` if it is free, else any free one (as for 0)."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise RuntimeError("no port is free on 127.0.0.1")


def _lines(path):
    return path.read_text("utf-8", "replace").splitlines() if path.exists() else []
