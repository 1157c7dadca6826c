# SPDX-License-Identifier: GPL-3.0-or-later
"""Where key and segment cannot live: the start says why, in one line, and a server that runs is never killed for it.

File systems of a test's own are mounted in a mount namespace of its own, where that is allowed.
"""

import copy
import os
import shutil
import socket
import subprocess
import time

import pytest

from programs import ENVIRONMENT
from server import ORIGIN, PROTECTED
from tools import run

ENV = f"{ORIGIN}/cgi-bin/env"
SIZE = 8 * 1024 * 1024


def allowed(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture
def httpd(make_httpd):
    """Not started yet; its folder for state is there, and empty."""
    httpd = make_httpd(vhost=PROTECTED, start=False)
    httpd.script("env", ENVIRONMENT)
    (httpd.root / "state").mkdir(mode=0o755)
    return httpd


def segment(httpd):
    return httpd.root / "state" / "entra_saml.seg"


def assert_does_not_start(httpd, *words):
    with pytest.raises(AssertionError, match="reason=config-state") as refusal:
        httpd.start()
    line = [line for line in str(refusal.value).splitlines() if "reason=config-state" in line][-1]
    assert [word for word in words if word not in line] == [], line
    assert httpd.process.returncode == 1, "httpd ended by itself, not by a signal"
    httpd.expect("config-state")
    httpd.expect("AH00020")  # httpd: configuration failed


# --- something else stands in its place -----------------------------------------------------------------------


def make_socket(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.close()


def make_foreign(path, mode=0o600, owner=None):
    path.write_bytes(b"somebody's letters\n" * 1000)
    path.chmod(mode)
    if owner:
        shutil.chown(path, owner)


NO_FILE = "is not a file of mode 0600 that belongs to the user that starts the server"
IN_ITS_PLACE = {
    "folder": (lambda path: path.mkdir(), "cannot open", "Is a directory"),
    "link": (lambda path: path.symlink_to("/etc/hostname"), "cannot open", "Too many levels of symbolic links"),
    "link-to-nothing": (lambda path: path.symlink_to("nothing"), "cannot open", "Too many levels of symbolic links"),
    "pipe": (lambda path: os.mkfifo(path, 0o600), NO_FILE),
    "socket": (make_socket, "cannot open", "No such device or address"),
    "readable-by-others": (lambda path: make_foreign(path, mode=0o644), NO_FILE),
}


@pytest.mark.parametrize("what", IN_ITS_PLACE)
def test_the_segment_is_something_else(httpd, what):
    make, *words = IN_ITS_PLACE[what]
    make(segment(httpd))
    before = os.lstat(segment(httpd))
    assert_does_not_start(httpd, "/entra_saml.seg", *words)
    after = os.lstat(segment(httpd))
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_the_segment_is_somebody_elses(httpd):
    make_foreign(segment(httpd), owner=httpd.tools.user)
    assert_does_not_start(httpd, "/entra_saml.seg", NO_FILE)


@pytest.mark.parametrize("octets", [1, 4095, 4096, SIZE // 2, SIZE - 1, SIZE + 1, 2 * SIZE])
def test_a_segment_of_a_wrong_length(httpd, visitor, octets):
    """Cut off, or with something behind it, as a copy might be: put aside, and no signal for what the file lacks."""
    httpd.start()
    visitor.sign_in(ENV)
    httpd.stop()
    os.truncate(segment(httpd), octets)
    httpd.start()
    httpd.expect("config-state", 1)
    assert "put aside" in httpd.log.find("config-state")[0]
    assert visitor.at_entra(visitor.open(ENV)) and visitor.sign_in(ENV).status == 200
    assert segment(httpd).stat().st_size == SIZE


def test_a_foreign_file_is_put_aside(httpd, visitor):
    make_foreign(segment(httpd))
    letters = segment(httpd).read_bytes()
    httpd.start()
    httpd.expect("config-state", 1)
    assert visitor.sign_in(ENV).status == 200
    assert (httpd.root / "state" / "entra_saml.seg.damaged").read_bytes() == letters


# --- file systems ---------------------------------------------------------------------------------------------


class World:
    """A mount namespace that outlives the server in it: with a file system of `size` for the state."""

    def __init__(self, httpd, size):
        self.folder = str(httpd.root / "state")
        ready = httpd.root / "run" / "mounted"
        line = f'mount -t tmpfs -o mode=755,size={size} tmpfs "{self.folder}" && touch "{ready}" && exec sleep 300'
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", line])
        deadline = time.monotonic() + 10
        while not ready.exists():
            assert self.holder.poll() is None and time.monotonic() < deadline, "nothing mounted"
            time.sleep(0.01)
        self.lead = ["nsenter", "--mount", f"--target={self.holder.pid}"]
        httpd.within = self.lead

    def do(self, line):
        return run(*self.lead, "sh", "-c", f'cd "{self.folder}" && {line}')

    def end(self):
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def mount(httpd):
    if not allowed("unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"):
        pytest.skip("this user may not mount a file system of his own (unshare --mount): full and read-only ones untested")
    made = []

    def mount(size):
        made.append(World(httpd, size))
        return made[0]

    yield mount
    httpd.stop()
    for world in made:
        world.end()


def test_a_full_file_system(httpd, mount):
    world = mount("4m")
    assert_does_not_start(httpd, f"no room for the {SIZE} octets of ", "/entra_saml.seg: No space left on device")
    assert world.do("ls").split() == ["key", "metadata"], "what could not be made is not left half made"


def test_a_file_system_too_full_for_a_key(httpd, mount):
    mount("4k").do("dd if=/dev/zero of=filler bs=4k count=1 2>/dev/null")
    assert_does_not_start(httpd, "/key cannot be made: No space left on device")


def test_a_file_system_that_fills_up_while_the_server_runs(httpd, mount, make_visitor):
    """The room was taken at the start: whoever writes to the segment gets no SIGBUS."""
    world = mount("8300k")
    httpd.start()
    world.do("dd if=/dev/zero of=filler bs=1k 2>/dev/null || test -s filler")
    assert world.do("df --output=avail . | tail -1").strip() == "0"
    visitors = [make_visitor() for _ in range(8)]
    assert all(visitor.sign_in(ENV, "tess").status == 200 for visitor in visitors)  # 28 KiB each
    httpd.graceful()
    assert all(visitor.open(ENV).status == 200 for visitor in visitors)
    httpd.restart()
    assert all(visitor.open(ENV).status == 200 for visitor in visitors)


def test_no_room_for_another_size(httpd, mount, visitor):
    """The old file and its sessions stay as they are."""
    world = mount("12m")
    httpd.start()
    visitor.sign_in(ENV)
    httpd.stop()
    httpd.configure(server="EntraSAMLSharedMemory 9M")
    assert_does_not_start(httpd, "entra_saml.seg.new: No space left on device", f"stay in the old file of {SIZE} octets")
    assert world.do("ls").split() == ["entra_saml.seg", "key", "metadata"]
    httpd.configure(server="")
    httpd.start()
    assert visitor.open(ENV).status == 200


def test_a_read_only_file_system(httpd, mount, visitor):
    world = mount("20m")
    world.do('cd / && mount -o remount,ro "$OLDPWD"')
    assert_does_not_start(httpd, "/key cannot be made: Read-only file system")
    world.do('cd / && mount -o remount,rw "$OLDPWD"')
    httpd.start()
    visitor.sign_in(ENV)
    httpd.stop()
    world.do('cd / && mount -o remount,ro "$OLDPWD"')
    assert_does_not_start(httpd, "cannot open ", "/entra_saml.seg: Read-only file system")
    world.do('cd / && mount -o remount,rw "$OLDPWD"')
    httpd.start()
    assert visitor.open(ENV).status == 200


# --- permission -----------------------------------------------------------------------------------------------


@pytest.fixture
def unprivileged(httpd):
    """The server is started by the user its children usually run as: everything is his but the state."""
    tools = httpd.tools = copy.copy(httpd.tools)
    httpd.within = ["setpriv", f"--reuid={tools.user}", f"--regid={tools.group}", "--clear-groups"]
    if os.geteuid() != 0 or not allowed(*httpd.within, "test", "-r", str(tools.module)):
        pytest.skip("only root can start a server as another user, who must be able to read the module: untested")
    tools.certificate = shutil.copy(tools.certificate, httpd.root)
    tools.key = shutil.copy(tools.key, httpd.root)
    for path in (httpd.root, *httpd.root.rglob("*")):
        if path.name != "state":
            shutil.chown(path, tools.user)
    return httpd


def test_no_permission(unprivileged):
    """The key is root's; there is none, in a folder of root's; there is one, and neither the copies of
    the metadata nor the segment can be made."""
    httpd = unprivileged
    key = httpd.root / "state" / "key"
    assert_does_not_start(httpd, "/key cannot be made: Permission denied")
    key.write_bytes(os.urandom(64))
    key.chmod(0o600)
    assert_does_not_start(httpd, "/key cannot be opened: Permission denied")
    shutil.chown(key, httpd.tools.user)
    assert_does_not_start(httpd, "/metadata cannot be made: Permission denied")
    copies = httpd.root / "state" / "metadata"
    copies.mkdir(0o700)
    assert_does_not_start(httpd, "/metadata cannot be opened: Permission denied")
    shutil.chown(copies, httpd.tools.user)
    assert_does_not_start(httpd, "cannot open ", "/entra_saml.seg: Permission denied")
    segment(httpd).touch(0o600)
    assert_does_not_start(httpd, "cannot open ", "/entra_saml.seg: Permission denied")
