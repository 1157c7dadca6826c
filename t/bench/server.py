# SPDX-License-Identifier: GPL-3.0-or-later
"""A private httpd on loopback, with the module or without: start, stop, CPU time of its process tree.

Plain http: the module reads cookies from the Cookie header and nothing else of the connection; its base URL says https.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HOST = "app.example.test"
ORIGIN = f"https://{HOST}"
PAGE = "/page.bin"
PATIENCE = 300  # seconds; under an instruction counter, with gigabytes of sessions to check, a start takes its time

# What Debian enables by default, without what compresses or lists.
MODULES = """
mpm_{mpm} unixd alias auth_basic authn_core authn_file authz_core authz_host authz_user dir env filter mime negotiation
reqtimeout setenvif
""".split()

TEMPLATE = """\
ServerRoot "{root}"
{modules}
ServerName {host}
Listen 127.0.0.1:{port}
PidFile "{root}/httpd.pid"
DefaultRuntimeDir "{root}"
ErrorLog "{root}/error.log"
LogLevel warn
Timeout 120
KeepAlive On
KeepAliveTimeout 120
MaxKeepAliveRequests 0
TypesConfig /dev/null
RequestReadTimeout header=0 body=0
{processes}
{proxy}
DocumentRoot "{root}/htdocs"
<Directory "/">
    AllowOverride None
    Require all denied
</Directory>
<Directory "{root}/htdocs">
    Require all granted
