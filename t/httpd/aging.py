# SPDX-License-Identifier: GPL-3.0-or-later
"""Time passed without waiting: what the server keeps, or gave out sealed, made older than it is, or filled.

The layout of a pending sign-in is session/pending.c's, its seal base/crypto.c's (AES-SIV, RFC 5297). Where the marks lie
says session/shm.c, and what they are session/replay.c.
"""

import base64
import os
import struct
import time

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

LABEL = b"entra-saml pending 2"
STARTED = slice(2, 6)
WINDOW = 60_000_000  # microseconds
FILLED = 1  # a life in seconds that no real mark has


def aged_relay_state(httpd, relay_state, seconds):
    """The same pending sign-in, started that much earlier."""
    siv = AESSIV((httpd.root / "state" / "key").read_bytes())
    plain = bytearray(siv.decrypt(decode(relay_state), [LABEL]))
    started = int.from_bytes(plain[STARTED], "big") - seconds
    plain[STARTED] = started.to_bytes(4, "big")
    return encode(siv.encrypt(bytes(plain), [LABEL]))


def age_sessions(httpd, seconds):
    """Every session made within the last minute, made that much earlier; restarts the server.

    The segment holds times as 64-bit microseconds: those of the last minute are the sessions' beginnings.
    """
    httpd.stop()
    now = time.time_ns() // 1000
    file = httpd.root / "state" / "entra_saml.seg"
    octets = bytearray(file.read_bytes())
    shifted = 0
    for place in range(0, len(octets), 8):
        (value,) = struct.unpack_from("=q", octets, place)
        if now - WINDOW < value <= now:
            struct.pack_into("=q", octets, place, value - seconds * 1_000_000)
            shifted += 1
    assert shifted, "no session to make older"
    file.write_bytes(octets)
    httpd.start()


def fill_marks(httpd, expires):
    """Every place of the replay memory that no real mark has, and those filled here before, marked as used until
    `expires` (Unix seconds); restarts the server. What it counts as set does not change.

    The segment's header is session/shm.c's, the marks are session/replay.c's.
    """
    httpd.stop()
    file = httpd.root / "state" / "entra_saml.seg"
    octets = bytearray(file.read_bytes())
    (start,) = struct.unpack_from("=Q", octets, 64)
    shards, buckets = struct.unpack_from("=II", octets, start + 24)
    places = 4 * shards * buckets
    first = start + (64 + 128 * shards + places // 2 + 63) // 64 * 64
    filled = 0
    for number in range(places):
        place = first + 16 * number
        (life,) = struct.unpack_from("=H", octets, place + 8)
        if not any(octets[place : place + 4]) or life == FILLED:
            print_ = int.from_bytes(os.urandom(4), "little") // shards * shards + number // (4 * buckets)
            struct.pack_into("=IIH6s", octets, place, expires, print_, FILLED, os.urandom(6))
            filled += 1
    assert filled > places - 100, "hardly anybody was there before"
    file.write_bytes(octets)
    httpd.start()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
