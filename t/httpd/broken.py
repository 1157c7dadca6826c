# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations that cannot work, and what httpd -t says of each."""

from lxml import etree

from entra import names
from server import ORIGIN

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
    "pass some cookies": ("EntraSAMLPassCookies", "config-value", "EntraSAMLPassCookies some", {}),
    "claim name taken": ("EntraSAMLClaim", "config-claim", "EntraSAMLClaim http://x/y groups", {}),
    "claim name odd": ("EntraSAMLClaim", "config-claim", "EntraSAMLClaim http://x/y Cost-Centre", {}),
    "claim without name": ("EntraSAMLClaim", "config-claim", "EntraSAMLClaim http://x/y", {}),
    "remote user odd": ("EntraSAMLRemoteUser", "config-claim", "EntraSAMLRemoteUser E-Mail", {}),
    "remote user regex": ("EntraSAMLRemoteUserMatch", "config-remote-user", 'EntraSAMLRemoteUserMatch "(.+" $1', {}),
    "remote user group": ("EntraSAMLRemoteUserMatch", "config-remote-user", 'EntraSAMLRemoteUserMatch "(.+)" $2', {}),
    "remote user nothing": ("EntraSAMLRemoteUserMatch", "config-remote-user", "EntraSAMLRemoteUserMatch .+", {}),
    "remote user empty": ("EntraSAMLRemoteUserMatch", "config-remote-user", 'EntraSAMLRemoteUserMatch .+ ""', {}),
    "lower case maybe": ("EntraSAMLRemoteUserLowerCase", "config-value", "EntraSAMLRemoteUserLowerCase maybe", {}),
    "no domain": ("EntraSAMLRemoteUserStripDomain", "config-remote-user", "EntraSAMLRemoteUserStripDomain @x.test", {}),
    "any domain of two tenants": (
        "EntraSAMLRemoteUserStripDomain",
        "config-remote-user",
        f"EntraSAMLRemoteUserStripDomain On\nEntraSAMLAllowedTenants {TENANT} {TENANT[:-1]}5",
        {},
    ),
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
