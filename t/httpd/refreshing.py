# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of refreshed metadata have in common: a server that fetches it from the lookalike, and hours that pass."""

import datetime
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from clock import Clock
from entra import Application, Entra, Signer
from entra.publication import Publication
from people import EXTRA_CLAIMS, USERS
from server import ORIGIN, Httpd
from visitor import Visitor

HOUR = 3600
LATER = HOUR * 6 // 5  # beyond the tenth by which a fetch may come late
PATIENCE = 10
SECTION = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/free">
        AuthType None
        Require all granted
    </Location>
"""
BY_FILE = '    EntraSAMLMetadata "${ROOT}/entra.xml"'
BY_ADDRESS = """
    EntraSAMLMetadata "${ADDRESS}"
    EntraSAMLMetadataCAFile "${ROOT}/authority.pem"
"""


@pytest.fixture(scope="module")
def clock():
    folder = Path(tempfile.mkdtemp(prefix="es-clock-"))
    folder.chmod(0o755)
    yield Clock(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def microsoft(keys):
    """The lookalike on https; its documents name an endpoint that nobody follows."""
    tenant, signer = keys
    application = Application([f"{ORIGIN}/saml/metadata"], [f"{ORIGIN}/saml/acs"], extra_claims=EXTRA_CLAIMS, signer=signer)
    with Entra([application], tenant=tenant, users=USERS) as running:
        yield running


@pytest.fixture
def entra(microsoft, keys):
    """As it was: every test finds it well, and nothing fetched."""
    microsoft.publication = Publication()
    microsoft.skew = datetime.timedelta()
    microsoft.tenant = keys[0]
    microsoft.applications[0].signer = keys[1]
    microsoft.applications[0].standby = []
    return microsoft


@pytest.fixture
def make_httpd(servers, tools, entra, clock):
    made = []

    def make(start=True, entra_lines=BY_ADDRESS, mpm="event", **options):
        clock.reset()
        httpd = Httpd(
            tools,
            mpm=mpm,
            entra=entra_lines,
            vhost=SECTION,
            define={"ADDRESS": entra.metadata_url(entra.applications[0])},
            environment=clock.environment,
            **options,
        )
        entra.authority.write(httpd.root / "authority.pem")
        httpd.page("index.html", "in")
        servers.append(httpd)
        made.append(httpd)
        return httpd.start() if start else httpd

    yield make
    for httpd in made:
        httpd.log.tolerate("AH00052")
        httpd.stop()


@pytest.fixture(params=["event", "prefork"])
def mpm(request):
    return request.param


def until(condition, what, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"in vain waited for {what}")


def pass_time(entra, clock, seconds):
    """Here and at Microsoft."""
    clock.advance(seconds)
    entra.skew = datetime.timedelta(seconds=clock.ahead)


def events(httpd, words):
    return [line for line in httpd.log.new() if words in line]


def visitor_of(httpd, entra):
    return Visitor(httpd.network, entra)


def wait_ready(httpd, entra):
    """The first fetch takes a moment."""
    until(lambda: visitor_of(httpd, entra).open(f"{ORIGIN}/").status == 303, "the first metadata")
    everywhere(httpd, lambda: visitor_of(httpd, entra).open(f"{ORIGIN}/").status == 303)
    return httpd


def everywhere(httpd, condition):
    """So often in a row that every child was asked. One that is a moment behind may say that it does not know a key."""
    httpd.log.tolerate("signature-key-unknown")
    in_a_row = 0
    deadline = time.monotonic() + PATIENCE
    while in_a_row < 12:
        in_a_row = in_a_row + 1 if condition() else 0
        assert time.monotonic() < deadline, "some child does not follow"


def roll_over(entra, with_old=True):
    old = entra.applications[0].signer
    entra.applications[0].signer = Signer()
    entra.applications[0].standby = [old] if with_old else []


def signed_in(httpd, entra):
    return visitor_of(httpd, entra).sign_in(f"{ORIGIN}/").text == "in"


def copies(httpd):
    return list((httpd.root / "state" / "metadata").iterdir())
