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

LABEL = b"entra-saml pending 1"
STARTED = slice(1, 5)
WINDOW = 60_000_000  # microseconds


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


def fill_marks(httpd, lifetime):
    """While the server is down: a mark for that many seconds from now in every place, as after thousands of sign-ins."""
    file = httpd.root / "state" / "entra_saml.seg"
    octets = bytearray(file.read_bytes())
    (marks,) = struct.unpack_from("=Q", octets, 64)
    n_shards, n_buckets = struct.unpack_from("=II", octets, marks + 24)
    total = n_shards * n_buckets
    buckets = marks + (64 + 128 * n_shards + 2 * total + 63) // 64 * 64
    expires = int(time.time()) + lifetime
    for place in range(4 * total):
        shard = place // (4 * n_buckets)
        start = int.from_bytes(os.urandom(4), "little") // n_shards * n_shards + shard
        struct.pack_into("=II2x6s", octets, buckets + 16 * place, expires, start, os.urandom(6))
    file.write_bytes(octets)


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
