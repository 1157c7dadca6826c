# SPDX-License-Identifier: GPL-3.0-or-later
"""Key file and segment file: whose they are, what happens when they are not as we left them."""

import os
import stat

import pytest

from programs import ENVIRONMENT
from server import ORIGIN, PROTECTED
from visitor import Visitor

ENV = f"{ORIGIN}/cgi-bin/env"


@pytest.fixture
def httpd(make_httpd):
    httpd = make_httpd(vhost=PROTECTED)
    httpd.script("env", ENVIRONMENT)
    return httpd


def state(httpd, name):
    return httpd.root / "state" / name


def assert_does_not_start(httpd, words):
    with pytest.raises(AssertionError, match="reason=config-state") as refusal:
        httpd.start()
    assert words in str(refusal.value)
    httpd.expect("config-state")
    httpd.expect("AH00020")  # httpd: configuration failed


def test_they_belong_to_whoever_starts_httpd(httpd, visitor):
    """Programs of the server's user must not read keys or write sessions; the cookie does not stand in the segment."""
    visitor.sign_in(ENV)
    for name in ("key", "entra_saml.seg"):
        info = state(httpd, name).stat()
        assert stat.S_IMODE(info.st_mode) == 0o600 and info.st_uid == os.geteuid()
    assert visitor.session.encode() not in state(httpd, "entra_saml.seg").read_bytes()


def test_programs_inherit_no_descriptor_of_ours(httpd, visitor):
    httpd.script("files", "#!/bin/sh\necho Content-Type: text/plain; echo; ls -l /proc/self/fd /proc/$$/fd 2>&1\n")
    page = visitor.sign_in(f"{ORIGIN}/cgi-bin/files")
    assert page.status == 200 and "/state" not in page.text and "entra_saml" not in page.text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a server that gives up its rights")
def test_the_servers_user_reads_neither(httpd, visitor):
    httpd.script("read", f"#!/bin/sh\necho Content-Type: text/plain; echo; id -u; cat {httpd.root}/state/* 2>&1\n")
    page = visitor.sign_in(f"{ORIGIN}/cgi-bin/read")
    assert page.text.splitlines()[0] != "0" and "ermission denied" in page.text


def test_the_room_is_taken_at_once(httpd):
    """A sparse file on a full file system would kill whoever writes to it."""
    info = state(httpd, "entra_saml.seg").stat()
    assert info.st_size == 8 * 1024 * 1024 and info.st_blocks * 512 >= info.st_size


def test_a_new_key_voids_pending_sign_ins_not_sessions(httpd, visitor, make_visitor):
    visitor.sign_in(ENV)
    other = make_visitor()
    form = other.answer(other.ask(ENV))
    httpd.stop()
    state(httpd, "key").unlink()
    httpd.start()
    assert visitor.open(ENV).status == 200
    httpd.refused(other.submit(form), "pending-unreadable")
    assert other.sign_in(ENV).status == 200


def test_a_damaged_segment_is_put_aside(httpd, visitor):
    """Sessions end, and the log says why; nobody reads garbage."""
    visitor.sign_in(ENV)
    httpd.stop()
    segment = state(httpd, "entra_saml.seg")
    segment.write_bytes(b"garbage " * (segment.stat().st_size // 8))
    httpd.start()
    assert visitor.at_entra(visitor.open(ENV)) and visitor.sign_in(ENV).status == 200
    assert state(httpd, "entra_saml.seg.damaged").exists()
    httpd.expect("config-state")


@pytest.mark.parametrize("part", [0.0, 0.01, 0.1, 0.3, 0.6, 0.9])
def test_damage_anywhere_never_lets_anybody_in(httpd, visitor, part):
    """A stretch of it overwritten while the server was down: it starts, and the cookie means this user or nobody."""
    visitor.sign_in(ENV, "ben")
    httpd.stop()
    with open(state(httpd, "entra_saml.seg"), "r+b") as segment:
        segment.seek(int(part * 8 * 1024 * 1024))
        segment.write(os.urandom(65536))
    httpd.start()
    page = visitor.open(ENV)
    if visitor.at_entra(page):
        page = visitor.finish(page, "ben")
    assert page.json["REMOTE_USER"] == "ben@contoso.example" and page.json["ENTRA_ROLES"] == "Reader"
    httpd.log.tolerate("config-state", "record-invalid")


def test_two_servers_never_share_one(httpd, make_httpd):
    """The second one waits a little, then says who is in the way."""
    second = make_httpd(vhost=PROTECTED, server=f'EntraSAMLStateDirectory "{httpd.root}/state"', start=False)
    assert_does_not_start(second, "in use by another server")


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_key_that_others_may_read(httpd, mode):
    httpd.stop()
    state(httpd, "key").chmod(mode)
    assert_does_not_start(httpd, "is not a file of mode 0600")


@pytest.mark.parametrize("octets", [b"", b"short", b"x" * 65])
def test_a_key_of_another_length(httpd, octets):
    httpd.stop()
    state(httpd, "key").write_bytes(octets)
    assert_does_not_start(httpd, "is not 64 octets")


def test_a_key_that_is_a_link(httpd):
    httpd.stop()
    state(httpd, "key").rename(httpd.root / "elsewhere")
    state(httpd, "key").symlink_to(httpd.root / "elsewhere")
    assert_does_not_start(httpd, "cannot be opened")


def test_a_folder_that_others_may_write(httpd):
    httpd.stop()
    (httpd.root / "state").chmod(0o777)
    assert_does_not_start(httpd, "others may write it")


def test_a_folder_that_cannot_be_made(make_httpd):
    httpd = make_httpd(vhost=PROTECTED, server='EntraSAMLStateDirectory "${ROOT}/no/such/place"', start=False)
    assert_does_not_start(httpd, "cannot be made")


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_trace_holds_no_secrets(make_httpd, entra, mpm):
    """The most talkative log level of ours tells neither cookies, nor assertions, nor sealed sign-ins."""
    httpd = make_httpd(vhost=PROTECTED, server="LogLevel entra_saml:trace8", mpm=mpm)
    httpd.script("env", ENVIRONMENT)
    visitor = Visitor(httpd.network, entra)
    asked = visitor.ask(ENV)
    form = visitor.answer(asked)
    assert visitor.submit(form).status == 200 and visitor.open(ENV).status == 200
    visitor.open(f"{ORIGIN}/saml/logout", initiator=ENV)
    log = "\n".join(httpd.log.new())
    assert "trace" in log or "debug" in log
    secrets = [form["RelayState"][:40], form["SAMLResponse"][:40], *(c.value for c in visitor.jar.cookies.values())]
    assert not [secret for secret in secrets if secret in log]
