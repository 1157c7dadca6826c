# SPDX-License-Identifier: GPL-3.0-or-later
"""Another EntraSAMLSharedMemory: who is signed in and what was used goes along, at a full start only."""

import os
import re
import signal
import stat
import subprocess
import time

import pytest

from aging import fill_marks
from entra.tamper import setting
from programs import ENVIRONMENT
from server import ORIGIN, PROTECTED
from visitor import SESSION_COOKIE

ENV = f"{ORIGIN}/cgi-bin/env"
MIB = 1024 * 1024


@pytest.fixture
def httpd(make_httpd):
    httpd = make_httpd(vhost=PROTECTED)
    httpd.script("env", ENVIRONMENT)
    return httpd


def state(httpd, name="entra_saml.seg"):
    return httpd.root / "state" / name


def resize(httpd, mebibytes):
    """Stop, start with another size; the one line of the log about it."""
    httpd.stop()
    known = len(httpd.log.find("config-state"))
    httpd.configure(server=f"EntraSAMLSharedMemory {mebibytes}M")
    httpd.start()
    httpd.expect("config-state")
    (line,) = httpd.log.find("config-state")[known:]
    return line


def assert_tidy(httpd, mebibytes):
    """The file has its size and mode, and nothing lies beside it."""
    info = state(httpd).stat()
    assert info.st_size == mebibytes * MIB and info.st_blocks * 512 >= info.st_size
    assert stat.S_IMODE(info.st_mode) == 0o600 and info.st_uid == os.geteuid()
    assert sorted(os.listdir(httpd.root / "state")) == ["entra_saml.seg", "key", "metadata"]


def test_a_graceful_restart_keeps_the_size(httpd, visitor):
    visitor.sign_in(ENV)
    httpd.configure(server="EntraSAMLSharedMemory 9M")
    httpd.graceful()
    assert visitor.open(ENV).status == 200 and state(httpd).stat().st_size == 8 * MIB
    assert "keeps its size" in httpd.log.find("config-state")[0]
    httpd.expect("config-state", 1)


def test_everybody_is_carried_over(httpd, visitor, make_visitor):
    """Up and down; the same cookies, and no message that was used makes another session."""
    visitor.sign_in(ENV)
    other = make_visitor()
    form = other.answer(other.ask(ENV), "ben")
    assert other.submit(form).status == 200
    used = visitor.session, other.session
    for size in (9, 2, 8):
        line = resize(httpd, size)
        assert re.search(r"carried 2 sessions and 4 marks over, left 0 sessions behind", line)
        assert_tidy(httpd, size)
        assert visitor.open(ENV).json["REMOTE_USER"] == "ada@contoso.example"
        assert other.open(ENV).json["REMOTE_USER"] == "ben@contoso.example"
        page = other.submit(form)
        assert page.status == 200 and not any(step.cookies(SESSION_COOKIE) for step in page.history)
        assert (visitor.session, other.session) == used


def test_who_is_left_behind_is_counted(make_httpd, make_visitor, httpd):
    """Fifty users of 28 KiB each do not find room in the smallest memory."""
    visitors = [make_visitor() for _ in range(50)]
    assert all(visitor.sign_in(ENV, "tess").status == 200 for visitor in visitors)
    carried, left = map(int, re.search(r"carried (\d+) sessions .* left (\d+) sessions", resize(httpd, 2)).groups())
    assert carried + left == len(visitors) and carried >= 20 and left > 0
    assert sum(visitor.open(ENV).status == 200 for visitor in visitors) == carried


def test_a_used_assertion_is_known_in_another_size(httpd, visitor, make_visitor):
    """The other mark: the same assertion as the answer to another request."""
    known = setting(assertion_id="_22222222-2222-3333-4444-555555555555")
    assert visitor.sign_in(ENV, change=known).status == 200
    resize(httpd, 4)
    httpd.refused(make_visitor().sign_in(ENV, change=known), "replayed")


def test_a_damaged_one_of_another_size_is_put_aside(httpd, visitor):
    """Nothing of it is carried anywhere."""
    visitor.sign_in(ENV)
    httpd.stop()
    octets = bytearray(state(httpd).read_bytes())
    octets[3000] ^= 1
    state(httpd).write_bytes(octets)
    assert "put aside" in resize(httpd, 5)
    assert visitor.at_entra(visitor.open(ENV))
    assert state(httpd, "entra_saml.seg.damaged").read_bytes() == octets
    assert state(httpd).stat().st_size == 5 * MIB


def test_a_start_killed_while_it_changes_the_size(httpd, visitor):
    """At whatever moment: the next one finds the old file or the new one, whole, with everybody in it."""
    visitor.sign_in(ENV)
    httpd.stop()
    for kill in range(16):
        httpd.configure(server=f"EntraSAMLSharedMemory {48 if kill % 2 else 64}M")
        process = subprocess.Popen(httpd.command("-DFOREGROUND"), stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(0.02 + 0.01 * kill)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert state(httpd).stat().st_size in (8 * MIB, 48 * MIB, 64 * MIB)
    httpd.log.tolerate("config-state", "AH00098")
    httpd.configure(server="")
    httpd.start()
    assert not [line for line in httpd.log.find("config-state") if "put aside" in line]
    assert visitor.open(ENV).status == 200
    assert_tidy(httpd, 8)


def test_what_a_killed_start_left_is_no_hindrance(httpd, visitor):
    visitor.sign_in(ENV)
    state(httpd, "entra_saml.seg.new").write_bytes(b"half of one")
    resize(httpd, 6)
    assert visitor.open(ENV).status == 200
    assert_tidy(httpd, 6)


def test_no_mark_is_left_behind(httpd, visitor):
    """Marks that a smaller memory has no room for would let used messages in again: the size stays till they are past."""
    resize(httpd, 4)
    visitor.sign_in(ENV)
    fill_marks(httpd, int(time.time()) + 3600)
    assert "no room for the replay marks in force" in resize(httpd, 2)
    assert visitor.open(ENV).status == 200
    assert_tidy(httpd, 4)
    fill_marks(httpd, int(time.time()) - 1)
    assert "carried 1 sessions and 2 marks over" in httpd.log.find("config-state")[-1]
    assert visitor.open(ENV).status == 200
    assert_tidy(httpd, 2)
