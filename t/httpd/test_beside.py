# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside other modules in one server, each on a location of its own, loaded before us or after us: what they do, and what
we do, is what each does alone, at the start, over graceful restarts, until the end."""

import copy
import os
import re
import shutil

import pytest

import peers
from entra import Application
from entra.service import Service
from programs import ENVIRONMENT
from reasons import REASONS
from server import ORIGIN, Httpd
from visitor import Visitor

OURS = """
    ScriptAlias "/entra/cgi/" "${ROOT}/cgi-bin/"
    DirectoryIndex index.shtml
    <Location "/entra">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/entra/editors">
        Require entra-claim roles:Editor
    </Location>
    <Location "/entra/bob">
        Require user bob@contoso.example
    </Location>
"""
ALL = tuple(peers.KINDS)
# Every peer in either order, every MPM; who stands alone stands for what he does to us, all together for what they do
# to each other.
PLANS = [
    (("mellon",), "before", "event"),
    (("shib",), "after", "worker"),
    (("openidc",), "before", "worker"),
    (("form",), "after", "prefork"),
    (("firewall",), "after", "event"),
    (ALL, "before", "event"),
    (ALL, "after", "event"),
    (ALL, "before", "prefork"),
    (ALL, "after", "worker"),
]


class Alone(Httpd):
    """The same configuration without our module."""

    def configure(self, **text):
        super().configure(**text)
        file = self.root / "httpd.conf"
        lines = file.read_text("utf-8").replace(" entra_saml:info", "").splitlines()
        file.write_text("\n".join(line for line in lines if not re.search("entra_saml|EntraSAML", line)), "utf-8")


@pytest.fixture(scope="module")
def tenant(keys):
    """The lookalike, where mod_auth_mellon is registered too."""
    tenant, signer = keys
    ours = Application(
        identifiers=[f"{ORIGIN}/saml/metadata"], reply_urls=[f"{ORIGIN}/saml/acs"], logout_url=f"{ORIGIN}/saml/logout", signer=signer
    )
    theirs = Application(
        identifiers=[peers.Mellon.entity_id], reply_urls=[f"{ORIGIN}/mellon/endpoint/postResponse"], signer=signer
    )
    return Service([ours, theirs], tenant=tenant)


def gather(names):
    return [peers.KINDS[name]() for name in names]


@pytest.fixture
def run(tools, tenant, servers, request):
    """run(peers, kind=…, order=…, mpm=…) makes and starts a server with these peers before or after our module."""
    begun = []

    def run(who, kind=Httpd, order="before", mpm="event", vhost=OURS, prepare=None):
        lines = "\n".join(peers.load_lines(tools, who))
        httpd = kind(
            tools,
            before=lines if order == "before" else "",
            server="\n".join([lines if order == "after" else "", *(peer.server for peer in who)]),
            vhost="\n".join([vhost, *(peer.vhost for peer in who)]),
            mpm=mpm,
            metadata=tenant.metadata(tenant.applications[0]),
        )
        servers.append(httpd)
        httpd.page("entra/page.html", "OURS")
        httpd.page("entra/editors/page.html", "FOR EDITORS")
        httpd.page("entra/bob/page.html", "FOR BOB")
        httpd.page("entra/parts/index.shtml", '<!--#include virtual="/entra/page.html" --> <!--#echo var="REMOTE_USER" -->')
        httpd.script("env", ENVIRONMENT)
        for peer in who:
            peer.prepare(httpd)
            begun.append(peer)
            peer.begin(httpd)
        if prepare:
            prepare(httpd)
        return httpd.start()

    yield run
    for httpd in servers:
        httpd.stop()
    for peer in begun:
        peer.end()


def theirs(httpd, who, tenant):
    """What the peers answer."""
    return {peer.name: peer.answers(httpd, tenant) for peer in who}


def ours(httpd, tenant):
    """What we answer: strangers, programs, users, those of a rule, a forged message, a subrequest, who signs out."""
    httpd.log.tolerate_denials()
    httpd.log.tolerate("AH01663")  # mod_shib, in whose hands `user` is
    url = f"{ORIGIN}/entra"
    visitor, forger = Visitor(httpd.network, tenant), Visitor(httpd.network, tenant)
    pages = [visitor.open(f"{url}/page.html", follow=False), visitor.fetch(f"{url}/page.html")]
    pages.append(visitor.sign_in(f"{url}/cgi/env"))
    environment = pages[-1].json
    told = {name: environment[name] for name in environment if name.startswith("ENTRA_") or name in ("REMOTE_USER", "AUTH_TYPE")}
    assert Visitor(httpd.network, tenant).sign_in(f"{url}/page.html", "tess").text == "OURS"  # with as many groups as Entra sends
    for path in ("/page.html", "/editors/page.html", "/bob/page.html", "/parts/"):
        pages.append(visitor.open(url + path))
    forged = forger.submit(forger.answer(forger.ask(f"{url}/page.html"), change="signature-value"))
    httpd.refused(forged, "signature-value")
    pages += [forged, visitor.open(f"{ORIGIN}/saml/logout", initiator=url, follow=False), visitor.open(url, follow=False)]
    facts = [(*peers.summary(page), is_private(page), page.type) for page in pages]
    return sorted(told), told["REMOTE_USER"], told["AUTH_TYPE"], facts, [page.text for page in pages[3:7:3]]


def is_private(page):
    """One Cache-Control, which lets nobody share the page, whatever mod_session adds to it."""
    said = page.headers.get_all("Cache-Control")
    return len(said) == 1 and re.search("private|no-store", said[0]) is not None


@pytest.fixture(scope="module")
def alone():
    """What each does by itself, asked once: by the names of the peers, () for us."""
    return {}


def ask_alone(alone, run, tenant, names):
    for name in names:
        if name not in alone:
            who = gather([name])
            httpd = run(who, Alone, vhost="")
            alone[name] = theirs(httpd, who, tenant)[name]
            httpd.stop()
    if () not in alone:
        alone[()] = ours(run([]), tenant)
    return {name: alone[name] for name in names}


@pytest.mark.parametrize("names, order, mpm", PLANS, ids=lambda value: value if isinstance(value, str) else "+".join(value))
def test_as_each_does_alone(run, tenant, alone, names, order, mpm):
    expected = ask_alone(alone, run, tenant, names)
    who = gather(names)
    httpd = run(who, order=order, mpm=mpm)
    stays = Visitor(httpd.network, tenant)
    stays.sign_in(f"{ORIGIN}/entra/page.html")
    for _ in range(3 if names == ALL else 2):
        assert theirs(httpd, who, tenant) == expected
        assert ours(httpd, tenant) == alone[()]
        assert stays.open(f"{ORIGIN}/entra/page.html").text == "OURS"
        httpd.graceful()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_started_by_an_ordinary_user(run, tools, tenant, alone):
    """Everything is his, the state too. In the end shibd goes down, which mod_shib says and nobody else feels."""
    expected = ask_alone(alone, run, tenant, ALL)
    tools = copy.copy(tools)
    who = gather(ALL)

    def hand_over(httpd):
        httpd.tools = tools
        tools.certificate = shutil.copy(tools.certificate, httpd.root)
        tools.key = shutil.copy(tools.key, httpd.root)
        httpd.within = ["setpriv", f"--reuid={tools.user}", f"--regid={tools.group}", "--clear-groups"]
        for path in (httpd.root, *httpd.root.rglob("*")):
            shutil.chown(path, tools.user)

    httpd = run(who, prepare=hand_over)
    for _ in range(2):
        assert theirs(httpd, who, tenant) == expected
        assert ours(httpd, tenant) == alone[()]
        httpd.graceful()
    for path in (httpd.root / "state").iterdir():
        assert path.owner() == tools.user and not path.stat().st_mode & 0o077, path
    shibboleth = next(peer for peer in who if peer.name == "shib")
    shibboleth.end()
    assert shibboleth.ask(httpd).status == 500
    assert ours(httpd, tenant) == alone[()]


# --- who is asked in our sections ------------------------------------------------------------------------------


def test_mellon_names_nobody_in_our_sections(run, tenant):
    """With MellonEnable info it takes its own session's user wherever it finds one: after us, and before the rules."""
    section = """
    <Location "/entra/both">
        MellonEnable info
        MellonSecureCookie On
        MellonCookieSameSite None
        MellonEndpointPath /mellon/endpoint
        MellonIdPMetadataFile "${ROOT}/entra.xml"
    </Location>
    """
    httpd = run(gather(["mellon"]), vhost=OURS + section)
    httpd.page("entra/both/page.html", "OURS")
    httpd.page("entra/both/who.shtml", '<!--#echo var="REMOTE_USER" --> <!--#echo var="MELLON_NAME_ID" -->')
    visitor = Visitor(httpd.network, tenant)
    assert visitor.sign_in(f"{ORIGIN}/mellon/page.html", "ada").text == peers.TEXT
    asked = visitor.ask(f"{ORIGIN}/entra/both/page.html")
    assert visitor.submit(visitor.answer(asked, "tess")).text == "OURS"
    assert visitor.open(f"{ORIGIN}/entra/both/who.shtml").text.startswith("tess@contoso.example _")


