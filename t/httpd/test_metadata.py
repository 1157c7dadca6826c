# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own metadata, for "Upload metadata file" in the portal."""

from pathlib import Path

import pytest
from lxml import etree

from entra import Signer
from server import ORIGIN
from visitor import Visitor

MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

VHOST = """
    EntraSAMLEntityID "urn:example:app?a=1&b=<2>"
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
"""


@pytest.fixture(scope="module")
def httpd(make_httpd):
    return make_httpd(vhost=VHOST)


def test_the_document(visitor):
    page = visitor.open(f"{ORIGIN}/saml/metadata")
    assert page.status == 200 and page.type == "application/samlmetadata+xml"
    root = etree.fromstring(page.body)
    assert root.tag == f"{MD}EntityDescriptor"
    assert root.get("entityID") == "urn:example:app?a=1&b=<2>"
    [role] = root.findall(f"{MD}SPSSODescriptor")
    [reply] = role.findall(f"{MD}AssertionConsumerService")
    assert (reply.get("Binding"), reply.get("Location")) == (POST, f"{ORIGIN}/saml/acs")
    [logout] = role.findall(f"{MD}SingleLogoutService")
    assert logout.get("Location") == f"{ORIGIN}/saml/logout"


class Schemas(etree.Resolver):
    """The schemas by their file names, wherever the distribution keeps them; nothing is fetched."""

    FOLDERS = [Path("/usr/share/xml/opensaml"), Path("/usr/share/xml/xmltooling")]

    def find(self, name):
        return next((folder / name for folder in self.FOLDERS if (folder / name).exists()), None)

    def resolve(self, url, public_id, context):
        found = self.find(url.rpartition("/")[2])
        return self.resolve_filename(str(found), context) if found else self.resolve_empty(context)


@pytest.fixture(scope="module")
def schema():
    """The metadata schema of SAML 2.0 (saml-schema-metadata-2.0.xsd)."""
    schemas = Schemas()
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(schemas)
    found = schemas.find("saml-schema-metadata-2.0.xsd")
    if not found:
        pytest.skip("no schemas: install opensaml-schemas and xmltooling-schemas")
    return etree.XMLSchema(etree.parse(str(found), parser))


def test_it_is_valid_by_the_schema(visitor, schema):
    """What the portal uploads is checked there too."""
    root = etree.fromstring(visitor.open(f"{ORIGIN}/saml/metadata").body)
    schema.assertValid(root)
    root[0].remove(root[0][-1])  # without AssertionConsumerService
    assert not schema.validate(root)


def test_it_is_valid_with_certificates(make_httpd, entra, schema):
    """Two that sign and one to encrypt for: the keys stand where the schema wants them."""
    signers = [Signer("one"), Signer("two")]
    httpd = make_httpd(start=False)
    for number, signer in enumerate(signers):
        signer.write(httpd.root / f"{number}.pem")
    lines = "".join(f"EntraSAMLSigningCertificate {n}.pem {n}.pem\n" for n in range(2))
    httpd.configure(vhost=lines + "EntraSAMLDecryptionCertificate 1.pem 1.pem" + VHOST)
    root = etree.fromstring(Visitor(httpd.start().network, entra).open(f"{ORIGIN}/saml/metadata").body)
    schema.assertValid(root)
    assert [key.get("use") for key in root.iter(f"{MD}KeyDescriptor")] == ["signing", "signing", "encryption"]


def test_it_is_public(visitor):
    """An administrator fetches it before anybody can sign in; no cookie, no redirect, whoever asks."""
    for page in (visitor.open(f"{ORIGIN}/saml/metadata"), visitor.fetch(f"{ORIGIN}/saml/metadata")):
        assert page.status == 200 and page.cookies() == []


def test_it_does_not_depend_on_the_host_header(visitor):
    """Row 6: the document of an unexpected Host is the same."""
    there = visitor.open(f"{ORIGIN}/saml/metadata", headers={"Host": "evil.test"})
    assert there.body == visitor.open(f"{ORIGIN}/saml/metadata").body


def test_head(visitor):
    page = visitor.open(f"{ORIGIN}/saml/metadata", method="HEAD")
    assert page.status == 200 and page.body == b"" and int(page.headers["Content-Length"]) > 300


def test_other_methods(visitor):
    assert visitor.open(f"{ORIGIN}/saml/metadata", method="POST", body=b"").status == 405


@pytest.mark.parametrize("path", ["saml", "saml/", "saml/metadata/", "saml/acs/x", "saml/unknown", "SAML/metadata"])
def test_what_is_no_endpoint_is_an_ordinary_page(visitor, path):
    assert visitor.at_entra(visitor.open(f"{ORIGIN}/{path}"))
