# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements. Each yields facts: one dictionary becomes one JSON line. Whatever is compared is measured in turns,
and medians are compared."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import callgrind
import load
import scene as scenes

SESSION_OCTETS = {5: 1100, 150: 7600}  # to tell beforehand whether a table fits into memory
POST_COUNT = 40  # messages under the instruction counter

# What a section may send to a backend.
HEADERS = {
    "no header": "",
    "user and groups": "    EntraSAMLHeader X-User user\n    EntraSAMLHeader X-Groups groups\n",
    "user and groups, percent": "    EntraSAMLHeader X-User user percent\n    EntraSAMLHeader X-Groups groups percent\n",
    "all claims": "    EntraSAMLHeaderPrefix X-Entra-\n",
}


@dataclass
class Scale:
    """How much of everything."""

    groups: tuple = (5, 150)
    sessions: tuple = (1, 1000, 100_000, 1_000_000)
    counted: int = 2000  # requests; how a server ends differs by some 200,000 instructions
    rounds: int = 5
    seconds: int = 3  # of each of wrk's runs
    posts: int = 300  # a round
    readers: tuple = (1, 2, 3, 4)
    milliseconds: int = 1000  # of a lookup run


QUICK = Scale(groups=(5,), sessions=(1000,), counted=100, rounds=1, seconds=1, posts=20, readers=(2,), milliseconds=100)


