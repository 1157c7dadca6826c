#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign the test vectors with fresh keys: sign.py --out DIR

Every side-car good/NAME.txt and evil/NAME.txt is a vector; README.md says what may stand in it. For each one
DIR/good/NAME.field or DIR/evil/NAME.field is the form field, byte for byte, and NAME.txt beside it the expectation that
t/unit/test_vectors.c compares with. DIR/index.txt lists them; DIR/facts.txt holds what the service provider under test
is told about itself and its clock, DIR/*.der the certificates it trusts, DIR/*.pem its own certificates with their keys.
"""

import argparse
import base64
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from lxml import etree  # noqa: E402

from entra import keys, names, wire, xmldsig, xmlenc  # noqa: E402
from vectors import tamper, template  # noqa: E402

TRUSTED = ("signing", "second")
OURS = ("ours", "ours-second")
EXPECTED = ("reason", "entity", "request", "started", "decryption", "name-id", "claim", "count")


PARSER = etree.XMLParser(huge_tree=True, resolve_entities=False)


class Ring:
    """The keys by the names that side-cars use. Those of TRUSTED and OURS are configured, the rest is the attacker's."""

    def __init__(self):
        self.signers = {name: keys.Signer() for name in (*TRUSTED, *OURS, "foreign")}
        self.signers["weak"] = keys.Signer(bits=1024)

    def der(self, name):
        return self.signers[name].certificate.public_bytes(serialization.Encoding.DER)

    def pair(self, name):
        """Certificate and private key, as an administrator's file."""
        signer, pem = self.signers[name], serialization.Encoding.PEM
        how = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return signer.certificate.public_bytes(pem) + signer.key.private_bytes(pem, *how)

    def key(self, name):
        """A private key, or for the HMACs the public key of `signing` as everybody can write it down."""
        if name == "ec":
            return ec.generate_private_key(ec.SECP256R1())
        encodings = {"hmac": serialization.Encoding.DER, "hmac-pem": serialization.Encoding.PEM}
        if name in encodings:
            public = self.signers["signing"].certificate.public_key()
            return public.public_bytes(encodings[name], serialization.PublicFormat.SubjectPublicKeyInfo)
        return self.signers[name].key

    def words(self, name):
        """What {certificate} and its kin stand for in a vector that is signed with the key `name`."""
        numbers = self.signers["foreign"].key.public_key().public_numbers()
        return {
            "certificate": self.signers[name if name in self.signers else "signing"].base64,
            "signing-certificate": self.signers["signing"].base64,
            "second-certificate": self.signers["second"].base64,
            "foreign-modulus": base64.b64encode(numbers.n.to_bytes(256, "big")).decode(),
            "foreign-exponent": base64.b64encode(numbers.e.to_bytes(3, "big")).decode(),
        }


def to_fill(root):
    return root.findall(f".//{{{xmldsig.DS}}}Signature[{{{xmldsig.DS}}}SignedInfo]")


def sign(text, car, ring):
    """The octets of a message: every ds:Signature that has a SignedInfo is filled, the innermost first.

    An assertion is encrypted when its own signatures are made, and before those around it are.
    """
    root = etree.fromstring(text, PARSER)
    exceptions = dict(value.split() for value in car.all("key-of"))
    target = root.xpath(car.one("over"))[0] if car.one("over") else None
    assertion = root.find(f"{{{names.ASSERTION}}}Assertion") if car.one("encrypt") else None
    inside = [] if assertion is None else [
        signature for signature in to_fill(root) if assertion in signature.iterancestors()
    ]

    def fill(signature):
        reference = signature.find(f"{{{xmldsig.DS}}}SignedInfo/{{{xmldsig.DS}}}Reference")
        signed = reference.get("URI", "")[1:] if reference is not None else None
        xmldsig.fill(signature, ring.key(exceptions.get(signed, car.one("key", "signing"))), target=target)

    for signature in reversed(inside):
        fill(signature)
    if assertion is not None:
        root.replace(assertion, etree.Element("here"))
        root = etree.fromstring(wire.serialise(root).replace("<here/>", encrypt(assertion, car, ring)), PARSER)
    for signature in reversed(to_fill(root)):
        fill(signature)
    return wire.serialise(root).encode("utf-8")


def encrypt(assertion, car, ring):
    """The text of the EncryptedAssertion: `plain` steps first, then every `encrypt` around what the one before it made."""
    octets = wire.serialise(assertion).encode("utf-8")
    for step in car.all("plain"):
        octets = tamper.message(octets, step)
    for value in car.all("encrypt"):
        content, transport, place, *name = value.split()
        certificate = ring.signers[name[0] if name else "ours"].certificate
        pad = bytes.fromhex(car.one("pad")) if car.one("pad") else None
        made = xmlenc.encrypt(octets, certificate, xmlenc.Encryption(content, transport, place), pad)
        octets = made.encode("utf-8")
    return made


def build(car, ring):
    """The form field of a vector."""
    octets = sign(template.expand(car, ring.words(car.one("key", "signing"))), car, ring)
    for step in car.all("after"):
        octets = tamper.message(octets, step)
    field = base64.b64encode(octets)
    for step in car.all("field"):
        field = tamper.field(field, step)
    return field


def lines(pairs):
    """What the runner reads: one `word: value` a line, times without the decimals that are always zero."""
    return "".join(f"{word}: {template.fill_in(value)}\n" for word, value in pairs).replace(".000Z", "Z")


def expectation(car):
    return lines((word, value) for word in EXPECTED for value in car.all(word))


def facts():
    return lines([*template.FACTS.items(), ("now", "{now}"), ("started", "{now-2min}"), ("skew", str(template.SKEW)), ("decryption", "ours")])


def main():
    parser = argparse.ArgumentParser(description="Sign the test vectors with fresh keys.")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder to write to")
    out = parser.parse_args().out
    ring = Ring()
    names = []
    for path in sorted([*HERE.glob("good/*.txt"), *HERE.glob("evil/*.txt")]):
        name = f"{path.parent.name}/{path.stem}"
        try:
            car = template.SideCar(path)
            field = build(car, ring)
        except Exception as problem:
            raise SystemExit(f"{path}: {problem!r}") from problem
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.field").write_bytes(field)
        (out / f"{name}.txt").write_text(expectation(car), encoding="utf-8")
        names.append(name)
    for name in TRUSTED:
        (out / f"{name}.der").write_bytes(ring.der(name))
    for name in OURS:
        (out / f"{name}.pem").write_bytes(ring.pair(name))
    (out / "facts.txt").write_text(facts(), encoding="utf-8")
    (out / "index.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    print(f"{len(names)} vectors signed")


if __name__ == "__main__":
    main()
