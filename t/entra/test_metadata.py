# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents: of an application with several certificates, of the tenant, of all tenants."""

import pytest
from lxml import etree

from entra import Application, Signer, Tenant, names
from entra.service import Service
from entra.tenants import AppendedIssuer

MD = {"md": names.METADATA, "ds": names.XMLDSIG}


@pytest.fixture(scope="module")
def signers():
    return [Signer() for _ in range(3)]


@pytest.fixture
def service(signers):
    application = Application(["urn:x"], ["https://app.example/acs"], signer=signers[0], standby=signers[1:])
    return Service([application], tenant=Tenant(signer=signers[2]))


def read(document):
    assert document.startswith(b"\xef\xbb\xbf"), "a byte order mark, as Microsoft writes one"
    return etree.fromstring(document[3:])


def certificates(document, role="IDPSSODescriptor"):
    return read(document).xpath(f"//md:{role}//ds:X509Certificate/text()", namespaces=MD)


def test_inactive_certificates_are_listed_too(service, signers):
    application = service.applications[0]
    assert set(certificates(service.metadata(application))) == {signer.base64 for signer in signers}
    application.activate(signers[1])
    assert application.signer is signers[1] and signers[1] not in application.standby
    assert set(certificates(service.metadata(application))) == {signer.base64 for signer in signers}


def test_the_tenants_document_lacks_the_applications_certificates(service, signers):
    assert certificates(service.metadata()) == [signers[2].base64]


def test_the_document_of_all_tenants(service, signers):
    document = service.common_metadata()
    assert read(document).get("entityID") == "https://sts.windows.net/{tenantid}/"
    assert certificates(document) == [signers[2].base64]
    locations = read(document).xpath("//md:IDPSSODescriptor/md:SingleSignOnService/@Location", namespaces=MD)
    assert set(locations) == {"https://login.microsoftonline.com/common/saml2"}
    assert service.endpoint != locations[0]
    service.common = True
    assert service.endpoint == locations[0]


def test_an_appended_issuer_is_the_tenants_and_more(service):
    tenant = AppendedIssuer(application_id="app", signer=service.tenant.signer)
    assert tenant.issuer == service.tenant.issuer + "app"
    assert b'entityID="https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/app"' in Service(
        service.applications, tenant=tenant
    ).metadata(service.applications[0])
