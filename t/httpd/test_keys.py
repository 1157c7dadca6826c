# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing certificates, issuers, audiences and tenants: what the metadata says, and the directives that add to it."""

import pytest

from entra import Application, Signer, Tenant, names
from entra.service import Service
from entra.tenants import AppendedIssuer
from programs import ENVIRONMENT
from reasons import assert_refusal
from server import ORIGIN
from visitor import Visitor

ENV = f"{ORIGIN}/cgi-bin/env"
SECTION = '<Location "/">\n    AuthType entra-saml\n    Require valid-user\n</Location>'
FABRIKAM = "2f277f1e-e5f1-4f62-b595-79c2d13afda4"


@pytest.fixture(scope="module")
def signers():
    """Three certificates: RSA keys take their time."""
    return [Signer() for _ in range(3)]


def enterprise_application(signer, identifiers=(f"{ORIGIN}/saml/metadata",), **options):
    return Application(list(identifiers), [f"{ORIGIN}/saml/acs"], signer=signer, **options)


@pytest.fixture
def make_visitor(httpd, service):
    return lambda: Visitor(httpd.network, service)


def unknown_key(httpd, visitor):
    """The log line of a sign-in whose key nothing makes known: once it starts anew, then it is refused."""
    asked = visitor.ask(ENV)
    line = refused(httpd, visitor.finish(asked, rounds=1), "signature-key-unknown")
    assert len(httpd.log.find("signature-key-unknown")) == 2
    return line


def refused(httpd, page, code):
    """The one log line of this refusal, as a user met it."""
    httpd.log.expect(code)
    assert_refusal(page, code, httpd.log.new())
    return httpd.log.find(code)[-1]


class TestSeveralCertificates:
    """The document lists active and inactive ones; any of them may sign, whatever their order."""

    @pytest.fixture(scope="class")
    def service(self, signers):
        return Service([enterprise_application(signers[0], standby=[signers[1]])])

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd, service):
        httpd = make_httpd(vhost=SECTION, metadata=service.metadata(service.applications[0]))
        httpd.script("env", ENVIRONMENT)
        return httpd

    def test_the_administrator_activates_the_new_one(self, make_visitor, service, signers):
        assert make_visitor().sign_in(ENV).status == 200
        service.applications[0].activate(signers[1])
        assert make_visitor().sign_in(ENV).status == 200

    def test_a_certificate_that_came_later_is_unknown(self, httpd, visitor, service, signers):
        service.applications[0].activate(signers[2])
        line = unknown_key(httpd, visitor)
        assert all(signer.thumbprint in line for signer in signers), "of both sides"
        assert "?appid=" not in line


def test_the_tenants_metadata_instead_of_the_applications(make_httpd, signers):
    """The commonest mistake is told from any other unknown key."""
    service = Service([enterprise_application(signers[0])])
    httpd = make_httpd(vhost=SECTION, metadata=service.metadata())
    line = unknown_key(httpd, Visitor(httpd.network, service))
    assert signers[0].thumbprint in line and service.tenant.signer.thumbprint in line
    assert "App Federation Metadata Url" in line and "?appid=" in line


class TestAllowedTenants:
    """An application of several organisations: the document of all of them, and the list."""

    @pytest.fixture(scope="class")
    def service(self):
        tenant = Tenant()
        service = Service([enterprise_application(tenant.signer)], tenant=tenant)
        service.common = True
        return service

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd, service):
        list_ = f"EntraSAMLAllowedTenants {service.tenant.tenant_id} {FABRIKAM.upper()}"
        httpd = make_httpd(vhost=f"{list_}\n{SECTION}", metadata=service.common_metadata())
        httpd.script("env", ENVIRONMENT)
        return httpd

    @pytest.fixture
    def of(self, service):
        """of(tenant id): the next user is that organisation's."""
        home = service.tenant

        def move(tenant_id):
            service.tenant = Tenant(tenant_id, signer=home.signer)

        yield move
        service.tenant = home

    def test_each_admitted_tenant_signs_in(self, make_visitor, of):
        seen = make_visitor().sign_in(ENV).json
        of(FABRIKAM)
        other = make_visitor().sign_in(ENV).json
        assert seen["ENTRA_TENANTID"] == "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
        assert other["ENTRA_TENANTID"] == FABRIKAM

    def test_any_other_is_refused_by_name(self, httpd, visitor, of):
        of("682febe8-021b-4fde-ac09-e60085f05181")
        line = refused(httpd, visitor.sign_in(ENV), "tenant-refused")
        assert "682febe8-021b-4fde-ac09-e60085f05181" in line
        assert visitor.session is None

    def test_the_issuer_is_the_tenants_own(self, httpd, visitor):
        """Both tenants are admitted, and yet neither can speak for the other."""
        line = refused(httpd, visitor.sign_in(ENV, change=speaking_for(FABRIKAM)), "response-issuer")
        assert FABRIKAM in line

    def test_without_the_claim_nobody_can_tell(self, httpd, visitor):
        refused(httpd, visitor.sign_in(ENV, change=drop_tenant_claim), "tenant-missing")


