# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 2: httpd -t fails on every configuration that cannot work, naming file, line and remedy; what works passes."""

import time

import pytest
from lxml import etree

from entra import Signer, names
from reasons import REASONS
from server import ENTRA, ORIGIN, PLAIN_ORIGIN
from visitor import Visitor

SECTION = '<Location "/">\n    AuthType entra-saml\n    Require valid-user\n</Location>'


TENANT = "7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34"
BY_TENANT = f"EntraSAMLTenant {TENANT}\nEntraSAMLApplication 2f0e7d1c-53a6-4f1b-9d52-0c1b8a7e6d54\n"


def without(xpath):
    """Metadata with some elements taken out."""

    def change(document):
        root = etree.fromstring(document.lstrip(b"\xef\xbb\xbf"))
        found = root.xpath(xpath, namespaces={"md": names.METADATA, "ds": names.XMLDSIG})
        assert found
        for element in found:
            element.getparent().remove(element)
        return etree.tostring(root)

    return change


def replaced(old, new):
    def change(document):
        assert old in document
        return document.replace(old, new)

    return change


# name: (directive or other text of the line to blame, reason, lines of the virtual host, what else)
BROKEN = {
    "metadata missing": ("AuthType", "config-section", SECTION, {"entra": ""}),
    "metadata forgotten": ("EntraSAMLEntityID", "metadata-missing", "EntraSAMLEntityID urn:x", {"entra": ""}),
    "no such file": ("EntraSAMLMetadata", "metadata-unreadable", SECTION, {"entra": "EntraSAMLMetadata nowhere.xml"}),
    "a folder": ("EntraSAMLMetadata", "metadata-unreadable", SECTION, {"entra": 'EntraSAMLMetadata "${ROOT}"'}),
    "an empty file": ("EntraSAMLMetadata", "metadata-invalid", SECTION, {"document": lambda _: b""}),
    "garbage": ("EntraSAMLMetadata", "metadata-invalid", SECTION, {"document": lambda _: b"\0\1garbage" * 1000}),
    "half a file": ("EntraSAMLMetadata", "metadata-invalid", SECTION, {"document": lambda all: all[: len(all) // 2]}),
    "a web page": ("EntraSAMLMetadata", "metadata-invalid", SECTION, {"document": lambda _: b"<html>Sign in</html>"}),
    "no SAML role": (
        "EntraSAMLMetadata",
        "metadata-no-role",
        SECTION,
        {"document": without("//md:IDPSSODescriptor")},
    ),
    "no key": (
        "EntraSAMLMetadata",
        "metadata-no-key",
        SECTION,
        {"document": without("//md:IDPSSODescriptor/md:KeyDescriptor")},
    ),
    "no address": (
        "EntraSAMLMetadata",
        "metadata-no-endpoint",
        SECTION,
        {"document": without("//md:SingleSignOnService")},
    ),
    "an http address": (
        "EntraSAMLMetadata",
        "metadata-no-endpoint",
        SECTION,
        {"document": replaced(b"https://login.", b"http://login.")},
    ),
    "the common document": (
        "EntraSAMLMetadata",
        "metadata-common",
        SECTION,
        {"document": replaced(b'entityID="https://sts.windows.net/', b'entityID="https://sts.windows.net/{tenantid}/')},
    ),
    "an issuer of all tenants": ("EntraSAMLMetadata", "metadata-common", "EntraSAMLIssuer https://x/{tenantid}/", {}),
    "issuer with blank": ("EntraSAMLIssuer", "config-issuer", 'EntraSAMLIssuer "two words"', {}),
    "audience with blank": ("EntraSAMLAudience", "config-audience", 'EntraSAMLAudience urn:x "two words"', {}),
    "a tenant by domain": ("EntraSAMLAllowedTenants", "config-tenants", "EntraSAMLAllowedTenants contoso.com", {}),
    "http base URL": ("EntraSAMLBaseURL", "config-base-url", "EntraSAMLBaseURL http://app.example.test", {}),
    "base URL with path": ("EntraSAMLBaseURL", "config-base-url", "EntraSAMLBaseURL https://app.example.test/app", {}),
    "base URL garbage": ("EntraSAMLBaseURL", "config-base-url", "EntraSAMLBaseURL app.example.test", {}),
    "entity ID with blank": ("EntraSAMLEntityID", "config-entity-id", 'EntraSAMLEntityID "two words"', {}),
    "entity ID too long": ("EntraSAMLEntityID", "config-entity-id", "EntraSAMLEntityID " + "x" * 1025, {}),
    "reply URL elsewhere": (
        "EntraSAMLReplyURL",
        "config-reply-url",
        "EntraSAMLReplyURL https://other.example.test/saml/acs",
        {},
    ),
    "reply URL by http": ("EntraSAMLReplyURL", "config-reply-url", f"EntraSAMLReplyURL http{ORIGIN[5:]}/acs", {}),
    "reply URL with query": ("EntraSAMLReplyURL", "config-reply-url", "EntraSAMLReplyURL /acs?x=1", {}),
    "clash": ("EntraSAMLReplyURL", "config-clash", "EntraSAMLReplyURL /saml/logout", {}),
    "default page clash": ("EntraSAMLDefaultPage", "config-clash", "EntraSAMLDefaultPage /saml/acs", {}),
    "relative path": ("EntraSAMLPath", "config-path", "EntraSAMLPath saml", {}),
    "dots in the path": ("EntraSAMLPath", "config-path", "EntraSAMLPath /a/../saml", {}),
    "default page elsewhere": ("EntraSAMLDefaultPage", "config-path", "EntraSAMLDefaultPage //evil.test/", {}),
    "skew too large": ("EntraSAMLClockSkew", "config-time", "EntraSAMLClockSkew 1h", {}),
    "skew without number": ("EntraSAMLClockSkew", "config-time", "EntraSAMLClockSkew soon", {}),
    "lifetime zero": ("EntraSAMLSessionLifetime", "config-time", "EntraSAMLSessionLifetime 0", {}),
    "lifetime too long": ("EntraSAMLSessionLifetime", "config-time", "EntraSAMLSessionLifetime 31d", {}),
    "idle unit": ("EntraSAMLSessionIdle", "config-time", "EntraSAMLSessionIdle 3weeks", {}),
    "limit garbage": ("EntraSAMLResponseLimit", "config-value", "EntraSAMLResponseLimit lots", {}),
    "a condition without its mark": (
        "EntraSAMLUnauthenticated",
        "config-value",
        "EntraSAMLUnauthenticated 401 \"%{HTTP_HOST} == 'x'\"",
        {},
    ),
    "a condition that does not parse": (
        "EntraSAMLUnauthenticated",
        "config-value",
        "EntraSAMLUnauthenticated 401 \"expr=%{HTTP_HOST} ==\"",
        {},
    ),
    "a condition's regex": (
        "EntraSAMLUnauthenticated",
        "config-value",
        "EntraSAMLUnauthenticated 401 \"expr=%{HTTP_HOST} =~ /(/\"",
        {},
    ),
    "a condition's choice": (
        "EntraSAMLUnauthenticated",
        "config-value",
        'EntraSAMLUnauthenticated maybe "expr=true"',
        {},
    ),
    "a condition too many": (
        "EntraSAMLUnauthenticated",
        "config-value",
        'EntraSAMLUnauthenticated 401 "expr=true" "expr=false"',
        {},
    ),
    "preflight unknown": ("EntraSAMLPreflight", "config-value", "EntraSAMLPreflight maybe", {}),
    "session cookie strict": ("EntraSAMLSessionCookie", "config-value", "EntraSAMLSessionCookie Strict", {}),
    "unknown choice": ("EntraSAMLUnauthenticated", "config-value", "EntraSAMLUnauthenticated maybe", {}),
    "claim name taken": ("EntraSAMLClaim", "config-claim", "EntraSAMLClaim http://x/y groups", {}),
    "claim name odd": ("EntraSAMLClaim", "config-claim", "EntraSAMLClaim http://x/y Cost-Centre", {}),
    "claim without name": ("EntraSAMLClaim", "config-claim", "EntraSAMLClaim http://x/y", {}),
    "remote user odd": ("EntraSAMLRemoteUser", "config-claim", "EntraSAMLRemoteUser E-Mail", {}),
    "template missing": ("EntraSAMLPageTemplate", "config-template", "EntraSAMLPageTemplate nowhere.html", {}),
    "template without text": (
        "EntraSAMLPageTemplate",
        "config-template",
        'EntraSAMLPageTemplate "${ROOT}/httpd.conf"',
        {},
    ),
    "no rule": ("AuthType", "config-section", '<Location "/">\nAuthType entra-saml\n</Location>', {}),
    "bad regex": ("Require claim", "config-regex", SECTION.replace("valid-user", "claim groups~("), {}),
    "bad rule": ("Require claim", "config-rule", SECTION.replace("valid-user", "claim groups"), {}),
    "empty rule": ("Require claim", "config-rule", SECTION.replace("valid-user", "claim"), {}),
    "bad rule by our own name": (
        "Require entra-claim",
        "config-regex",
        SECTION.replace("valid-user", "entra-claim a~["),
        {},
    ),
    "metadata by http": (
        "EntraSAMLMetadata",
        "config-value",
        SECTION,
        {"entra": "EntraSAMLMetadata http://login.microsoftonline.com/x"},
    ),
    "metadata by nothing": ("EntraSAMLMetadata", "config-value", SECTION, {"entra": "EntraSAMLMetadata https://"}),
    "metadata with a password": ("EntraSAMLMetadata", "config-value", SECTION, {"entra": "EntraSAMLMetadata https://a:b@example.org/x"}),
    "metadata with a fragment": ("EntraSAMLMetadata", "config-value", SECTION, {"entra": "EntraSAMLMetadata https://example.org/#x"}),
    "metadata of no port": ("EntraSAMLMetadata", "config-value", SECTION, {"entra": "EntraSAMLMetadata https://example.org:99999/x"}),
    "metadata of no host": ("EntraSAMLMetadata", "config-value", SECTION, {"entra": "EntraSAMLMetadata https:///x"}),
    "no application": ("EntraSAMLTenant", "metadata-missing", SECTION, {"entra": f"EntraSAMLTenant {TENANT}"}),
    "no tenant": ("EntraSAMLApplication", "metadata-missing", SECTION, {"entra": f"EntraSAMLApplication {TENANT}"}),
    "odd application": (
        "EntraSAMLApplication",
        "config-tenant",
        SECTION,
        {"entra": f"EntraSAMLTenant {TENANT}\nEntraSAMLApplication payroll"},
    ),
    "unknown cloud": ("EntraSAMLCloud", "config-value", SECTION, {"entra": BY_TENANT + "EntraSAMLCloud mars"}),
    "fetched too often": (
        "EntraSAMLMetadataRefresh",
        "config-time",
        SECTION,
        {"entra": BY_TENANT + "EntraSAMLMetadataRefresh 1min"},
    ),
    "no authorities": (
        "EntraSAMLMetadataCAFile",
        "config-authorities",
        SECTION,
        {"entra": BY_TENANT + "EntraSAMLMetadataCAFile nowhere.pem"},
    ),
    "authorities that are none": (
        "EntraSAMLMetadataCAFile",
        "config-authorities",
        SECTION,
        {"entra": BY_TENANT + "EntraSAMLMetadataCAFile entra.xml"},
    ),
    "proxy with password": (
        "EntraSAMLMetadataProxy",
        "config-value",
        SECTION,
        {"entra": BY_TENANT + "EntraSAMLMetadataProxy http://me:secret@proxy:3128"},
    ),
    "signer that is none": (
        "EntraSAMLMetadataSigner",
        "config-signer",
        SECTION,
        {"entra": BY_TENANT + "EntraSAMLMetadataSigner 1234"},
    ),
    "another signer": (
        "EntraSAMLMetadataSigner",
        "metadata-signer",
        "EntraSAMLMetadataSigner " + "0" * 40 + "\n" + SECTION,
        {},
    ),
    "another tenant": (
        "EntraSAMLTenant",
        "metadata-tenant",
        "EntraSAMLTenant 00000000-1111-2222-3333-444444444444\n" + SECTION,
        {},
    ),
    # What needs no metadata is judged without.
    "a fault beside an address": (
        "EntraSAMLBaseURL",
        "config-base-url",
        "EntraSAMLBaseURL http://app.example.test",
        {"entra": BY_TENANT},
    ),
    "too little memory": ("EntraSAMLSharedMemory 1M", "config-value", SECTION, {"server": "EntraSAMLSharedMemory 1M"}),
    "too little to preserve in": (
        "EntraSAMLPreserveMemory",
        "config-value",
        SECTION,
        {"server": "EntraSAMLPreserveMemory 32K"},
    ),
    "more to preserve than half": (
        "EntraSAMLPreserveMemory",
        "config-preserve",
        SECTION,
        {"server": "EntraSAMLPreserveMemory 5M"},
    ),
    "forms too large for a quarter": (
        "EntraSAMLPreservePost",
        "config-preserve",
        SECTION.replace("</", "EntraSAMLPreservePost 200K\n</"),
        {"server": "EntraSAMLPreserveMemory 512K"},
    ),
    "no size of forms": ("EntraSAMLPreservePost", "config-value", "EntraSAMLPreservePost On", {}),
    "forms larger than any": ("EntraSAMLPreservePost", "config-value", "EntraSAMLPreservePost 2M", {}),
    "unknown way when full": ("EntraSAMLWhenFull", "config-value", SECTION, {"server": "EntraSAMLWhenFull panic"}),
    "too many sessions": ("EntraSAMLSessionsPerUser", "config-value", "EntraSAMLSessionsPerUser 1001", {}),
    # What applications get: names that mean something else, two things under one name.
    "header that is no token": ("EntraSAMLHeader", "config-name", 'EntraSAMLHeader "X User" user', {}),
    "header of the connection": ("EntraSAMLHeader", "config-name", "EntraSAMLHeader Transfer-Encoding user", {}),
    "header Host": ("EntraSAMLHeader", "config-name", "EntraSAMLHeader host name", {}),
    "header Authorization": ("EntraSAMLHeader", "config-name", "EntraSAMLHeader Authorization name base64", {}),
    "header Cookie": ("EntraSAMLHeader", "config-name", "EntraSAMLHeader Cookie name", {}),
    "header like one": ("EntraSAMLHeader", "config-name", "EntraSAMLHeader Content_Length name", {}),
    "header without claim": ("EntraSAMLHeader", "config-export", "EntraSAMLHeader X-Name", {}),
    "header with a fourth word": ("EntraSAMLHeader", "config-value", "EntraSAMLHeader X-Name name utf8 yes", {}),
    "header of no claim": ("EntraSAMLHeader", "config-export", 'EntraSAMLHeader X-Name "display name"', {}),
    "header of a variable": ("EntraSAMLHeader", "config-export", "EntraSAMLHeader X-Cut headers_missing", {}),
    "unknown encoding": ("EntraSAMLHeader", "config-export", "EntraSAMLHeader X-Name name latin1", {}),
    "all of X-": ("EntraSAMLHeaderPrefix", "config-name", "EntraSAMLHeaderPrefix X-", {}),
    "header prefix with blank": ("EntraSAMLHeaderPrefix", "config-name", 'EntraSAMLHeaderPrefix "X Entra-"', {}),
    "header prefix unfinished": ("EntraSAMLHeaderPrefix", "config-name", "EntraSAMLHeaderPrefix X-Entra", {}),
    "header limit": ("EntraSAMLHeaderLimit", "config-value", "EntraSAMLHeaderLimit 1M", {}),
    "variable PATH": ("EntraSAMLEnv", "config-name", "EntraSAMLEnv name PATH", {}),
    "variable REMOTE_USER": ("EntraSAMLEnv", "config-name", "EntraSAMLEnv name REMOTE_USER", {}),
    "variable HTTP_": ("EntraSAMLEnv", "config-name", "EntraSAMLEnv name HTTP_X_NAME", {}),
    "variable LD_PRELOAD": ("EntraSAMLEnv", "config-name", "EntraSAMLEnv name LD_PRELOAD", {}),
    "variable with hyphen": ("EntraSAMLEnv", "config-name", "EntraSAMLEnv name MY-NAME", {}),
    "variable of the user": ("EntraSAMLEnv", "config-export", "EntraSAMLEnv user WHO", {}),
    "variable prefix HTTP_": ("EntraSAMLEnvPrefix", "config-name", "EntraSAMLEnvPrefix HTTP_", {}),
    "no variable prefix": ("EntraSAMLEnvPrefix", "config-value", 'EntraSAMLEnvPrefix ""', {}),
    "unknown form of values": ("EntraSAMLEnvValues", "config-value", "EntraSAMLEnvValues json", {}),
    "all and more": ("EntraSAMLExport all", "config-export", "EntraSAMLExport all groups", {}),
    "none after some": ("EntraSAMLExport none", "config-export", "EntraSAMLExport groups\nEntraSAMLExport none", {}),
    "some after none": ("EntraSAMLExport groups", "config-export", "EntraSAMLExport none\nEntraSAMLExport groups", {}),
    "one header twice": ("EntraSAMLHeader x_a", "config-export", "EntraSAMLHeader X-A name\nEntraSAMLHeader x_a groups", {}),
    "one header's companion": (
        "EntraSAMLHeader X-A-Missing",
        "config-export",
        "EntraSAMLHeader X-A groups\nEntraSAMLHeader X-A-Missing name",
        {},
    ),
    "a header of the prefix": (
        "EntraSAMLHeader X-Entra",
        "config-export",
        "EntraSAMLHeaderPrefix X-Entra-\nEntraSAMLHeader X-Entra-Groups roles",
        {},
    ),
    "one variable twice": ("EntraSAMLEnv roles", "config-export", "EntraSAMLEnv groups A\nEntraSAMLEnv roles a", {}),
    "one claim twice": ("EntraSAMLEnv groups B", "config-export", "EntraSAMLEnv groups A\nEntraSAMLEnv groups B", {}),
    "another claim's variable": ("EntraSAMLEnv roles", "config-export", "EntraSAMLEnv roles ENTRA_GROUPS", {}),
    "another alias's variable": (
        "EntraSAMLEnv roles",
        "config-export",
        "EntraSAMLClaim http://x/y centre\nEntraSAMLEnv roles entra_centre",
        {},
    ),
    "our own variable": ("EntraSAMLEnv roles", "config-export", "EntraSAMLEnv roles ENTRA_GROUPS_OVERAGE", {}),
    "another claim's index": (
        "EntraSAMLEnv roles",
        "config-export",
        "EntraSAMLEnvValues both\nEntraSAMLEnv roles ENTRA_GROUPS_1",
        {},
    ),
    "in a section too": (
        "EntraSAMLHeader Host",
        "config-name",
        '<Location "/">\nAuthType entra-saml\nRequire valid-user\nEntraSAMLHeader Host user\n</Location>',
        {},
    ),
    "sessions with a unit": ("EntraSAMLSessionsPerUser", "config-value", "EntraSAMLSessionsPerUser 1K", {}),
}


@pytest.fixture
def make(make_httpd, entra):
    def make(vhost, document=lambda document: document, **options):
        metadata = document(entra.metadata(entra.applications[0]))
        return make_httpd(start=False, vhost=vhost, metadata=metadata, **options)

    return make


def configtest(httpd):
    """httpd -t, which never takes long."""
    started = time.monotonic()
    outcome = httpd.configtest()
    assert time.monotonic() - started < 5
    return outcome


@pytest.mark.parametrize("name", BROKEN)
def test_broken(make, name):
    blamed, code, vhost, options = BROKEN[name]
    httpd = make(vhost, **options)
    status, printed = configtest(httpd)
    assert status != 0, printed
    assert f"reason={code}:" in printed, printed
    assert f"line {httpd.line_of(blamed)} of {httpd.root}/httpd.conf" in printed, printed
    assert REASONS[code].remedy in printed, printed
    assert not (httpd.root / "state").exists(), "httpd -t writes no file"


@pytest.mark.parametrize("name", ["no such file", "bad regex", "http base URL"])
def test_a_broken_configuration_does_not_start(make, name):
    _, code, vhost, options = BROKEN[name]
    httpd = make(vhost, **options)
    with pytest.raises(AssertionError, match=f"reason={code}"):
        httpd.start()


def test_a_weak_key_is_no_key(make, entra):
    """RSA below 2,048 bits."""
    weak = Signer(bits=1024)
    document = entra.metadata(entra.applications[0]).replace(
        entra.applications[0].signer.base64.encode(), weak.base64.encode()
    )
    httpd = make(SECTION, document=lambda _: document)
    status, printed = configtest(httpd)
    assert status != 0 and "reason=metadata-no-key" in printed


SHARED = 'EntraSAMLMetadata "${ROOT}/entra.xml"\nEntraSAMLEntityID urn:shared\n'


@pytest.mark.parametrize(
    "other",
    [
        "EntraSAMLRemoteUser displayname",
        "EntraSAMLClaim http://x/y role_x",
        "EntraSAMLAllowedTenants 7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34",
        "EntraSAMLAudience urn:y",
    ],
)
def test_hosts_that_share_sessions_agree(make, other):
    """A session of one is good in the other: whoever may choose his display name here must not be anybody there."""
    mine = "EntraSAMLEntityID urn:shared\nEntraSAMLRemoteUser name\nEntraSAMLClaim http://x/z role_x\n"
    status, printed = configtest(make(mine + SECTION, plain=SHARED + mine.split("\n", 1)[1]))
    assert status == 0, printed
    status, printed = configtest(make(mine + SECTION, plain=SHARED + other))
    assert status != 0 and REASONS["config-shared"].remedy in printed, printed


def test_every_fault_is_told_at_once(make):
    httpd = make("EntraSAMLBaseURL http://x\n" + '<Location "/a">\nAuthType entra-saml\n</Location>')
    status, printed = configtest(httpd)
    assert status != 0 and "reason=config-base-url" in printed and "reason=config-section" in printed


@pytest.mark.parametrize("cloud", ["public", "usgov", "china"])
def test_the_tenants_own_address(make, cloud):
    """Judged without asking anybody: there is no network in httpd -t."""
    status, printed = configtest(make(SECTION, entra=BY_TENANT + f"EntraSAMLCloud {cloud}"))
    assert status == 0, printed


def test_hosts_that_will_share_sessions_agree_on_names(make):
    """Also before their metadata is there."""
    host = BY_TENANT + "EntraSAMLEntityID urn:shared\n"
    status, printed = configtest(make(SECTION, entra=host, plain=host + "EntraSAMLRemoteUser displayname"))
    assert status != 0 and REASONS["config-shared"].remedy in printed, printed


HIDER = """\
#include <httpd.h>
#include <http_config.h>

static void hooks(apr_pool_t *pool)
{
    module *watchdog = ap_find_linked_module("mod_watchdog.c");

    if (watchdog) {
        watchdog->name += 4; /* "watchdog.c": a text of httpd's own, since this module is unloaded and loaded again */
    }
}

module AP_MODULE_DECLARE_DATA hider_module = { STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks };
"""


@pytest.fixture(scope="module")
def no_watchdog(tools, tmp_path_factory):
    """Options of a server without mod_watchdog. Debian's httpd has it built in: there a module of the test's takes it out of
    the list in which everybody looks for it."""
    if "watchdog" not in tools.builtin:
        return {"without": ("watchdog",)}
    folder = tmp_path_factory.mktemp("hider")
    source, module = folder / "mod_hider.c", folder / "mod_hider.so"
    source.write_text(HIDER)
    tools.compile(source, module)
    return {"server": f'LoadModule hider_module "{module}"'}


def test_an_address_needs_mod_watchdog(make, no_watchdog):
    httpd = make(SECTION, entra=BY_TENANT, **no_watchdog)
    status, printed = configtest(httpd)
    assert status != 0 and "reason=config-watchdog:" in printed and REASONS["config-watchdog"].remedy in printed
    assert f"line {httpd.line_of('EntraSAMLTenant')} of {httpd.root}/httpd.conf" in printed, printed
    status, printed = configtest(make(SECTION, entra=BY_TENANT))
    assert status == 0, printed


def test_a_file_does_without_mod_watchdog(make, no_watchdog, entra):
    httpd = make(SECTION, **no_watchdog)
    httpd.page("index.html", "here")
    status, printed = configtest(httpd)
    assert status == 0, printed
    assert Visitor(httpd.start().network, entra).sign_in(f"{ORIGIN}/").text == "here"


def test_main_server_only(make):
    status, printed = configtest(make(SECTION + '\nEntraSAMLStateDirectory "${ROOT}/x"'))
    assert status != 0 and "EntraSAMLStateDirectory" in printed and "VirtualHost" in printed


def test_an_unknown_directive(make):
    status, printed = configtest(make(SECTION + "\nEntraSAMLNoSuchThing x"))
    assert status != 0 and "EntraSAMLNoSuchThing" in printed


@pytest.mark.parametrize(
    "directive", ["EntraSAMLSessionIdle 5s", "EntraSAMLUnauthenticated 401", "EntraSAMLEntityID x"]
)
def test_htaccess_may_not_say_everything(make, entra, directive):
    """What would change the trust or the names for the whole site is not for .htaccess."""
    httpd = make(SECTION)
    httpd.page("local/page.html", "PROTECTED")
    httpd.page("local/.htaccess", directive + "\n")
    httpd.start()
    visitor = Visitor(httpd.network, entra)
    page = visitor.open(f"{ORIGIN}/local/page.html")
    if visitor.at_entra(page):
        page = visitor.submit(visitor.answer(page))
    assert page.status == 500 and "PROTECTED" not in page.text
    httpd.expect("core:alert")


# --- What works ---------------------------------------------------------------------------------------

GOOD = {
    "one directive": SECTION,
    "everything": f"""
    EntraSAMLEntityID https://app.example.com:443/x
    EntraSAMLBaseURL https://App.Example.com:8443
    EntraSAMLPath /sso/entra
    EntraSAMLReplyURL https://app.example.com:8443/Shibboleth.sso/SAML2/POST
    EntraSAMLDefaultPage /start?x=1
    EntraSAMLClockSkew 5min
    EntraSAMLRemoteUser emailaddress upn name nameid
    EntraSAMLClaim http://example.com/claims/cost-centre costcentre
    EntraSAMLClaim Group team
    EntraSAMLResponseLimit 2M
    EntraSAMLSessionLifetime 12h
    EntraSAMLSessionIdle 30min
    EntraSAMLUnauthenticated auto
    {SECTION}
    <Directory "${{ROOT}}/htdocs">
        EntraSAMLSessionIdle 1s
        EntraSAMLSessionLifetime 30d
        EntraSAMLUnauthenticated redirect
    </Directory>
    <Files "secret">
        AuthType entra-saml
        Require claim groups:a roles~^b$ 'emailaddress:c d' http://example.com/claims/cost-centre:e
        EntraSAMLUnauthenticated 401
    </Files>""",
    "not used": "",
    "urn": SECTION + "\nEntraSAMLEntityID urn:amazon:cognito:sp:us-east-1_4jHsDgxlC",
    "if": SECTION + "\n<If \"true\">\nEntraSAMLSessionIdle 5min\nRequire claim a:b\n</If>",
}


@pytest.mark.parametrize("name", GOOD)
def test_good(make, name):
    httpd = make(GOOD[name])
    status, printed = configtest(httpd)
    assert status == 0, printed
    assert "entra_saml" not in printed
    httpd.start()


def test_metadata_of_the_tenant(make_httpd, entra):
    """The tenant's document loads too: its keys are those of applications without one of their own."""
    status, printed = configtest(make_httpd(start=False, vhost=SECTION, metadata=entra.metadata()))
    assert status == 0, printed


def test_without_any_directive_of_ours(make_httpd):
    """The module loaded and not used: nothing changes, no state directory appears."""
    httpd = make_httpd(entra="", vhost="")
    httpd.page("index.html", "index")
    assert httpd.browser().open(f"{ORIGIN}/").text == "index"
    assert not (httpd.root / "state").exists()
    assert httpd.browser().open(f"{ORIGIN}/saml/acs").status == 404


RIVAL = """\
#include <httpd.h>
#include <ap_provider.h>
#include <http_config.h>
#include <http_request.h>
#include <mod_auth.h>

static authz_status grant(request_rec *r, const char *line, const void *parsed)
{
    return AUTHZ_GRANTED;
}

static const authz_provider provider = { grant, NULL };

static void hooks(apr_pool_t *pool)
{
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "claim", AUTHZ_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

module AP_MODULE_DECLARE_DATA rival_module = { STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks };
"""


def test_a_module_that_takes_over_our_rules(make, tools, tmp_path):
    """Two modules can register `Require claim`, and the last one loaded judges: then httpd -t says so, and our own name
    for the rule still works."""
    source, module = tmp_path / "mod_rival.c", tmp_path / "mod_rival.so"
    source.write_text(RIVAL)
    tools.compile(source, module)
    load = f'LoadModule rival_module "{module}"'
    status, printed = configtest(make(SECTION.replace("valid-user", "claim roles:Editor"), server=load))
    assert status != 0 and "reason=config-provider:" in printed and REASONS["config-provider"].remedy in printed
    status, printed = configtest(make(SECTION.replace("valid-user", "entra-claim roles:Editor"), server=load))
    assert status == 0, printed


@pytest.mark.parametrize("where", ["main server", ".htaccess"])
def test_a_section_in_a_host_that_is_not_ours(make_httpd, where):
    """It cannot be judged beforehand: who comes by the other host gets 500, with the reason in the log, and no page."""
    section = SECTION.replace('"/"', '"/private"') if where == "main server" else ""
    httpd = make_httpd(server=section)
    httpd.page("private/page.html", "PROTECTED")
    if not section:
        httpd.page("private/.htaccess", "AuthType entra-saml\nRequire valid-user\n")
    page = httpd.browser().open(f"{PLAIN_ORIGIN}/private/page.html")
    assert page.status == 500 and "PROTECTED" not in page.text
    assert httpd.browser().open(f"{ORIGIN}/private/page.html").status == 303
    httpd.expect("config-section", 1)


def test_two_hosts_inherit_from_the_main_server(make_httpd, entra):
    httpd = make_httpd(entra="", server=ENTRA + "\n" + SECTION)
    assert Visitor(httpd.network, entra).ask(f"{ORIGIN}/").status == 303

