# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away keys: what Entra signs with, and a certificate authority for TLS on loopback."""

import datetime
import hashlib
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .xmldsig import certificate_base64

APPLICATION_SUBJECT = "Microsoft Azure Federated SSO Certificate"
TENANT_SUBJECT = "accounts.accesscontrol.windows.net"


class Signer:
    """A signing key with its self-signed certificate, as Entra makes one for every enterprise application."""

    def __init__(self, common_name=APPLICATION_SUBJECT, *, bits=2048, years=3):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        builder = _certificate(common_name, common_name, self.key.public_key(), days=365 * years)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def base64(self):
        """The certificate as it stands in an X509Certificate element."""
        return certificate_base64(self.certificate)

    @property
    def thumbprint(self):
        """SHA-1 in upper-case hex: what the portal shows."""
        return hashlib.sha1(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest().upper()

    def write(self, path, key_path=None):
        """Certificate and private key as PEM; without key_path both into one file. The key's file is its owner's alone."""
        certificate = self.certificate.public_bytes(serialization.Encoding.PEM)
        if key_path:
            _write(path, certificate, 0o644)
        _write(key_path or path, _private(self.key) if key_path else certificate + _private(self.key), 0o600)


class Authority:
    """A certificate authority that lives as long as the process, for servers on loopback."""

    def __init__(self, common_name="Throw-away authority of the mod_entra_saml demo and tests"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = common_name
        builder = _certificate(common_name, common_name, self._key.public_key(), days=30)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    def write(self, path):
        """Write the authority's certificate, for clients that shall trust it."""
        _write(path, self._certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def write_server(self, path, *hosts):
        """Make a key and a certificate for `hosts` (names or addresses) and write both into one private file."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _certificate(hosts[0], self._name, key.public_key(), days=30)
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        _write(path, _private(key) + certificate.public_bytes(serialization.Encoding.PEM), 0o600)


def _certificate(subject, issuer, public_key, *, days):
    start = datetime.datetime.utcnow() - datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=days))
    )


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(**granted):
    usages = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement"
        " key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{usage: granted.get(usage, False) for usage in usages.split()})


def _private(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path, octets, mode):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
