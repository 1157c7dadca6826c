# SPDX-License-Identifier: GPL-3.0-or-later
"""Other modules that sign people in or read what is posted, each on a location of its own, and what it does there.

A peer says which modules it needs, what stands in the main server and in the virtual host, which files it wants; `answers`
tries its location and returns what must be the same whether our module is loaded or not.
"""

import base64
import hashlib
import re
import subprocess
import time
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from entra import Signer
from server import ORIGIN
from visitor import Visitor

TEXT = "PROTECTED by a peer"
PROVIDER = "https://provider.elsewhere.test"
SIGNER = Signer()  # of mod_auth_mellon's requests
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def summary(page):
    """What a page comes down to, without what differs from time to time."""
    location = urlsplit(page.location or "")
    target = f"{location.scheme}://{location.netloc}{location.path}" if page.location else None
    cookies = sorted(re.sub(r"(_state_|%3A|_)[\w%-]{6,}$", r"\1", value.partition("=")[0]) for value in page.cookies())
    return page.status, target, sorted(parse_qs(location.query)), cookies, TEXT in page.text


class Peer:
    modules = ()
    server = ""
    vhost = ""

    def prepare(self, httpd):
        httpd.page(f"{self.name}/page.html", TEXT)

    def begin(self, httpd):
        """Start what runs beside httpd."""

    def end(self):
        """Stop it."""

    def ask(self, httpd):
        return httpd.browser().open(f"{ORIGIN}/{self.name}/page.html", follow=False)

    def answers(self, httpd, entra):
        return [summary(self.ask(httpd))]


class Mellon(Peer):
    """SAML by the library that makes our requests, which it starts once more in each child. The lookalike knows it as
    another application of the tenant: a user signs in there."""

    name = "mellon"
    entity_id = f"{ORIGIN}/mellon/endpoint/metadata"
    modules = ("auth_mellon",)
    server = 'MellonLockFile "${ROOT}/run/mellon.lock"'
    vhost = f"""
    <Location "/mellon">
        AuthType Mellon
        MellonEnable auth
        MellonEndpointPath /mellon/endpoint
        MellonIdPMetadataFile "${{ROOT}}/entra.xml"
        MellonSPPrivateKeyFile "${{ROOT}}/mellon.key"
        MellonSPCertFile "${{ROOT}}/mellon.pem"
        MellonSecureCookie On
        MellonCookieSameSite None
    </Location>
    <Location "/mellon/page.html">
        Require valid-user
    </Location>"""

    def prepare(self, httpd):
        super().prepare(httpd)
        key, certificate = SIGNER.key, SIGNER.certificate
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (httpd.root / "mellon.key").write_bytes(pem)
        (httpd.root / "mellon.pem").write_bytes(certificate.public_bytes(Encoding.PEM))

    def answers(self, httpd, entra):
        visitor = Visitor(httpd.network, entra)
        pages = [visitor.open(f"{ORIGIN}/mellon/page.html", follow=False)]
        pages.append(visitor.open(pages[-1].location, follow=False))
        pages.append(visitor.submit(visitor.answer(pages[-1]), follow=False))
        pages.append(visitor.open(pages[-1].location, follow=False))
        return [summary(page) for page in pages]


SHIBBOLETH = """\
<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" clockSkew="180">
    <OutOfProcess logger="{root}/shibboleth/logger"/>
    <InProcess logger="{root}/shibboleth/logger"/>
    <UnixListener address="{root}/shibboleth/socket"/>
    <ApplicationDefaults entityID="{origin}/shibboleth" REMOTE_USER="name">
        <Sessions lifetime="28800" timeout="3600" relayState="cookie" checkAddress="false" handlerSSL="true"
                  cookieProps="https">
            <SSO entityID="{issuer}">SAML2</SSO>
            <Logout>Local</Logout>
        </Sessions>
        <Errors supportContact="root@localhost"/>
        <MetadataProvider type="XML" path="{root}/entra.xml"/>
        <AttributeExtractor type="XML" validate="false" reloadChanges="false" path="/etc/shibboleth/attribute-map.xml"/>
    </ApplicationDefaults>
    <SecurityPolicyProvider type="XML" path="/etc/shibboleth/security-policy.xml"/>
    <ProtocolProvider type="XML" path="/etc/shibboleth/protocols.xml"/>
</SPConfig>
"""
SHIBBOLETH_LOGGER = """\
log4j.rootCategory=WARN, file
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.fileName={root}/shibboleth/log
log4j.appender.file.layout=org.apache.log4j.BasicLayout
"""