@pytest.mark.parametrize("order", ["before", "after"])
def test_shibboleth_signs_nobody_in_for_our_sections(run, tenant, order):
    """requireSession from around the section holds in mod_shib whatever the AuthType says."""
    around = '<Location "/">\nShibRequestSetting requireSession 1\n</Location>'
    httpd = run([peers.Shibboleth(runs=False)], order=order, vhost=OURS + around)
    visitor = Visitor(httpd.network, tenant)
    assert visitor.sign_in(f"{ORIGIN}/entra/page.html").text == "OURS"
    assert visitor.open(f"{ORIGIN}/entra/bob/page.html").status == 403
    httpd.log.tolerate_denials()
    httpd.log.tolerate("AH01663")


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_claim_rule_of_htaccess_lets_nobody_in(run, tenant, order):
    """Of .htaccess nothing is known beforehand: `claim` is mod_auth_openidc's there too, and its answer is no."""
    folder = '<Directory "${ROOT}/htdocs/folder">\nAuthType entra-saml\nRequire valid-user\n</Directory>\n'
    httpd = run(gather(["openidc"]), order=order, vhost=folder)
    httpd.page("folder/page.html", "OURS")
    file = httpd.page("folder/.htaccess", "Require claim roles:Editor")
    visitor = Visitor(httpd.network, tenant)
    assert visitor.sign_in(f"{ORIGIN}/folder/page.html").status == 403
    file.write_text("Require entra-claim roles:Editor")
    assert visitor.open(f"{ORIGIN}/folder/page.html").text == "OURS"
    httpd.log.tolerate_denials()
    httpd.log.tolerate("auth_openidc:error", "auth_openidc:warn")


