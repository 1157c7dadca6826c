# SPDX-License-Identifier: GPL-3.0-or-later
"""One lookalike for all tests of it, as new for every test."""

import pytest

from entra import Application, Entra, names
from entra.ask import ENTITY_ID, REPLY_URL
from entra.directory import SIGN_ASSERTION


@pytest.fixture(scope="session")
def server():
    application = Application([ENTITY_ID, "bare-word"], [REPLY_URL, REPLY_URL + "2"], name="The app")
    with Entra([application]) as entra:
        yield entra


@pytest.fixture
def entra(server):
    """The running lookalike, as new."""
    server.received.clear()
    server.sessions.clear()
    server._tampers.clear()
    server._errors.clear()
    application = server.applications[0]
    application.sign, application.digest, application.name_id = SIGN_ASSERTION, "sha256", "upn"
    application.group_limit, application.extra_claims = 150, {}
    application.name_id_format, application.sign_on_url, application.relay_state = names.FORMAT_EMAIL, "", ""
    return server
