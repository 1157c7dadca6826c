# SPDX-License-Identifier: GPL-3.0-or-later
"""Metadata that keeps itself fresh: fetched from the lookalike over https, swapped in running children.

Row 1, 2: a certificate that rolls over needs neither restart nor hand.
"""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from client import Form
from entra import Signer
from refreshing import (
    BY_ADDRESS,
    BY_FILE,
    HOUR,
    LATER,
    clock,
    copies,
    entra,
    events,
    everywhere,
    make_httpd,
    microsoft,
    mpm,
    pass_time,
    roll_over,
    signed_in,
    until,
    visitor_of,
    wait_ready,
)
from server import ORIGIN


# --- first start ------------------------------------------------------------------------------------------


def test_first_start(make_httpd, entra, mpm):
    """Fetched at once, by one process, once; sealed on disk."""
    httpd = wait_ready(make_httpd(mpm=mpm), entra)
    assert signed_in(httpd, entra)
    assert len(entra.publication.fetches) == 1
    assert entra.publication.fetches[0]["User-Agent"] == "mod_entra_saml"
    [copy] = copies(httpd)
    assert b"EntityDescriptor" not in copy.read_bytes()
    assert copy.stat().st_mode & 0o777 == 0o600 and copy.parent.stat().st_mode & 0o777 == 0o700
    [line] = events(httpd, "taken, signing certificates")
    assert entra.applications[0].signer.thumbprint in line


def test_first_start_without_network(make_httpd, entra, clock, mpm):
    """503 with reason and Retry-After where a user is needed, everything else works; recovers by itself."""
    entra.publication.status = 500
    httpd = make_httpd(mpm=mpm)
    httpd.page("free/a.txt", "free")
    visitor = visitor_of(httpd, entra)
    until(lambda: httpd.log.find("metadata-unreachable"), "the log line")
    httpd.expect("metadata-unreachable", 1)
    for path in ("", "saml/login", "saml/logout", "saml/acs"):
        page = visitor.open(f"{ORIGIN}/{path}")
        assert page.headers["Retry-After"] == "60" and page.cookies() == []
        httpd.refused(page, "metadata-pending")
    assert visitor.fetch(f"{ORIGIN}/").status == 503
    assert visitor.open(f"{ORIGIN}/free/a.txt").text == "free"
    assert visitor.open(f"{ORIGIN}/saml/metadata").status == 200
    entra.publication.status = 200
    pass_time(entra, clock, 35)  # the first repetition comes after 30 seconds
    wait_ready(httpd, entra)
    assert signed_in(httpd, entra)
    assert events(httpd, "good again")


def test_offline_start(make_httpd, entra):
    """From the copy, and sessions go on."""
    httpd = wait_ready(make_httpd(), entra)
    visitor = visitor_of(httpd, entra)
    visitor.sign_in(f"{ORIGIN}/")
    httpd.stop()
    fetches, pending = len(entra.publication.fetches), len(httpd.log.find("metadata-pending"))
    entra.publication.status = 500
    httpd.start()
    assert visitor.open(f"{ORIGIN}/").text == "in"
    assert signed_in(httpd, entra)
    assert len(entra.publication.fetches) == fetches  # not due for an hour
    assert len(httpd.log.find("metadata-pending")) == pending


