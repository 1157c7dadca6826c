# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases for accounts: SQLite where the module has it, and a PostgreSQL of the tests' own, on a socket in a folder."""

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

from server import PATIENCE

DATE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


class Database:
    """`directives` make a virtual host use it; run() is the command entra-saml for it."""

    def __init__(self, tools):
        self.tools = tools
        self.command = Path(os.environ.get("ENTRA_SAML_COMMAND") or tools.module.parent.parent / "entra-saml")

    def call(self, *words, code=0):
        """What `entra-saml` prints on both ways out; it must end with `code`."""
        done = subprocess.run(
            [self.command, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
        )
        text = done.stdout.decode("utf-8", "replace")
        assert done.returncode == code, f"{words}: {done.returncode} {text}"
        return text

    def run(self, verb, *names, code=0):
        """The same of `entra-saml accounts VERB`, for this database."""
        return self.call("accounts", verb, *self.options, *names, code=code)

    def accounts(self):
        """The list, as one dictionary an account."""
        names, *rows = [line.split("\t") for line in self.run("list").splitlines()]
        return [dict(zip(names, row)) for row in rows]

    def account(self, subject):
        """The one of a subject; None where there is none."""
        found = [account for account in self.accounts() if account["subject"] == subject]
        assert len(found) < 2, found
        return found[0] if found else None

    def clear(self):
        for account in self.accounts():
            self.run("remove", account["id"])


class Sqlite(Database):
    """The default. Its folder is there when the server has started once."""

    directives = ""

    def serve(self, httpd):
        self.file = httpd.root / "state" / "accounts" / "accounts.db"
        self.options = ["--state-directory", str(httpd.root / "state")]
        self.run("init")

    def query(self, sql, *values):
        with sqlite3.connect(self.file) as connection:
            return connection.execute(sql.replace("%s", "?"), values).fetchall()

    def remove(self):
        pass


class Postgres(Database):
    """A cluster of its own: no network, no password, ends with remove()."""

    def __init__(self, tools):
        super().__init__(tools)
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
        assert self.programs, "there is no PostgreSQL (Debian: postgresql)"
        self.root = Path(tempfile.mkdtemp(prefix="es-pgsql-"))
        if os.geteuid() == 0:
            shutil.chown(self.root, tools.user, tools.group)
        self.params = f"host={self.root} dbname=postgres user=entra connect_timeout=3"
        self.directives = f'EntraSAMLAccountsDatabase pgsql "{self.params}"'
        self.options = ["--driver", "pgsql", "--params", self.params]
        self.program("initdb", "-A", "trust", "-U", "entra", "-N")
        self.start()
        self.run("init")

    def program(self, name, *arguments):
        """As a user without rights: PostgreSQL refuses to run as root."""
        user = {"user": self.tools.user, "group": self.tools.group, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [self.programs / name, "-D", self.root / "data", *arguments],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            **user,
        )
        assert done.returncode == 0, f"{name} {arguments}: {done.returncode}"

    def start(self):
        options = f"-k {self.root} -c listen_addresses='' -c fsync=off"
        self.program("pg_ctl", "-l", self.root / "log", "-o", options, "-w", "start")

    def stop(self):
        self.program("pg_ctl", "-m", "immediate", "-w", "stop")

    def serve(self, httpd):
        pass

    def query(self, sql, *values):
        text = sql
        for value in values:
            assert re.fullmatch(r"[-\w@. ]*", value)
            text = text.replace("%s", f"'{value}'", 1)
        command = [self.programs / "psql", "-h", self.root, "-U", "entra", "-AtqX", "-F", "\t", "postgres", "-c", text]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=PATIENCE).stdout.decode()
        return [tuple(line.split("\t")) for line in printed.splitlines()]

    def remove(self):
        try:
            if (self.root / "data" / "postmaster.pid").exists():
                self.stop()
        finally:
            shutil.rmtree(self.root)


KINDS = {"sqlite3": Sqlite, "pgsql": Postgres}