# --- what is said beforehand -------------------------------------------------------------------------------------


def section(*lines, path="/entra"):
    return "\n".join([f'<Location "{path}">', *lines, "</Location>", ""])


def entra(rule, *lines):
    return section("AuthType entra-saml", f"Require {rule}", *lines)


def mellon(*lines, path="/mellon"):
    return section('MellonIdPMetadataFile "${ROOT}/entra.xml"', *lines, path=path)


def openidc(address):
    return peers.OpenIDConnect.vhost.replace(f"{ORIGIN}/openidc/redirect", address)


VALID = entra("valid-user")
COMPAT = "ShibCompatValidUser On"
# peer: (lines of the virtual host, reason, directive to blame), or what passes: (lines, None, None)
CONFIGURATIONS = {
    "a claim rule": ("openidc", entra("claim roles:Editor"), "config-provider", "Require"),
    "a claim rule alone": ("openidc", section("Require claim roles:Editor"), "config-provider", "Require"),
    "our own name for it": ("openidc", entra("entra-claim roles:Editor"), None, None),
    "its own section": ("openidc", VALID + openidc("/openidc/redirect"), None, None),
    "our ACS": ("openidc", VALID + openidc(f"{ORIGIN}/saml/acs"), "config-clash", "OIDCRedirectURI"),
    "our sign-in": ("openidc", VALID + openidc("/saml/login"), "config-clash", "OIDCRedirectURI"),
    "below our path": ("openidc", VALID + openidc("/saml/openidc"), None, None),
    "valid-user": ("shib", VALID, "config-shibboleth", "Require"),
    "user": ("shib", entra("user ada@contoso.example"), "config-shibboleth", "Require"),
    "valid-user, Off": ("shib", VALID + "\nShibCompatValidUser Off", "config-shibboleth", "Require"),
    "valid-user, On": ("shib", f"{VALID}\n{COMPAT}", None, None),
    "a claim, no user": ("shib", entra("entra-claim roles:Editor"), None, None),
    "another's valid-user": ("shib", section("AuthType shibboleth", "Require valid-user", path="/shib"), None, None),
    "mellon's path is ours": ("mellon", VALID + mellon("MellonEndpointPath /saml"), "config-clash", "MellonEndpointPath"),
    "with a slash": ("mellon", VALID + mellon("MellonEndpointPath /saml/"), "config-clash", "MellonEndpointPath"),
    "mellon's path is below ours": ("mellon", VALID + mellon("MellonEndpointPath /saml/mellon"), None, None),
    "our ACS is mellon's": (
        "mellon",
        f"{VALID}EntraSAMLReplyURL /mellon/postResponse\n{mellon('MellonEndpointPath /mellon')}",
        "config-clash",
        "MellonEndpointPath",
    ),
    "mellon in our section": ("mellon", entra("valid-user", "MellonEnable auth"), "config-mellon", "AuthType"),
    "mellon around": ("mellon", VALID + mellon("MellonEnable auth", path="/"), "config-mellon", "AuthType"),
    "mellon around, off here": (
        "mellon",
        entra("valid-user", "MellonEnable off") + mellon("MellonEnable auth", path="/"),
        None,
        None,
    ),
    "mellon looks on": ("mellon", entra("valid-user", "MellonEnable info"), None, None),
    "mellon around, off elsewhere": (
        "mellon",
        VALID + mellon("MellonEnable auth", path="/") + mellon("MellonEnable off"),
        "config-mellon",
        "AuthType",
    ),
    "mellon next door": ("mellon", VALID + mellon("MellonEnable auth", path="/entra-else"), None, None),
}


def test_mod_authz_user_after_mod_shib(tools, tenant, servers):
    """The last one loaded judges: then it is httpd's own rule, and there is nothing to say."""
    loaded = [*peers.load_lines(tools, [peers.Shibboleth()]), f'LoadModule authz_user_module "{tools.libexec}/mod_authz_user.so"']
    metadata = tenant.metadata(tenant.applications[0])
    httpd = Httpd(tools, vhost=VALID, before="\n".join(loaded), without=("authz_user",), metadata=metadata)
    servers.append(httpd)
    status, printed = httpd.configtest()
    assert status == 0, printed


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_said_by_configtest(tools, tenant, servers, case, order):
    name, vhost, reason, blamed = CONFIGURATIONS[case]
    peer = peers.KINDS[name]()
    lines = "\n".join(peers.load_lines(tools, [peer]))
    loaded = {"before": lines} if order == "before" else {"server": lines}
    httpd = Httpd(tools, vhost=vhost, metadata=tenant.metadata(tenant.applications[0]), **loaded)
    servers.append(httpd)
    status, printed = httpd.configtest()
    if reason is None:
        assert status == 0, printed
        return
    assert status == 1 and f"reason={reason}: {blamed} on line " in printed and REASONS[reason].remedy in printed, printed