def test_damaged_copy(make_httpd, entra):
    """A copy that nobody sealed is no metadata, whoever wrote it; another takes its place."""
    httpd = wait_ready(make_httpd(), entra)
    [copy] = copies(httpd)
    httpd.stop()
    octets = bytearray(copy.read_bytes())
    octets[len(octets) // 2] ^= 1
    copy.write_bytes(octets)
    entra.publication.status = 500
    httpd.start()
    until(lambda: httpd.log.find("metadata-unreachable"), "the log line")
    httpd.expect("metadata-copy", 1)
    httpd.expect("metadata-unreachable", 1)
    httpd.refused(visitor_of(httpd, entra).open(f"{ORIGIN}/"), "metadata-pending")


@pytest.mark.parametrize("kind", ["link", "fifo", "plain", "empty"])
def test_what_stands_in_the_copys_place(make_httpd, entra, kind):
    """The folder belongs to the server's user: the parent follows no link there and waits for nobody."""
    httpd = wait_ready(make_httpd(), entra)
    [copy] = copies(httpd)
    httpd.stop()
    copy.unlink()
    if kind == "link":
        copy.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(copy)
    else:
        copy.write_bytes(entra.metadata(entra.applications[0]) if kind == "plain" else b"")
    httpd.start()
    httpd.expect("metadata-copy")
    wait_ready(httpd, entra)
    until(lambda: copy.is_file() and not copy.is_symlink(), "a new copy")


# --- while it runs ----------------------------------------------------------------------------------------


def test_roll_over(make_httpd, entra, clock, mpm):
    """An hour later the new key holds in every child, without restart; the old one while it is published."""
    httpd = wait_ready(make_httpd(mpm=mpm), entra)
    entra.applications[0].standby = [Signer()]  # made in the portal, not active yet
    pass_time(entra, clock, LATER)
    until(lambda: len(events(httpd, "taken, signing certificates")) == 2, "the second document")
    time.sleep(1)  # a child looks ten times a second
    old, [new] = entra.applications[0].signer, entra.applications[0].standby
    entra.applications[0].signer, entra.applications[0].standby = new, [old]
    everywhere(httpd, lambda: signed_in(httpd, entra))
    assert len(entra.publication.fetches) == 2


def test_a_withdrawn_key(make_httpd, entra, clock):
    """What is no longer published does not hold any more."""
    httpd = wait_ready(make_httpd(), entra)
    stolen = entra.applications[0].signer
    roll_over(entra, with_old=False)
    pass_time(entra, clock, LATER)
    until(lambda: len(events(httpd, "taken, signing certificates")) == 2, "the second document")
    everywhere(httpd, lambda: signed_in(httpd, entra))
    entra.applications[0].signer = stolen
    visitor = visitor_of(httpd, entra)
    page = visitor.finish(visitor.ask())
    httpd.refused(page, "signature-key-unknown")


def test_conditional(make_httpd, entra, clock):
    """What has not changed is not sent again."""
    entra.publication.etag = True
    httpd = wait_ready(make_httpd(), entra)
    pass_time(entra, clock, LATER)
    until(lambda: len(entra.publication.fetches) == 2, "the second fetch")
    assert entra.publication.fetches[1]["If-None-Match"].startswith('"')
    assert entra.publication.fetches[1]["If-Modified-Since"].endswith("GMT")
    httpd.restart()
    until(lambda: len(entra.publication.fetches) == 3, "the fetch after the restart, of a copy that is old by now")
    time.sleep(1)
    pass_time(entra, clock, LATER)
    until(lambda: len(entra.publication.fetches) == 4, "the next")
    assert all("If-None-Match" in fetch for fetch in entra.publication.fetches[1:])
    assert len(events(httpd, "taken, signing certificates")) == 1


def test_unchanged_document(make_httpd, entra, clock):
    """Nor is it taken again where the server knows no conditions."""
    entra.publication.body = entra.metadata(entra.applications[0])
    httpd = wait_ready(make_httpd(), entra)
    pass_time(entra, clock, LATER)
    until(lambda: len(entra.publication.fetches) == 2, "the second fetch")
    time.sleep(0.5)
    assert len(events(httpd, "taken, signing certificates")) == 1


BAD = {
    "cut": ("metadata-invalid", lambda entra: {"body": entra.metadata(entra.applications[0])[:-100]}),
    "html": ("metadata-invalid", lambda entra: {"body": b"<html><body>Sign in to the hotel's network</body></html>"}),
    "empty": ("metadata-invalid", lambda entra: {"body": b""}),
    "bomb": (
        "metadata-invalid",
        lambda entra: {"body": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'},
    ),
    "other-tenant": (
        "metadata-issuer",
        lambda entra: {
            "body": entra.metadata(entra.applications[0]).replace(
                entra.tenant.tenant_id.encode(), b"00000000-1111-2222-3333-444444444444"
            )
        },
    ),
    "no-key": ("metadata-no-key", lambda entra: {"body": without_keys(entra.metadata(entra.applications[0]))}),
    "too-large": ("metadata-too-large", lambda entra: {"body": b"<a>" + b" " * (4 * 1024 * 1024) + b"</a>"}),
    "redirect": (
        "metadata-unreachable",
        lambda entra: {"status": 302, "headers": {"Location": entra.metadata_url(entra.applications[0])}},
    ),
    "not-found": ("metadata-unreachable", lambda entra: {"status": 404}),
    "not-asked-for": ("metadata-unreachable", lambda entra: {"status": 304}),
}


def without_keys(document):
    return re.sub(rb"<(\w+:)?KeyDescriptor.*?</(\w+:)?KeyDescriptor>", b"", document, flags=re.DOTALL)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_changes_nothing(make_httpd, entra, clock, name):
    """One line in the log however often it is tried, the old keys hold; a good one is taken again."""
    code, make = BAD[name]
    httpd = wait_ready(make_httpd(), entra)
    for field, value in make(entra).items():
        setattr(entra.publication, field, value)
    pass_time(entra, clock, LATER)
    until(lambda: httpd.log.find(code), "the log line")
    fetches = len(entra.publication.fetches)
    pass_time(entra, clock, 40)
    until(lambda: len(entra.publication.fetches) > fetches, "another try")
    everywhere(httpd, lambda: signed_in(httpd, entra))
    httpd.expect(code, 1)
    entra.publication.body, entra.publication.status, entra.publication.headers = None, 200, {}
    roll_over(entra)
    pass_time(entra, clock, HOUR)
    until(lambda: events(httpd, "good again"), "the recovery")
    everywhere(httpd, lambda: signed_in(httpd, entra))


@pytest.mark.parametrize("pin", ["sha1", "sha256"])
def test_a_pinned_signer(make_httpd, entra, clock, pin):
    """What another certificate signed is not taken, whatever server sent it; nor what was altered."""
    signer = entra.applications[0].signer
    digest = signer.certificate.fingerprint(getattr(hashes, pin.upper())()).hex()
    httpd = wait_ready(make_httpd(entra_lines=BY_ADDRESS + f"    EntraSAMLMetadataSigner {digest}"), entra)
    assert signed_in(httpd, entra)
    roll_over(entra)
    pass_time(entra, clock, LATER)
    until(lambda: httpd.log.find("metadata-signer"), "the log line")
    entra.applications[0].signer, entra.applications[0].standby = signer, []
    entra.publication.body = entra.metadata(entra.applications[0]).replace(b"/saml2", b"/saml3")
    pass_time(entra, clock, LATER)
    until(lambda: httpd.log.find("metadata-signature"), "the other log line")
    httpd.expect("metadata-signer", 1)
    httpd.expect("metadata-signature", 1)
    everywhere(httpd, lambda: signed_in(httpd, entra))


def test_certificates_that_end(make_httpd, entra, clock):
    """Warned of once a threshold, and once after; they hold all the same."""
    entra.applications[0].signer = Signer(years=1)
    httpd = make_httpd(entra_lines=BY_FILE, metadata=entra.metadata(entra.applications[0]))
    for days, code, count in ((300, "key-expiring", 0), (20, "key-expiring", 1), (20, "key-expiring", 2), (40, "key-expired", 1)):
        pass_time(entra, clock, days * 24 * HOUR)
        until(lambda: len(httpd.log.find(code)) == count, f"{count} lines with {code}")
        pass_time(entra, clock, LATER)
        time.sleep(0.5)
        assert len(httpd.log.find(code)) == count
    httpd.expect("key-expiring", 2)
    httpd.expect("key-expired", 1)
    assert entra.applications[0].signer.thumbprint in httpd.log.find("key-expired")[0]


def test_an_authority_nobody_trusts(make_httpd, entra):
    """The system's authorities do not know the lookalike's."""
    httpd = make_httpd(entra_lines='    EntraSAMLMetadata "${ADDRESS}"')
    until(lambda: httpd.log.find("metadata-unreachable"), "the log line")
    httpd.expect("metadata-unreachable", 1)
    assert "certificate" in httpd.log.find("metadata-unreachable")[0]
    assert entra.publication.fetches == []


def test_a_slow_server_holds_up_nobody(make_httpd, entra):
    """Requests are served while a fetch waits; a stop does not wait for it either."""
    entra.publication.delay = 8
    httpd = make_httpd()
    httpd.page("free/a.txt", "free")
    until(lambda: entra.publication.fetches, "the fetch")
    started = time.monotonic()
    assert visitor_of(httpd, entra).open(f"{ORIGIN}/free/a.txt").text == "free"
    httpd.stop()
    assert time.monotonic() - started < 6


def test_no_proxy_of_the_environment(make_httpd, entra, clock):
    httpd = make_httpd(start=False)
    httpd.environment["https_proxy"] = httpd.environment["ALL_PROXY"] = "http://127.0.0.1:9"
    wait_ready(httpd.start(), entra)


def test_a_proxy_that_is_not_there(make_httpd, entra):
    """What the environment says of hosts without a proxy counts as little as its proxies."""
    httpd = make_httpd(start=False, entra_lines=BY_ADDRESS + "    EntraSAMLMetadataProxy http://127.0.0.1:9")
    httpd.environment["no_proxy"] = "127.0.0.1"
    httpd.start()
    until(lambda: httpd.log.find("metadata-unreachable"), "the log line")
    httpd.expect("metadata-unreachable", 1)
    assert entra.publication.fetches == []


def test_a_clock_set_back(make_httpd, entra, clock):
    """The next fetch was due by the wrong clock."""
    wait_ready(make_httpd(), entra)
    pass_time(entra, clock, 20 * HOUR)
    until(lambda: len(entra.publication.fetches) == 2, "the fetch by the wrong clock")
    time.sleep(1)  # it ends by that clock, too
    pass_time(entra, clock, -20 * HOUR)
    until(lambda: len(entra.publication.fetches) == 3, "the fetch by the right one")


# --- an unknown key ---------------------------------------------------------------------------------------


def test_an_unknown_key_restarts_the_sign_on_once(make_httpd, entra, clock, mpm):
    """The user notices one more round; the metadata is fetched at once, for all."""
    httpd = wait_ready(make_httpd(mpm=mpm), entra)
    roll_over(entra, with_old=False)
    visitor = visitor_of(httpd, entra)
    page = visitor.submit(visitor.answer(visitor.ask()))
    assert visitor.at_entra(page), f"{page.status} {page.text[:300]}"
    httpd.expect("signature-key-unknown")
    [line] = httpd.log.find("signature-key-unknown")
    assert "starts again" in line and entra.applications[0].signer.thumbprint in line
    until(lambda: len(events(httpd, "taken, signing certificates")) == 2, "the new document")
    time.sleep(1)
    end = visitor.submit(visitor.answer(page))
    assert end.text == "in"
    everywhere(httpd, lambda: signed_in(httpd, entra))
    assert len(entra.publication.fetches) == 2


def test_the_second_time_it_is_refused(make_httpd, entra):
    """A key that is not published at all: both thumbprints for the administrator, and no third round."""
    httpd = wait_ready(make_httpd(), entra)
    published, stranger = entra.applications[0].signer, Signer()
    entra.publication.body = entra.metadata(entra.applications[0])
    entra.applications[0].signer = stranger
    visitor = visitor_of(httpd, entra)
    again = visitor.submit(visitor.answer(visitor.ask()))
    assert visitor.at_entra(again)
    page = visitor.submit(visitor.answer(again))
    httpd.refused(page, "signature-key-unknown")
    line = httpd.log.find("signature-key-unknown")[-1]
    assert published.thumbprint in line and stranger.thumbprint in line


def test_asking_is_throttled(make_httpd, entra, clock):
    """However many responses with unknown keys come, one fetch in five minutes."""
    httpd = wait_ready(make_httpd(), entra)
    entra.publication.body = entra.metadata(entra.applications[0])
    entra.applications[0].signer = Signer()
    httpd.expect("signature-key-unknown")
    for _ in range(4):
        visitor = visitor_of(httpd, entra)
        visitor.submit(visitor.answer(visitor.ask()))
    until(lambda: len(entra.publication.fetches) == 2, "the fetch")
    time.sleep(1)
    assert len(entra.publication.fetches) == 2
    pass_time(entra, clock, 301)
    visitor.submit(visitor.answer(visitor.ask()))
    until(lambda: len(entra.publication.fetches) == 3, "the next fetch")


def test_a_stranger_restarts_nothing(make_httpd, entra):
    """Without the browser's own sign-on there is no round to repeat."""
    httpd = wait_ready(make_httpd(), entra)
    entra.applications[0].signer = Signer()
    visitor, other = visitor_of(httpd, entra), visitor_of(httpd, entra)
    form = visitor.answer(visitor.ask())
    httpd.refused(other.submit(form), "signature-key-unknown")
    fields = [(name, value) for name, value in form.fields if name != "RelayState"]
    httpd.refused(visitor.submit(Form(form.action, "POST", fields, form.page_url)), "signature-key-unknown")


# --- processes --------------------------------------------------------------------------------------------


def test_another_child_takes_over(make_httpd, entra, clock):
    """Whoever looks after metadata may die at any time."""
    httpd = wait_ready(make_httpd(mpm="prefork"), entra)
    children = [int(pid) for pid in Path(f"/proc/{httpd.process.pid}/task/{httpd.process.pid}/children").read_text().split()]
    keeper = keeper_among(httpd, children, clock, entra)
    os.kill(keeper, signal.SIGKILL)
    httpd.log.tolerate("AH00052")
    roll_over(entra, with_old=False)
    pass_time(entra, clock, LATER)
    until(lambda: len(events(httpd, "taken, signing certificates")) >= 2, "the successor", patience=40)
    everywhere(httpd, lambda: signed_in(httpd, entra))
    assert Path(f"/proc/{httpd.process.pid}").exists()


def test_a_child_born_later_begins_with_what_holds(make_httpd, entra, mpm):
    """And not with what the parent had at its start: here nothing at all."""
    httpd = wait_ready(make_httpd(mpm=mpm), entra)
    httpd.log.tolerate("AH00052", "AH01239")
    for _ in range(3):
        for child in Path(f"/proc/{httpd.process.pid}/task/{httpd.process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        time.sleep(0.02)
        with ThreadPoolExecutor(16) as browsers:
            assert set(browsers.map(lambda _: visitor_of(httpd, entra).open(f"{ORIGIN}/").status, range(32))) == {303}


def keeper_among(httpd, children, clock, entra):
    """The child whose line in the log it was."""
    [line] = events(httpd, "taken, signing certificates")
    pid = int(re.search(r"\[pid (\d+)", line)[1])
    assert pid in children
    return pid


def test_an_older_copy_brought_back(make_httpd, entra, clock):
    """A program of the server's user can write the folder: a new child takes no copy but the last, and has it made anew."""
    httpd = wait_ready(make_httpd(mpm="prefork"), entra)
    stolen = entra.applications[0].signer
    [copy] = copies(httpd)
    older = copy.read_bytes()
    roll_over(entra, with_old=False)
    pass_time(entra, clock, LATER)
    until(lambda: len(events(httpd, "taken, signing certificates")) == 2, "the second document")
    time.sleep(1)  # so that no child that is behind asks, since asking is throttled
    copy.write_bytes(older)
    children = Path(f"/proc/{httpd.process.pid}/task/{httpd.process.pid}/children").read_text().split()
    keeper = re.search(r"\[pid (\d+)", events(httpd, "taken, signing certificates")[0])[1]
    for child in children:
        if child != keeper:
            os.kill(int(child), signal.SIGKILL)
    httpd.log.tolerate("AH00052")
    until(lambda: httpd.log.find("metadata-copy"), "the new child's complaint")
    httpd.expect("metadata-copy")
    until(lambda: len(events(httpd, "taken, signing certificates")) == 3, "the copy made anew")
    everywhere(httpd, lambda: visitor_of(httpd, entra).open(f"{ORIGIN}/").status == 303)
    everywhere(httpd, lambda: signed_in(httpd, entra))
    entra.applications[0].signer = stolen
    everywhere(httpd, lambda: not signed_in(httpd, entra))


def test_graceful_restart(make_httpd, entra, clock, mpm):
    """The next generation starts with what the last one had, and goes on."""
    httpd = wait_ready(make_httpd(mpm=mpm), entra)
    visitor = visitor_of(httpd, entra)
    visitor.sign_in(f"{ORIGIN}/")
    pending = len(httpd.log.find("metadata-pending"))
    httpd.graceful()
    assert visitor.open(f"{ORIGIN}/").text == "in"
    assert len(httpd.log.find("metadata-pending")) == pending
    roll_over(entra, with_old=False)
    pass_time(entra, clock, LATER)
    until(lambda: len(events(httpd, "taken, signing certificates")) == 2, "the new document")
    everywhere(httpd, lambda: signed_in(httpd, entra))


# --- files ------------------------------------------------------------------------------------------------



def replace(file, octets):
    draft = file.with_suffix(".new")
    draft.write_bytes(octets)
    draft.chmod(0o644)
    draft.replace(file)


def test_a_file_is_watched(make_httpd, entra, mpm):
    httpd = make_httpd(mpm=mpm, entra_lines=BY_FILE, metadata=entra.metadata(entra.applications[0]))
    assert signed_in(httpd, entra)
    roll_over(entra, with_old=False)
    replace(httpd.root / "entra.xml", entra.metadata(entra.applications[0]))
    until(lambda: events(httpd, "taken, signing certificates"), "the new file")
    everywhere(httpd, lambda: signed_in(httpd, entra))
    assert entra.publication.fetches == []


def test_a_half_written_file(make_httpd, entra):
    """Keeps the old one, says so once; the whole one is taken."""
    httpd = make_httpd(entra_lines=BY_FILE, metadata=entra.metadata(entra.applications[0]))
    roll_over(entra)
    document = entra.metadata(entra.applications[0])
    (httpd.root / "entra.xml").write_bytes(document[: len(document) // 2])
    until(lambda: httpd.log.find("metadata-invalid"), "the log line")
    httpd.expect("metadata-invalid", 1)
    entra.applications[0].signer = entra.applications[0].standby[0]
    everywhere(httpd, lambda: signed_in(httpd, entra))
    (httpd.root / "entra.xml").write_bytes(document)
    until(lambda: events(httpd, "good again"), "the whole file")


def test_a_file_that_goes(make_httpd, entra):
    httpd = make_httpd(entra_lines=BY_FILE, metadata=entra.metadata(entra.applications[0]))
    (httpd.root / "entra.xml").unlink()
    until(lambda: httpd.log.find("metadata-unreadable"), "the log line")
    httpd.expect("metadata-unreadable", 1)
    everywhere(httpd, lambda: signed_in(httpd, entra))
