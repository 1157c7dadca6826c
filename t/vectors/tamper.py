# SPDX-License-Identifier: GPL-3.0-or-later
"""What an attacker does to a message after it was signed: the `after` and `field` steps of a side-car."""

import base64
import re

from . import template


def message(octets, step):
    """A step on the signed document."""
    verb, _, rest = step.partition(" ")
    if verb == "replace":
        old, _, new = rest.partition(" =>")
        return _replace(octets, _raw(old), _raw(new[1:]))
    if verb == "set":  # the content of the one element of that name
        name, _, text = rest.partition(" ")
        return _replace(octets, _content(octets, name), _raw(text))
    if verb == "keep":  # so many octets of its base64
        name, _, count = rest.partition(" ")
        old = _content(octets, name)
        return _replace(octets, old, base64.b64encode(base64.b64decode(old)[: int(count)]))
    if verb == "flip":  # one bit in the middle of its base64
        old = _content(octets, rest)
        value = bytearray(base64.b64decode(old))
        value[len(value) // 2] ^= 1
        return _replace(octets, old, base64.b64encode(value))
    if verb == "flip-last":  # one bit at the end of its base64
        old = _content(octets, rest)
        value = bytearray(base64.b64decode(old))
        value[-1] ^= 1
        return _replace(octets, old, base64.b64encode(value))
    if verb == "remove":  # the one element of that name
        (element,) = re.findall(rb"<%s[ >].*?</%s>" % ((rest.encode(),) * 2), octets)
        return _replace(octets, element, b"")
    if verb == "encode":
        return octets.decode("utf-8").encode(rest)
    simple = {
        "prepend": lambda: _raw(rest) + octets,
        "append": lambda: octets + _raw(rest),
        "cut": lambda: octets[: -int(rest)],
        "become": lambda: _raw(rest),
    }
    return simple[verb]()


def field(text, step):
    """A step on the base64 of it, which is the form field."""
    verb, _, rest = step.partition(" ")
    simple = {
        "wrap": lambda: b"\r\n".join(text[i : i + 76] for i in range(0, len(text), 76)),
        "cut": lambda: text[: -int(rest)],
        "url-alphabet": lambda: text.translate(bytes.maketrans(b"+/", b"-_")),
        "encode": lambda: base64.b64encode(text),
    }
    return simple[verb]()


def _content(octets, name):
    (content,) = re.findall(rb"<%s[^>]*>(.*?)</%s>" % ((name.encode(),) * 2), octets)
    return content


def _replace(octets, old, new):
    if octets.count(old) != 1:
        raise ValueError(f"{octets.count(old)} times in the signed message: {old}")
    return octets.replace(old, new)


def _raw(text):
    r"""\xNN as an octet, everything else as UTF-8."""
    octets = template.fill_in(text).encode("utf-8")
    return re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), octets)
