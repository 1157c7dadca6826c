# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lookalike answers: shape, times, signatures, as measured on genuine messages; and how to spoil it."""

import base64
import datetime
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from lxml import etree

from entra import TAMPERS, USERS, Tamper, User, names, wire
from entra.ask import ENTITY_ID, REPLY_URL, SAML, answer, answered_tree
from entra.directory import SIGN_ASSERTION, SIGN_BOTH, SIGN_RESPONSE
from entra.tamper import setting

FIXTURES = os.environ.get("ENTRA_FIXTURES")


def test_an_answer_echoes_the_request(entra):
    form = answer(entra)
    tree = etree.fromstring(form.xml())
    assert form.action == REPLY_URL and form.fields["RelayState"] == "state"
    assert tree.get("InResponseTo") == "_0123456789abcdef"
    assert tree.xpath("string(//a:SubjectConfirmationData/@InResponseTo)", namespaces=SAML) == "_0123456789abcdef"
    assert tree.xpath("string(//a:Audience)", namespaces=SAML) == ENTITY_ID
    assert tree.xpath("string(//@Recipient)") == tree.get("Destination") == REPLY_URL
    assert entra.received[-1].request.id == "_0123456789abcdef"


def test_without_relay_state_there_is_no_field_for_it(entra):
    assert set(answer(entra, relay_state=None).fields) == {"SAMLResponse"}


def test_the_reply_url_is_the_one_asked_for_else_the_first(entra):
    assert answer(entra, AssertionConsumerServiceURL=REPLY_URL + "2").action == REPLY_URL + "2"
    assert answer(entra, AssertionConsumerServiceURL=None).action == REPLY_URL


def test_an_identifier_that_is_no_uri_becomes_an_spn_audience(entra):
    assert answered_tree(entra, issuer="bare-word").xpath("string(//a:Audience)", namespaces=SAML) == "spn:bare-word"


def test_the_times_are_those_of_entra(entra):
    tree = answered_tree(entra)

    def time(xpath):
        return datetime.datetime.strptime(tree.xpath(f"string({xpath})", namespaces=SAML), "%Y-%m-%dT%H:%M:%S.%fZ")

    issued = time("/p:Response/@IssueInstant")
    minutes = datetime.timedelta(minutes=1)
    assert time("//a:Conditions/@NotBefore") - issued == -5 * minutes
    assert time("//a:Conditions/@NotOnOrAfter") - issued == 60 * minutes
    assert time("//a:SubjectConfirmationData/@NotOnOrAfter") - issued == 60 * minutes
    assert abs(issued - datetime.datetime.utcnow()) < minutes
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", tree.get("IssueInstant"))


def test_a_wrong_clock_moves_every_time(entra):
    entra.skew = datetime.timedelta(days=2)
    try:
        tree = answered_tree(entra)
    finally:
        entra.skew = datetime.timedelta()
    day = (datetime.datetime.utcnow() + datetime.timedelta(days=2)).strftime("%Y-%m-%d")
    assert tree.get("IssueInstant").startswith(day)


@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not installed")
@pytest.mark.parametrize("digest", ["sha256", "sha1"])
@pytest.mark.parametrize(
    "sign, signed",
    [(SIGN_ASSERTION, ["Assertion"]), (SIGN_RESPONSE, ["Response"]), (SIGN_BOTH, ["Response", "Assertion"])],
)
def test_every_signing_option_verifies_in_the_bytes_sent(entra, tmp_path, sign, signed, digest):
    entra.applications[0].sign, entra.applications[0].digest = sign, digest
    xml = answer(entra, "zoe").xml()
    tree = etree.fromstring(xml)
    assert [etree.QName(s.getparent()).localname for s in tree.iter(f"{{{names.XMLDSIG}}}Signature")] == signed
    assert all(s.getparent().index(s) == 1 for s in tree.iter(f"{{{names.XMLDSIG}}}Signature")), "after the Issuer"
    assert verifies(tmp_path, entra, xml, signed)
    assert not verifies(tmp_path, entra, xml.replace(b"Reader", b"Editor"), signed)