class Shibboleth(Peer):
    """SAML by other libraries, half of it in a process of its own. Its rules `valid-user` and `user` replace those of
    httpd, and mean the same again with ShibCompatValidUser, which Debian's package turns off."""

    name = "shib"
    modules = ("shib",)
    server = """
ShibConfig "${ROOT}/shibboleth/shibboleth2.xml"
ShibCompatValidUser On"""
    vhost = """
    <Location "/shib">
        AuthType shibboleth
        ShibRequestSetting requireSession 1
        Require shib-session
    </Location>"""

    def __init__(self, runs=True):
        self.runs = runs
        self.process = None

    def prepare(self, httpd):
        super().prepare(httpd)
        folder = httpd.root / "shibboleth"
        folder.mkdir()
        issuer = etree.parse(str(httpd.root / "entra.xml")).getroot().get("entityID")
        facts = {"root": httpd.root, "origin": ORIGIN, "issuer": issuer}
        (folder / "shibboleth2.xml").write_text(SHIBBOLETH.format(**facts), "utf-8")
        (folder / "logger").write_text(SHIBBOLETH_LOGGER.format(**facts), "utf-8")
        (folder / "log").touch()
        folder.chmod(0o755)
        (folder / "log").chmod(0o666)

    def begin(self, httpd):
        if not self.runs:
            return
        folder = httpd.root / "shibboleth"
        command = ["shibd", "-F", "-f", "-c", str(folder / "shibboleth2.xml"), "-p", str(folder / "pid")]
        with open(folder / "printed", "wb") as printed:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed)
        deadline = time.monotonic() + 20
        while not (folder / "socket").exists():
            assert self.process.poll() is None and time.monotonic() < deadline, (folder / "printed").read_text()
            time.sleep(0.02)
        (folder / "socket").chmod(0o777)

    def end(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def answers(self, httpd, entra):
        httpd.log.tolerate("shib:error", "shib:warn", "mod_shib:error", "mod_shib:warn")
        return super().answers(httpd, entra)


class OpenIDConnect(Peer):
    """Its rule `claim` has the name of ours."""

    name = "openidc"
    modules = ("auth_openidc",)
    vhost = f"""
    OIDCProviderIssuer {PROVIDER}
    OIDCProviderAuthorizationEndpoint {PROVIDER}/authorize
    OIDCProviderTokenEndpoint {PROVIDER}/token
    OIDCProviderJwksUri {PROVIDER}/keys
    OIDCClientID client
    OIDCClientSecret secret
    OIDCCryptoPassphrase passphrase
    OIDCRedirectURI {ORIGIN}/openidc/redirect
    <Location "/openidc">
        AuthType openid-connect
        Require claim department:sales
    </Location>
    <Location "/openidc/either">
        AuthType auth-openidc
        Require valid-user
    </Location>"""

    def answers(self, httpd, entra):
        httpd.log.tolerate("auth_openidc:error", "auth_openidc:warn")
        browser = httpd.browser()
        pages = ["page.html", "either/page.html", "redirect?error=access_denied&state=made-up"]
        return [summary(browser.open(f"{ORIGIN}/openidc/{page}", follow=False)) for page in pages]


class Sessions(Peer):
    """A form, and a session of httpd's own kept in an encrypted cookie."""

    name = "form"
    modules = ("authn_file", "auth_form", "request", "session", "session_cookie", "session_crypto")
    vhost = """
    Session On
    SessionCookieName everywhere path=/;httponly;secure
    <Location "/form">
        AuthType form
        AuthName peers
        AuthFormProvider file
        AuthUserFile "${ROOT}/passwords"
        SessionCookieName session path=/form;httponly;secure
        SessionCryptoPassphrase passphrase
        Require valid-user
    </Location>
    <Location "/form/login">
        SetHandler form-login-handler
        Require all granted
    </Location>"""

    def prepare(self, httpd):
        super().prepare(httpd)
        digest = base64.b64encode(hashlib.sha1(b"word").digest()).decode()
        (httpd.root / "passwords").write_text(f"bob:{{SHA}}{digest}\n")

    def answers(self, httpd, entra):
        httpd.log.tolerate("AH01807", "AH01811", "AH01617")
        browser = httpd.browser()

        def log_in(word):
            fields = {"httpd_username": "bob", "httpd_password": word, "httpd_location": f"{ORIGIN}/form/page.html"}
            return browser.open(
                f"{ORIGIN}/form/login", method="POST", body=urlencode(fields).encode(), headers=FORM, follow=False
            )

        pages = [self.ask(httpd), log_in("guess"), log_in("word"), browser.open(f"{ORIGIN}/form/page.html")]
        return [summary(page) for page in pages]


class Firewall(Peer):
    """Reads what is posted, ours too, before any handler does; with the limits that its package recommends."""

    name = "firewall"
    modules = ("unique_id", "security2")
    server = """
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecRequestBodyInMemoryLimit 131072
SecRequestBodyLimitAction Reject
SecResponseBodyAccess On
SecTmpDir "${ROOT}/cache"
SecDataDir "${ROOT}/cache"
SecRule ARGS "@contains attack" "id:1,phase:2,deny,status:403"
SecRule REQBODY_ERROR "!@eq 0" "id:2,phase:2,deny,status:400\""""

    def answers(self, httpd, entra):
        httpd.log.tolerate("security2:error")
        browser = httpd.browser()
        url = f"{ORIGIN}/firewall/page.html"
        posted = browser.open(url, method="POST", body=b"x=attack", headers=FORM)
        pages = [browser.open(url), browser.open(f"{url}?x=attack"), posted]
        return [summary(page) for page in pages]


KINDS = {kind.name: kind for kind in (Mellon, Shibboleth, OpenIDConnect, Sessions, Firewall)}


def load_lines(tools, peers):
    for peer in peers:
        for module in peer.modules:
            if module not in tools.builtin:
                name = "mod_shib" if module == "shib" else f"{module}_module"
                yield f'LoadModule {name} "{tools.libexec}/mod_{module}.so"'
