# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a browser goes: the URL parser of the WHATWG URL standard, as far as the origin of the result needs it.

The oracle for return addresses. It shares nothing with the module, which parses by RFC 3986, and knows what browsers
repair: white space at the ends, tabs and line breaks anywhere, backslashes, any number of slashes, escapes and look-alikes
in host names, numbers for addresses. For every line of t/vectors/landing.txt Chromium says the same of whether it stays on
the origin (new URL(…).origin), but for blob:, which holds an origin and is none.
"""

import ipaddress
import re
import unicodedata
from urllib.parse import unquote_to_bytes

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
ENDS = "".join(map(chr, range(0x21)))
IGNORED = dict.fromkeys([0xAD, 0x200B, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10)])  # UTS 46
DOTS = {ord(dot): "." for dot in "。．｡"}
FORBIDDEN = re.compile(r"[\x00-\x20\x7f#/:<>?@\[\\\]^|%]")
NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def origin(address, base):
    """The origin of `address` seen at a page of the origin `base` (https://host[:port]): "scheme://host[:port]" without the
    scheme's own port, "scheme:" for other schemes, None where the browser refuses the address."""
    base_scheme = base.partition(":")[0]
    address = re.sub(r"[\t\n\r]", "", address.strip(ENDS))
    named = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", address)
    if named:
        scheme, rest = named[1].lower(), address[named.end() :]
        if scheme not in PORTS:
            return f"{scheme}:"
        if scheme != base_scheme or rest.startswith("//"):
            return authority(scheme, rest)
        address = rest
    if re.match(r"[/\\]{2}", address):
        return authority(base_scheme, address)
    return base


def authority(scheme, rest):
    part = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0]
    place = part.rpartition("@")[2]
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?", place, re.ASCII)
    name = host(match[1]) if match else None
    port = int(match[2] or PORTS[scheme]) if match else 0
    if not name or port > 65535:
        return None
    return f"{scheme}://{name}" + (f":{port}" if port != PORTS[scheme] else "")


def host(text):
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:-1])}]" if "%" not in text else None
        except ValueError:
            return None
    text = unquote_to_bytes(text).decode("utf-8", "replace")
    text = unicodedata.normalize("NFKC", text.translate(DOTS).lower().translate(IGNORED)).lower().translate(DOTS)
    if FORBIDDEN.search(text) or not text or "\ufffd" in text:
        return None
    if not text.isascii():
        return ".".join(label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in text.split("."))
    labels = text.split(".")
    if len(labels) > 1 and not labels[-1]:
        labels.pop()
    return address(labels) if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]) else text


def number(label):
    if label[:2] == "0x":
        return int(label[2:] or "0", 16)
    return int(label, 8 if label[0] == "0" else 10)


def address(labels):
    """An IPv4 address as anybody may write it: one to four numbers in any base, the last one filling what is left."""
    if len(labels) > 4 or not all(NUMBER.fullmatch(label) for label in labels):
        return None
    try:
        numbers = [number(label) for label in labels]
    except ValueError:  # 09
        return None
    if any(each > 255 for each in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        return None
    whole = numbers[-1] + sum(each << 8 * (3 - place) for place, each in enumerate(numbers[:-1]))
    return str(ipaddress.IPv4Address(whole))