def verifies(folder, entra, xml, signed):
    """xmlsec1's verdict on every signature, with the application's key and no other."""
    message, certificate = folder / "message.xml", folder / "certificate.pem"
    certificate.write_text(
        f"-----BEGIN CERTIFICATE-----\n{entra.applications[0].signer.base64}\n-----END CERTIFICATE-----\n"
    )
    message.write_bytes(xml)
    ids = [f"--id-attr:ID={names.PROTOCOL}:Response", f"--id-attr:ID={names.ASSERTION}:Assertion"]
    for name in signed:
        command = ["xmlsec1", "--verify", "--enabled-key-data", "key-name", "--pubkey-cert-pem", certificate]
        for option in ids:
            command += option.split("=", 1)
        command += ["--node-xpath", f"//*[local-name()='{name}']/*[local-name()='Signature']", message]
        if subprocess.run(command, capture_output=True).returncode != 0:
            return False
    return True


def skeleton(node):
    """Elements and attributes in order, without the values that differ between two messages."""
    attributes = [name if name != "Name" else f"Name={value}" for name, value in node.items()]
    return [node.tag, sorted(node.nsmap.items(), key=str), attributes, [skeleton(child) for child in node]]


@pytest.mark.skipif(not FIXTURES, reason="ENTRA_FIXTURES does not name the genuine messages")
def test_the_shape_is_that_of_the_genuine_response_of_2021(entra):
    genuine = (pathlib.Path(FIXTURES) / "responses" / "resp-2021-app-key-after-rollover.xml").read_text()
    entra.users = {**USERS, "stu": User("stu", "Stu", "Dent", mail="stu@contoso.example")}
    made = answer(entra, "stu").xml().decode()
    assert skeleton(etree.fromstring(made)) == skeleton(etree.fromstring(genuine))
    assert tags(made) == tags(genuine), "also the order of xmlns and attributes within the tags"


@pytest.mark.skipif(not FIXTURES, reason="ENTRA_FIXTURES does not name the genuine messages")
def test_the_metadata_is_that_of_2019(entra):
    genuine = (pathlib.Path(FIXTURES) / "metadata" / "appid-2019-bom.xml").read_text()
    made = entra.metadata(entra.applications[0]).decode()
    assert made[0] == genuine[0] == "\ufeff"
    assert skeleton(etree.fromstring(made[1:].encode())) == skeleton(etree.fromstring(genuine[1:].encode()))
    assert tags(made) == tags(genuine)


def tags(text):
    """Every tag with the values of its attributes emptied, but for those of namespaces."""
    return [re.sub(r' (?!xmlns)([\w:]+)="[^"]*"', r" \1", tag) for tag in re.findall(r"<[^>]*>", text)]


def test_what_the_writer_writes_reads_back_the_same():
    tree = etree.fromstring(
        '<a xmlns="u:1" xmlns:b="u:2"><!--c--><?p i?><b:d b:e="&lt;&quot;&#10;&#9;&#13;&amp;">'
        "&#13;&lt;t&gt;</b:d>tail<f xmlns=''/></a>"
    )
    text = wire.serialise(tree)
    assert etree.tostring(etree.fromstring(text), method="c14n") == etree.tostring(tree.getroottree(), method="c14n")


# --- Tampering --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TAMPERS))
def test_every_named_tamper_changes_the_next_answer_only(entra, name):
    before = told(answer(entra, "ben"))
    entra.tamper(name)
    tampered = told(answer(entra, "ben"))
    assert tampered != before or name == "signature-value"
    assert told(answer(entra, "ben")) == before


def told(form):
    """What a form says, without the IDs and values that are new in every one; times in hours from now."""

    def hours(match):
        time = datetime.datetime.strptime(match[0], "%Y-%m-%dT%H:%M:%S.%fZ")
        return str(round((time - datetime.datetime.utcnow()) / datetime.timedelta(hours=1)))

    text = base64.b64decode(form.fields["SAMLResponse"] + "===").decode()
    text = re.sub(r"_[0-9a-f-]{36}|<(DigestValue|SignatureValue)>[^<]*", "", text)
    return form.action, re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", hours, text), form.fields.get("RelayState")


def test_tampers_queue_up_and_may_be_functions(entra):
    entra.tamper(lambda said: setattr(said, "audience", "first"))
    entra.tamper(setting(audience=lambda said: said.audience + "/second"))
    entra.tamper(Tamper(form=lambda fields: fields.update(RelayState="third")))
    assert answered_tree(entra).xpath("string(//a:Audience)", namespaces=SAML) == "first"
    assert answered_tree(entra).xpath("string(//a:Audience)", namespaces=SAML) == ENTITY_ID + "/second"
    assert answer(entra).fields["RelayState"] == "third"
