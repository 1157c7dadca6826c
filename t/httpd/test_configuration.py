# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 2: httpd -t fails on every configuration that cannot work, naming file, line and remedy; what works passes."""

import time

import pytest

from broken import BROKEN, BY_TENANT, SECTION
from entra import Signer
from reasons import REASONS
from server import ENTRA, ORIGIN, PLAIN_ORIGIN
from visitor import Visitor


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
        "EntraSAMLRemoteUser name\nEntraSAMLClaim http://x/z role_x\nEntraSAMLRemoteUserMatch (.+)@x $1",
        "EntraSAMLRemoteUser name\nEntraSAMLClaim http://x/z role_x\nEntraSAMLRemoteUserStripDomain x.test",
        "EntraSAMLRemoteUser name\nEntraSAMLClaim http://x/z role_x\nEntraSAMLRemoteUserLowerCase On",
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
    EntraSAMLRemoteUserMatch "(?i)(.+)@(contoso\\.com)" "$1@$2"
    EntraSAMLRemoteUserMatch ".+" "$0"
    EntraSAMLRemoteUserStripDomain contoso.com
    EntraSAMLRemoteUserLowerCase on
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

