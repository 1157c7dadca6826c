# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory beside Entra's: Debian's slapd on a loopback port, with a folder of its own, ended with the test file."""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from server import PATIENCE, free_ports

BASE = "dc=contoso,dc=example"
CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 16777216
suffix "{base}"
directory {folder}/db
"""
ROOT = """\
dn: {base}
objectClass: dcObject
objectClass: organization
o: Contoso

dn: ou=people,{base}
objectClass: organizationalUnit

dn: ou=groups,{base}
objectClass: organizationalUnit
"""
PERSON = """
dn: {dn}
objectClass: inetOrgPerson
sn: {key}
cn: {key}
mail: {mail}
title: {title}
"""
GROUP = """
dn: cn={name},ou=groups,{base}
objectClass: groupOfNames
"""


class Directory:
    """`people` is key to (mail, title), `groups` name to keys."""

    def __init__(self, people, groups):
        self.program = shutil.which("slapd", path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert self.program, "there is no slapd: install Debian's package of that name"
        self.folder = Path(tempfile.mkdtemp(prefix="es-slapd-"))
        self.process = None
        try:
            self.fill(people, groups)
            self.start()
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def dn(key):
        return f"cn={key},ou=people,{BASE}"

    @staticmethod
    def group_dn(name):
        return f"cn={name},ou=groups,{BASE}"

    def fill(self, people, groups):
        (self.folder / "db").mkdir()
        (self.folder / "slapd.conf").write_text(CONFIG.format(folder=self.folder, base=BASE))
        entries = ROOT.format(base=BASE)
        for key, (mail, title) in people.items():
            entries += PERSON.format(dn=self.dn(key), key=key, mail=mail, title=title)
        for name, members in groups.items():
            entries += GROUP.format(name=name, base=BASE)
            entries += "".join(f"member: {self.dn(key)}\n" for key in members)
        # slapd is slapadd, too, by its option -T.
        subprocess.run(
            [self.program, "-T", "add", "-f", str(self.folder / "slapd.conf")],
            input=entries.encode(), check=True, stderr=subprocess.PIPE, timeout=PATIENCE,
        )

    def start(self):
        [port] = free_ports(1)
        self.url = f"ldap://127.0.0.1:{port}"
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [self.program, "-d", "0", "-h", self.url, "-f", str(self.folder / "slapd.conf")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)
        raise AssertionError(f"slapd does not start: {(self.folder / 'log').read_text()}")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder)
