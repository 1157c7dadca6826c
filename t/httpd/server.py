# SPDX-License-Identifier: GPL-3.0-or-later
"""A real httpd in a folder of its own: configuration, start, graceful and full restart, stop, error log.

The configuration is the template below with the test's own lines put in. The names it defines
and those of `define` are there as ${NAME}, by httpd's own Define.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from client import Browser, Network
from errorlog import ErrorLog
from reasons import REASONS, assert_refusal

HOST = "app.example.test"
ORIGIN = f"https://{HOST}"
PLAIN_ORIGIN = f"http://{HOST}"
# Every page needs a user.
PROTECTED = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
"""
PATIENCE = 20  # seconds for anything that a healthy httpd does at once

TEMPLATE = """\
ServerRoot "{root}"
Define ROOT "{root}"
Define HTTPS {https}
Define CERTIFICATE "{certificate}"
Define KEY "{key}"
{defines}
{modules}
{before}
LoadModule entra_saml_module "{module}"
ServerName localhost
Listen 127.0.0.1:{https} https
Listen 127.0.0.1:{http} http
{user}
PidFile "{root}/run/httpd.pid"
DefaultRuntimeDir "{root}/run"
ScriptSock "{root}/run/cgid"
ErrorLog "{root}/error.log"
LogLevel notice entra_saml:info
Timeout 20
KeepAlive On
GracefulShutdownTimeout 2
TypesConfig /dev/null
AddType text/html .html .shtml
AddType text/plain .txt
AddOutputFilter INCLUDES .shtml
DirectoryIndex index.html
SSLSessionCache "shmcb:{root}/run/ssl(64000)"
{processes}
<Directory "/">
    AllowOverride None
    Require all denied
</Directory>
<Directory "{root}/htdocs">
    Options +Includes +FollowSymLinks
    AllowOverride AuthConfig FileInfo Limit
    Require all granted
</Directory>
<Directory "{root}/cgi-bin">
    Options +ExecCGI
    SetHandler cgi-script
    Require all granted
</Directory>
EntraSAMLStateDirectory "{root}/state"
EntraSAMLSharedMemory 8M
{server}
<VirtualHost 127.0.0.1:{https}>
    ServerName {host}
    DocumentRoot "{root}/htdocs"
    ScriptAlias "/cgi-bin/" "{root}/cgi-bin/"
    SSLEngine on
    SSLCertificateFile "{certificate}"
    SSLCertificateKeyFile "{key}"
{entra}
{vhost}
</VirtualHost>
<VirtualHost 127.0.0.1:{http}>
    ServerName {host}
    DocumentRoot "{root}/htdocs"
    ScriptAlias "/cgi-bin/" "{root}/cgi-bin/"
{plain}
</VirtualHost>
"""

# Room for 64 requests at once, several processes so that shared state is really shared.
PROCESSES = {
    "event": """\
StartServers 2
ServerLimit 2
ThreadsPerChild 40
MaxRequestWorkers 80
MinSpareThreads 1
MaxSpareThreads 80""",
    "prefork": """\
StartServers 4
ServerLimit 80
MaxRequestWorkers 80
MinSpareServers 4
MaxSpareServers 80""",
}
PROCESSES["worker"] = PROCESSES["event"]

ENTRA = '    EntraSAMLMetadata "${ROOT}/entra.xml"'


