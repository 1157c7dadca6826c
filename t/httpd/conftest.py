# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: servers that end with their test file, the lookalike Entra, the error-log oracle around every test.

A test file makes its servers with `make_httpd`; all its tests share them. Each test announces
the warnings it provokes, httpd.expect("signature-missing"); any other fails it.

"Row n" in a docstring: the failing of number n in the project's list of what users of comparable
modules suffer, which that test keeps away from ours.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from backend import Backend  # noqa: E402
from entra import Application, Signer, Tenant  # noqa: E402
from entra.service import Service  # noqa: E402
from server import ORIGIN, Httpd  # noqa: E402
from tools import Tools  # noqa: E402
from people import EXTRA_CLAIMS, USERS  # noqa: E402
from visitor import Visitor  # noqa: E402


@pytest.fixture(scope="session")
def tools():
    folder = Path(tempfile.mkdtemp(prefix="es-tools-"))
    try:
        found = Tools(folder)
        if not found.module.exists():
            pytest.exit(f"there is no module {found.module}: build it, or name it in ENTRA_SAML_MODULE", 2)
        yield found
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def servers():
    """Every server of the test file, in order of creation."""
    made = []
    yield made
    faults = []
    for httpd in made:
        try:
            httpd.stop()
            faults += httpd.log.verdict()
        except AssertionError as error:
            faults.append(str(error))
        finally:
            httpd.remove()
    assert not faults, "while stopping:\n" + "\n".join(faults)


@pytest.fixture(scope="session")
def keys():
    """The tenant and the application's signing key: made once, since RSA keys take their time."""
    return Tenant(), Signer()


@pytest.fixture(scope="module")
def entra(keys):
    """The lookalike as a library, with the application as an administrator would have registered it."""
    tenant, signer = keys
    application = Application(
        identifiers=[f"{ORIGIN}/saml/metadata"],
        reply_urls=[f"{ORIGIN}/saml/acs"],
        logout_url=f"{ORIGIN}/saml/logout",
        extra_claims=EXTRA_CLAIMS,
        group_limit=None,
        signer=signer,
    )
    return Service([application], tenant=tenant, users=USERS)


@pytest.fixture(scope="module")
def make_httpd(servers, tools, entra):
    """make_httpd(vhost=…, …) makes, starts and returns a server; with start=False it only makes it."""

    def make(start=True, **options):
        options.setdefault("metadata", entra.metadata(entra.applications[0]))
        httpd = Httpd(tools, **options)
        servers.append(httpd)
        return httpd.start() if start else httpd

    return make


@pytest.fixture
def make_visitor(httpd, entra):
    """Another person, with a browser of his own; `httpd` is the test file's."""
    return lambda: Visitor(httpd.network, entra)


@pytest.fixture
def visitor(make_visitor):
    return make_visitor()


@pytest.fixture(scope="module")
def backend():
    running = Backend()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def oracle(servers):
    """No warning unannounced, none announced in vain."""
    yield
    faults = [fault for httpd in servers for fault in httpd.log.verdict()]
    assert not faults, "the error log says:\n" + "\n".join(faults)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows what its servers logged."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and "servers" in getattr(item, "fixturenames", ()):
        for httpd in item.funcargs.get("servers", ()):
            report.sections.append((f"error log of {httpd.root.name}", "\n".join(httpd.log.new()[-60:])))