def drop_tenant_claim(said):
    said.attributes = [(name, values) for name, values in said.attributes if name != names.TENANT_ID]


def speaking_for(tenant_id):
    """A response of the tenant at home, with the issuer of another."""

    def change(said):
        said.issuer = Tenant(tenant_id, signer=said.signer).issuer

    return change


class TestIssuer:
    """EntraSAMLIssuer: "append application ID to issuer", in whatever form Entra writes it."""

    @pytest.fixture(scope="class")
    def service(self, signers):
        return Service([enterprise_application(signers[0])])

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd, service):
        issuer = f"EntraSAMLIssuer {service.tenant.issuer}c1d2e3f4"
        httpd = make_httpd(vhost=f"{issuer}\n{SECTION}", metadata=service.metadata(service.applications[0]))
        httpd.script("env", ENVIRONMENT)
        return httpd

    def test_the_directive_counts_and_not_the_metadata(self, httpd, make_visitor, service):
        refused(httpd, make_visitor().sign_in(ENV), "response-issuer")
        home, service.tenant = service.tenant, AppendedIssuer(signer=service.tenant.signer, application_id="c1d2e3f4")
        try:
            assert make_visitor().sign_in(ENV).status == 200
        finally:
            service.tenant = home


class TestAudience:
    """EntraSAMLAudience: several identifiers, opaque; the one that is sent is the entity ID."""

    OLD = ["urn:amazon:cognito:sp:eu-west-1_AbC", "https://x.example:443/saml/metadata", "c1d2e3f4"]

    @pytest.fixture(scope="class")
    def service(self, signers):
        return Service([enterprise_application(signers[0])])

    @pytest.fixture(scope="class")
    def httpd(self, make_httpd, service):
        audiences = "EntraSAMLAudience " + " ".join(self.OLD)
        httpd = make_httpd(vhost=f"{audiences}\n{SECTION}", metadata=service.metadata(service.applications[0]))
        httpd.script("env", ENVIRONMENT)
        return httpd

    @pytest.mark.parametrize("audience", [*OLD, "spn:c1d2e3f4"])
    def test_each_is_accepted(self, visitor, audience):
        assert visitor.sign_in(ENV, change=saying(audience)).status == 200

    @pytest.mark.parametrize("audience", ["urn:amazon:cognito:sp:eu-west-1_abc", "https://x.example/saml/metadata"])
    def test_octet_by_octet(self, httpd, visitor, audience):
        assert audience in refused(httpd, visitor.sign_in(ENV, change=saying(audience)), "audience")


def saying(audience):
    def change(said):
        said.audience = audience

    return change



def test_an_explicit_port_is_kept(make_httpd, signers):
    """Identifier and reply URL with :443, as some applications are registered: sent, expected and compared as they are."""
    identifier, reply_url = (f"{ORIGIN}:443/saml/{name}" for name in ("metadata", "acs"))
    service = Service([Application([identifier], [reply_url], signer=signers[0])])
    httpd = make_httpd(
        vhost=f"EntraSAMLEntityID {identifier}\nEntraSAMLReplyURL {reply_url}\n{SECTION}",
        metadata=service.metadata(service.applications[0]),
    )
    httpd.script("env", ENVIRONMENT)
    httpd.network.places[f"{ORIGIN}:443"] = httpd.network.places[ORIGIN]
    visitor = Visitor(httpd.network, service)
    form = visitor.answer(visitor.ask(ENV))
    assert form.action == reply_url
    assert visitor.submit(form).json["ENTRA_TENANTID"] == service.tenant.tenant_id
    other = Visitor(httpd.network, service)
    refused(httpd, other.sign_in(ENV, change=saying(f"{ORIGIN}/saml/metadata")), "audience")
