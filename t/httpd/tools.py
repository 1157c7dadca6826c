# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests find on the machine: httpd, its modules, ours, an unprivileged user; and a throw-away certificate."""

import datetime
import os
import pwd
import grp
import re
import shutil
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = Path(__file__).resolve().parent
NAMES = ["localhost", "example.test", "*.example.test", "*.elsewhere.test"]
# The order in which Debian's a2enmod would load them matters for none of our tests but mod_cache's quick handler.
MODULES = """
mpm_{mpm} {cgi} unixd watchdog log_config authn_core authz_core authz_host authz_user access_compat socache_shmcb ssl alias dir
mime env setenvif headers rewrite include filter proxy proxy_http status actions autoindex expires negotiation
cache cache_disk remoteip
""".split()


class Tools:
    def __init__(self, folder):
        self.httpd = os.environ.get("HTTPD") or self._httpd()
        self.libexec = Path(query("LIBEXECDIR"))
        self.module = Path(os.environ.get("ENTRA_SAML_MODULE") or self._module()).resolve()
        self.user, self.group = self._user()
        self.builtin = set(re.findall(r"^\s+(?:mod_)?(\w+)\.c$", run(self.httpd, "-l"), re.MULTILINE))
        self.certificate, self.key = make_certificate(folder)

    def load_lines(self, mpm, cgi, without=()):
        """LoadModule lines for what is not compiled in, nor named in `without`."""
        for pattern in MODULES:
            name = pattern.format(mpm=mpm, cgi=cgi)
            if name not in self.builtin and name not in without:
                yield f'LoadModule {name}_module "{self.libexec}/mod_{name}.so"'

    def compile(self, source, module):
        """Make a module for httpd of one C file."""
        flags = [*query("CFLAGS").split(), *query("EXTRA_CPPFLAGS").split(), "-fPIC", "-shared"]
        includes = [f"-I{query(name)}" for name in ("INCLUDEDIR", "APR_INCLUDEDIR", "APU_INCLUDEDIR")]
        run(query("CC"), *flags, *includes, "-o", str(module), str(source))

    @staticmethod
    def _httpd():
        path = Path(query("SBINDIR")) / query("PROGNAME")
        return str(path if path.exists() else shutil.which("apache2") or shutil.which("httpd"))

    @staticmethod
    def _module():
        top = HERE.parent.parent
        return top / ".libs" / "mod_entra_saml.so"

    @staticmethod
    def _user():
        for user in ("www-data", "apache", "daemon", "nobody"):
            try:
                entry = pwd.getpwnam(user)
                return user, grp.getgrgid(entry.pw_gid).gr_name
            except KeyError:
                continue
        return "nobody", "nogroup"


def query(name):
    return run(os.environ.get("APXS") or "apxs", "-q", name).strip()


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()


def make_certificate(folder):
    """A self-signed certificate for every host of the tests; (certificate file, key file)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.test")])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in NAMES]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(pem, pkcs8, plain))
    return files