class Httpd:
    """One server. `vhost`, `plain` and `server` are lines for the TLS virtual host, the plain one and the main server;
    `entra` are the directives that make the virtual host one of ours, `without` the modules of httpd it lacks,
    `environment` what it gets beside the tests' own, `before` what stands before the line that loads our module."""

    def __init__(
        self, tools, *, vhost="", plain="", server="", entra=ENTRA, mpm="event", define=None, metadata=b"", without=(), environment=None, before=""
    ):
        self.tools = tools
        self.mpm = mpm
        self.without = without
        self.environment = {**os.environ, **(environment or {})}
        self.within = []  # a command that runs the server in a world of its own, such as unshare
        self.text = {"vhost": vhost, "plain": plain, "server": server, "entra": entra, "before": before}
        self.define = define or {}
        # Not pytest's own temporary folder: that is closed to the user the children run as.
        self.root = Path(tempfile.mkdtemp(prefix="es-httpd-"))
        self.root.chmod(0o755)
        for name in ("run", "htdocs", "cgi-bin", "cache"):
            (self.root / name).mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.root / "cache", tools.user)
        (self.root / "entra.xml").write_bytes(metadata)
        self.log = ErrorLog(self.root / "error.log")
        self.process = None
        self.ports = {}
        self.network = Network(tools.certificate)
        self.choose_ports()

    # --- files ------------------------------------------------------------------------------------------

    def page(self, path, text):
        """A file below the document root."""
        file = self.root / "htdocs" / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def script(self, name, text):
        """A program in cgi-bin."""
        file = self.root / "cgi-bin" / name
        file.write_text(text, "utf-8")
        file.chmod(0o755)
        return file

    # --- configuration ----------------------------------------------------------------------------------

    def choose_ports(self):
        self.ports = dict(zip(("https", "http"), free_ports(2)))
        self.network.add(ORIGIN, self.ports["https"])
        self.network.add(PLAIN_ORIGIN, self.ports["http"], tls=False)

    def serve(self, host):
        """Make another host name lead to this server too."""
        self.network.add(f"https://{host}", self.ports["https"])

    def configure(self, **text):
        """Write the configuration, with some of its parts replaced."""
        self.text.update(text)
        cgi = "cgi" if self.mpm == "prefork" else "cgid"
        config = TEMPLATE.format(
            root=self.root,
            host=HOST,
            defines="\n".join(f'Define {name} "{value}"' for name, value in self.define.items()),
            modules="\n".join(self.tools.load_lines(self.mpm, cgi, self.without)),
            module=self.tools.module,
            user=f"User {self.tools.user}\nGroup {self.tools.group}" if os.geteuid() == 0 else "",
            processes=PROCESSES[self.mpm],
            certificate=self.tools.certificate,
            key=self.tools.key,
            **self.ports,
            **self.text,
        )
        if cgi == "cgi":
            config = config.replace("ScriptSock", "#ScriptSock")
        (self.root / "httpd.conf").write_text(config, "utf-8")

    def line_of(self, text):
        """The number of the first configuration line that holds `text`."""
        lines = (self.root / "httpd.conf").read_text("utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def command(self, *arguments):
        return [*self.within, self.tools.httpd, "-d", str(self.root), "-f", str(self.root / "httpd.conf"), *arguments]

    def configtest(self):
        """httpd -t: (exit status, what it printed)."""
        self.configure()
        done = subprocess.run(
            self.command("-t"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    # --- life -------------------------------------------------------------------------------------------

    def start(self):
        for attempt in range(3):
            self.configure()
            ready = self.readiness() + 1
            with open(self.root / "stderr.log", "ab") as stderr:
                self.process = subprocess.Popen(
                    self.command("-DFOREGROUND"),
                    stdin=subprocess.DEVNULL,
                    stdout=stderr,
                    stderr=stderr,
                    env=self.environment,
                    start_new_session=True,
                )
            if self.wait(lambda: self.readiness() >= ready):
                return self
            if "could not bind" not in self.complaint() or attempt == 2:
                raise AssertionError(f"httpd does not start:\n{self.complaint()}")
            self.choose_ports()  # somebody was faster
        raise AssertionError("unreachable")

    def graceful(self):
        """Graceful restart: back when the new generation serves."""
        self.signal(signal.SIGUSR1)

    def reload(self):
        """The hard restart within the same parent (SIGHUP)."""
        self.signal(signal.SIGHUP)

    def restart(self):
        """Full stop and start: nothing of the old process tree remains."""
        self.stop()
        self.start()

    def signal(self, number):
        ready = self.readiness() + 1
        self.process.send_signal(number)
        assert self.wait(lambda: self.readiness() >= ready), f"httpd does not come back:\n{self.complaint()}"

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            # The event MPM is known to crash now and then in a child that it ends on a busy machine, in its own code.
            self.log.tolerate(*["AH00052"] * (self.mpm == "event"))
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                raise AssertionError("httpd did not stop") from None
        self.process = None

    def kill(self):
        """SIGKILL for the parent alone; the process group of the children that it leaves behind."""
        group = self.process.pid
        self.process.kill()
        self.process.wait()
        self.process = None
        return group

    def remove(self):
        """Stop and leave nothing behind."""
        try:
            self.stop()
        finally:
            if not os.environ.get("ENTRA_KEEP"):
                shutil.rmtree(self.root)

    def wait(self, condition):
        """Until the condition holds; false when the server dies or patience ends."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if condition():
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.01)
        return False

    def readiness(self):
        """How often the log says that the server serves."""
        return sum("resuming normal operations" in line for line in self.log.read())

    def complaint(self):
        printed = (self.root / "stderr.log").read_text("utf-8", "replace").splitlines()
        return "\n".join([*printed, *self.log.read()][-40:])

    # --- use --------------------------------------------------------------------------------------------

    def expect(self, code, times=None):
        self.log.expect(code, times)

    def browser(self):
        return Browser(self.network)

    def refused(self, page, code):
        """This page is the refusal `code`, all of it: status, words, headers, log line with the same reference."""
        if REASONS[code].level in ("WARN", "ERROR"):
            self.expect(code)
        lines = self.log.find(code)
        assert lines, f"no log line with {code}:\n" + "\n".join(self.log.new())
        assert_refusal(page, code, lines)


def free_ports(count):
    """Ports nobody listened on a moment ago; start() tries others where one is taken meanwhile."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()