class Measure:
    def __init__(self, scene, scale, profile=False):
        self.scene, self.scale, self.profile = scene, scale, profile
        self._plain_count = None

    # --- the table alone --------------------------------------------------------------------------------

    def lookup(self):
        """Lookups in processes, with and without somebody who writes all the time; octets a session."""
        for groups in self.scale.groups:
            for sessions in self.scale.sessions:
                if not _fits(sessions, groups):
                    yield {"bench": "lookup", "groups": groups, "sessions": sessions, "skipped": "not enough memory"}
                    continue
                for writers in (0, 1):
                    for readers in self.scale.readers:
                        yield self._lookup(groups, sessions, readers, writers)

    def _lookup(self, groups, sessions, readers, writers):
        arguments = (sessions, groups, readers, writers, self.scale.milliseconds)
        command = [self.scene.machine.programs / "lookup", *map(str, arguments)]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        if told["misses"]:
            raise RuntimeError(f"{told['misses']} lookups did not find a session that is there")
        case = {"groups": groups, "sessions": sessions, "readers": readers, "writers": writers}
        return {"bench": "lookup", **case, **told}

    # --- an authenticated request -----------------------------------------------------------------------

    def request(self):
        """A page for a signed-in user against the same page of an httpd without the module."""
        for sessions in self.scale.sessions:
            for groups in self.scale.groups:
                fact = {"bench": "request", "groups": groups, "sessions": sessions}
                if _fits(sessions, groups):
                    yield {**fact, **self._request(sessions, groups)}
                else:
                    yield {**fact, "skipped": "not enough memory"}

    def _request(self, sessions, groups):
        server, plain = self.scene.protected(), self.scene.plain()
        try:
            cookies = self.scene.fill(server, sessions, groups)
            count = self.scale.counted
            pages = [load.get(cookies[i % len(cookies)]) for i in range(2 * count)]
            fact = {}
            if callgrind.is_there():
                plain_count = self._count_plain(plain, pages)
                fact = self._count(server, pages, load.SERVED, f"request, {groups} groups")
                fact["instructions_over_plain"] = round(fact["instructions"] - plain_count)
            return {**fact, **self._compare(server, plain, cookies, load.SERVED)}
        finally:
            server.remove()
            plain.remove()

    def _count_plain(self, plain, pages):
        """Instructions of a plain request, once: they repeat."""
        if self._plain_count is None:
            self._plain_count = self._count(plain, pages, load.SERVED)["instructions"]
        return self._plain_count

    def _count(self, server, requests, expected, title=None):
        """Instructions of one of the requests, of which the first half is the short run."""
        count = len(requests) // 2
        self._open_files(server)
        few = callgrind.count_server(server, requests[:count], expected, "few")
        many = callgrind.count_server(server, requests, expected, "many")
        return self._counted(few, many, count, title)

    @staticmethod
    def _open_files(server):
        """Key and segment are made at the first start of all, which is none to compare others with."""
        server.start()
        server.stop()

    def _counted(self, few, many, count, title):
        fact = {"instructions": round(callgrind.a_request(few, many, count))}
        if self.profile and title:
            fact["profile"] = {"title": title, "rows": callgrind.top(few, many, count)}
        return fact

    def _compare(self, server, plain, cookies, expected):
        """CPU and throughput, both servers in turns."""
        if not load.Wrk.is_there():
            return {}
        server.start()
        plain.start()
        wrk = load.Wrk(cookies, self.scale.seconds)
        for warmed, answer in ((plain, load.SERVED), (server, expected)):
            load.ask_all(warmed, map(load.get, cookies[:10]), answer)
            wrk.run(warmed)
        pairs = [(wrk.run(plain), wrk.run(server)) for _ in range(self.scale.rounds)]
        return {
            "plain_cpu_us": round(median(before[1] for before, _ in pairs), 2),
            "cpu_us": round(median(after[1] for _, after in pairs), 2),
            "cpu_ratio": round(median(after[1] / before[1] for before, after in pairs), 3),
            "plain_requests_per_second": round(median(before[0] for before, _ in pairs)),
            "requests_per_second": round(median(after[0] for _, after in pairs)),
            "throughput_ratio": round(median(after[0] / before[0] for before, after in pairs), 3),
        }

    # --- a backend --------------------------------------------------------------------------------------

    def proxy(self):
        """Claims as request headers through mod_proxy, against the same httpd as a proxy without the module."""
        for groups in self.scale.groups:
            backend = self.scene.plain().start()
            plain = self.scene.plain(backend)
            plain_count = None
            try:
                for headers, lines in HEADERS.items():
                    server = self.scene.protected(lines, backend)
                    try:
                        fact = {"bench": "proxy", "groups": groups, "headers": headers}
                        cookies = self.scene.fill(server, self.scale.sessions[0], groups)
                        pages = [load.get(cookies[i % len(cookies)]) for i in range(2 * self.scale.counted)]
                        if callgrind.is_there():
                            plain_count = plain_count or self._count(plain, pages, load.SERVED)["instructions"]
                            fact.update(self._count(server, pages, load.SERVED, f"proxy, {groups} groups, {headers}"))
                            fact.update(plain_instructions=plain_count)
                        yield {**fact, **self._compare(server, plain, cookies, load.SERVED)}
                    finally:
                        server.remove()
                        plain.stop()
            finally:
                plain.remove()
                backend.remove()

    # --- no session -------------------------------------------------------------------------------------

    def anonymous(self):
        """The redirect to Entra against a page of an httpd without the module."""
        server, plain = self.scene.protected(), self.scene.plain()
        fact = {"bench": "anonymous"}
        try:
            if callgrind.is_there():
                pages = [load.get()] * (2 * self.scale.counted)
                fact.update(self._count(server, pages, load.SENT_TO_ENTRA, "anonymous redirect"))
                fact["plain_instructions"] = self._count(plain, pages, load.SERVED)["instructions"]
            if shutil.which("strace"):
                fact["files_opened"] = self._files_opened(server)
            fact.update(self._compare(server, plain, [""], load.SENT_TO_ENTRA))
        finally:
            server.remove()
            plain.remove()
        yield fact

    def _files_opened(self, server, count=200):
        """By one request: the difference between a run with `count` and one with twice as many, rounded since starts
        and ends differ by a file or two."""
        out, opened = server.root / "strace", []
        self._open_files(server)
        for requests in (count, 2 * count):
            server.start("strace", "-f", "-qq", "-e", "trace=open,openat,creat", "-o", str(out))
            load.ask_all(server, [load.get()] * requests, load.SENT_TO_ENTRA)
            server.stop()
            opened.append(len(out.read_text("latin-1").splitlines()))
        return abs(round((opened[1] - opened[0]) / count, 1))

    # --- the way in -------------------------------------------------------------------------------------

    def acs(self):
        """The POST at the reply URL in httpd, in the library alone, and the floor of the same messages."""
        for groups in self.scale.groups:
            server, plain = self.scene.protected(), self.scene.plain()
            try:
                yield {"bench": "acs", "groups": groups, **self._acs(server, plain, groups)}
            finally:
                server.remove()
                plain.remove()

    def _acs(self, server, plain, groups):
        scale, floor = self.scale, str(self.scene.machine.programs / "floor")
        counted = min(scale.posts, POST_COUNT)
        server.start()
        posts = self.scene.posts(server, scale.rounds * scale.posts + 3 * counted, groups)
        requests, pages = scenes.requests_of(posts), [load.get()] * scale.posts
        plain.start()
        rounds = []
        scenes.write_posts(server, posts[: scale.posts])
        for turn in range(scale.rounds):
            told = subprocess.run([floor, server.root, "3"], check=True, stdout=subprocess.PIPE).stdout
            ours = load.cpu_of(server, requests[turn * scale.posts : (turn + 1) * scale.posts], load.SIGNED_IN)
            rounds.append((ours, load.cpu_of(plain, pages, load.SERVED), json.loads(told)))
        fact = {
            "octets": len(posts[0][1]["SAMLResponse"]) * 3 // 4,
            "cpu_us": round(median(ours for ours, _, _ in rounds), 1),
            "plain_cpu_us": round(median(page for _, page, _ in rounds), 1),
            "floor_us": round(median(told["floor_us"] for _, _, told in rounds), 1),
            "accept_us": round(median(told["accept_us"] for _, _, told in rounds), 1),
            "cpu_ratio": round(median(ours / (page + told["floor_us"]) for ours, page, told in rounds), 3),
        }
        if callgrind.is_there():
            server.stop()
            fact.update(self._count_acs(server, requests[scale.rounds * scale.posts :], counted, groups))
        return fact

    def _count_acs(self, server, requests, count, groups):
        """Instructions; each request is good once, so the long run has others than the short one."""
        floor, fact = str(self.scene.machine.programs / "floor"), {}
        few = callgrind.count_server(server, requests[:count], load.SIGNED_IN, "few")
        many = callgrind.count_server(server, requests[count : 3 * count], load.SIGNED_IN, "many")
        fact.update(self._counted(few, many, count, f"ACS, {groups} groups"))
        for what in ("floor", "accept"):
            half = count // 2
            runs = [
                callgrind.count_program(server, [floor, str(server.root), what, str(number)], what)
                for number in (half, 2 * half)
            ]
            fact[f"{what}_instructions"] = round(callgrind.a_request(*runs, half))
        return fact


def _fits(sessions, groups):
    """Does the table fit into memory, and leave as much for everybody else?"""
    found = re.search(r"^MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return not found or int(found[1]) * 1024 > 2 * sessions * SESSION_OCTETS[groups]