</Directory>
{entra}
<Location "/">
{rules}
</Location>
"""

ENTRA = """\
LoadModule entra_saml_module "{module}"
EntraSAMLStateDirectory "{state}"
EntraSAMLSharedMemory {memory}
EntraSAMLMetadata "{root}/entra.xml"
EntraSAMLBaseURL {origin}
"""

PROXY = """\
{modules}
ProxyPass "/" "http://127.0.0.1:{port}/"
"""

# One process: the counts of a request must not depend on which one serves it.
PROCESSES = {
    "event": "ServerLimit 1\nStartServers 1\nThreadsPerChild 16\nMaxRequestWorkers 16\nMinSpareThreads 1\n"
    "MaxSpareThreads 16",
    "prefork": "ServerLimit 1\nStartServers 1\nMaxRequestWorkers 1\nMinSpareServers 1\nMaxSpareServers 1",
}


class Machine:
    """What there is to bench with."""

    def __init__(self):
        build = Path(os.environ.get("top_builddir") or Path(__file__).resolve().parent.parent.parent)
        self.programs = build / "t" / "bench"
        self.module = Path(os.environ.get("ENTRA_SAML_MODULE") or build / ".libs" / "mod_entra_saml.so").resolve()
        self.httpd = os.environ.get("HTTPD") or self._find_httpd()
        self.libexec = Path(_query("LIBEXECDIR"))
        self.builtin = set(re.findall(r"^\s+(?:mod_)?(\w+)\.c$", _run(self.httpd, "-l"), re.MULTILINE))
        # httpd refuses to serve as root, and valgrind cannot write its counts once httpd has given up being root: so
        # root starts everything as somebody else.
        names = ("www-data", "apache", "daemon", "nobody")
        self.user = next(u for u in pwd.getpwall() if u.pw_name in names) if os.geteuid() == 0 else None

    def describe(self):
        cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        version = re.search(r"Server version:\s*(\S+)", _run(self.httpd, "-v"))
        load = os.getloadavg()[0]
        return {
            "bench": "machine",
            "cpu": cpu[1] if cpu else os.uname().machine,
            "cores": len(os.sched_getaffinity(0)),
            "kernel": os.uname().release,
            "httpd": version[1] if version else "?",
            "load": round(load, 2),
        }

    def load_lines(self, mpm, modules=MODULES):
        for name in (pattern.format(mpm=mpm) for pattern in modules):
            if name not in self.builtin:
                yield f'LoadModule {name}_module "{self.libexec}/mod_{name}.so"'

    @staticmethod
    def _find_httpd():
        path = Path(_query("SBINDIR")) / _query("PROGNAME")
        return str(path) if path.exists() else shutil.which("apache2") or shutil.which("httpd")


class Server:
    """One httpd. `metadata`: the octets of Entra's, None for an httpd without the module. `rules`: lines of its one
    section. `memory`: for EntraSAMLSharedMemory. `backend`: another Server, which runs, to pass everything on to."""

    def __init__(
        self, machine, *, metadata=None, rules="    Require all granted", memory="32M", mpm="event", backend=None
    ):
        self.machine, self.rules, self.memory, self.mpm, self.backend = machine, rules, memory, mpm, backend
        self.is_plain = metadata is None
        self.root = Path(tempfile.mkdtemp(prefix="es-bench-"))
        self.root.chmod(0o755)
        (self.root / "htdocs").mkdir()
        (self.root / "htdocs" / PAGE[1:]).write_bytes(b"x" * 1024)
        shutil.copy(machine.module, self.root / "module.so")  # from a folder that perhaps only we may read
        # Where there is one, a file system in memory, as /run is.
        memory_folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.state = Path(tempfile.mkdtemp(prefix="es-bench-", dir=memory_folder))
        (self.root / "state").symlink_to(self.state)
        if metadata is not None:
            (self.root / "entra.xml").write_bytes(metadata)
        self.port = None
        self.process = None

    @property
    def module(self):
        return self.root / "module.so"

    @property
    def segment(self):
        return self.state / "entra_saml.seg"

    def start(self, *under):
        """Start, perhaps `under` another program's command line; then it is one process in the foreground."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._configure()
        self._give_away()
        command = [self.machine.httpd, "-d", str(self.root), "-f", str(self.root / "httpd.conf")]
        with open(self.root / "stderr.log", "ab") as stderr:
            self.process = subprocess.Popen(
                [*under, *command, "-X" if under else "-DFOREGROUND"],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
                **self._somebody(),
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"httpd does not start:\n{self.complaint()}")
            time.sleep(0.02)
        return self

    def stop(self):
        """Only what was started here; a server that does not end is ended with its process group."""
        if self.process is None:
            return
        written = self.root / "httpd.pid"
        # Under a tracer the process started is not httpd, which alone may be told to end.
        os.kill(int(written.read_text()) if written.exists() else self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        written.unlink(missing_ok=True)  # with -X it stays
        self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.state)
        shutil.rmtree(self.root)

    def cpu(self):
        """CPU seconds of the process tree up to now."""
        pids = [self.process.pid]
        for pid in pids:  # grows with the children it finds
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return sum(_process_cpu(pid) for pid in pids)

    def complaint(self):
        logs = (self.root / name for name in ("stderr.log", "error.log"))
        return "\n".join(log.read_text("utf-8", "replace") for log in logs if log.exists())[-4000:]

    def _somebody(self):
        user = self.machine.user
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}

    def _give_away(self):
        """Everything in our folders to whom httpd runs as."""
        user = self.machine.user
        for path in [self.root, self.state, *self.root.rglob("*"), *self.state.rglob("*")] if user else ():
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)

    def _answers(self):
        """Not only a listening socket: the parent has that long before it has looked through a large table."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as line:
                line.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return bool(line.recv(1))
        except ConnectionError:
            return False

    def _configure(self):
        entra = ENTRA.format(
            module=self.module, state=self.state, memory=self.memory, root=self.root, origin=ORIGIN
        )
        modules = "\n".join(self.machine.load_lines(self.mpm, ["proxy", "proxy_http"]))
        proxy = PROXY.format(modules=modules, port=self.backend.port) if self.backend else ""
        config = TEMPLATE.format(
            proxy=proxy,
            root=self.root,
            modules="\n".join(self.machine.load_lines(self.mpm)),
            host=HOST,
            port=self.port,
            processes=PROCESSES[self.mpm],
            entra="" if self.is_plain else entra,
            rules=self.rules,
        )
        (self.root / "httpd.conf").write_text(config, "utf-8")


def _process_cpu(pid):
    """By the scheduler's own account, in nanoseconds a thread; where the kernel keeps none, in ticks of the clock."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _query(name):
    return _run(os.environ.get("APXS") or "apxs", "-q", name).strip()


def _run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
