# SPDX-License-Identifier: GPL-3.0-or-later
"""Which signatures of requests the lookalike takes."""

import base64
import dataclasses
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from entra import Signer
from entra.ask import authn_request, location
from entra.request import Refused
from entra.signed import RSA_SHA256


@pytest.fixture(scope="module")
def signers():
    return Signer("One"), Signer("Two"), Signer("Foreign")


@pytest.fixture
def strict(entra, signers):
    """The lookalike with an application that requires signed requests, by either of two certificates."""
    before = entra.applications[:]
    certificates = [signer.certificate for signer in signers[:2]]
    entra.applications[0] = dataclasses.replace(
        before[0], require_signed=True, verification_certificates=certificates
    )
    yield entra
    entra.applications[:] = before


def signed(entra, signer, relay_state="state", algorithm=RSA_SHA256, digest=hashes.SHA256()):
    address, _, query = location(entra, authn_request(entra), relay_state).partition("?")
    query += "&SigAlg=" + urllib.parse.quote(algorithm, safe="")
    value = base64.b64encode(signer.key.sign(query.encode(), padding.PKCS1v15(), digest))
    return f"{address}?{query}&Signature={urllib.parse.quote(value, safe='')}"


def code(entra, url):
    with pytest.raises(Refused) as refused:
        entra.sign_in(url, "ada")
    assert entra.received[-1].refused == refused.value.code
    return refused.value.code


@pytest.mark.parametrize("relay_state", ["state", None])
def test_takes_either_of_two_certificates(strict, signers, relay_state):
    for signer in signers[:2]:
        assert strict.sign_in(signed(strict, signer, relay_state), "ada").xml()


def test_looks_at_three_parameters_only(strict, signers):
    url = signed(strict, signers[0])
    assert strict.sign_in(url + "&login_hint=ada%40contoso.example", "ada").xml()
    assert strict.sign_in(url.replace("?", "?whr=contoso.example&"), "ada").xml()


def test_refuses_what_is_not_signed(strict):
    assert code(strict, location(strict, authn_request(strict))) == "76021"
    with pytest.raises(Refused) as refused:
        strict.receive("post", {"SAMLRequest": base64.b64encode(authn_request(strict).encode()).decode()})
    assert refused.value.code == "76021"


def test_refuses_a_launch(strict):
    with pytest.raises(Refused) as refused:
        strict.launch(strict.applications[0], strict.users["ada"])
    assert refused.value.code == "76021"


def test_refuses_another_signature(strict, signers):
    good = signed(strict, signers[0])
    assert code(strict, signed(strict, signers[2])) == "50006"
    assert code(strict, good.replace("RelayState=state", "RelayState=other")) == "50006"
    assert code(strict, good.replace("%2F", "%2f")) == "50006", "the octets as they were sent are signed"
    assert code(strict, good.partition("&Signature=")[0] + "&Signature=%25") == "50006"
    sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
    assert code(strict, signed(strict, signers[0], algorithm=sha1, digest=hashes.SHA1())) == "50006"


def test_does_not_look_unless_required(entra, signers):
    assert entra.sign_in(signed(entra, signers[2]), "ada").xml()
