# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookalike itself: does it ask, refuse and answer as Entra does?"""

import base64
import datetime
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import zlib

import pytest
from lxml import etree

from entra import TAMPERS, USERS, Application, Entra, Tamper, User, names, wire
from entra.directory import SIGN_ASSERTION, SIGN_BOTH, SIGN_RESPONSE
from entra.request import Answered, Refused
from entra.tamper import setting
from entra.users import many_groups

ENTITY_ID = "https://app.example/saml/metadata"
REPLY_URL = "https://app.example/saml/acs"
FIXTURES = os.environ.get("ENTRA_FIXTURES")
SAML = {"p": names.PROTOCOL, "a": names.ASSERTION, "m": names.METADATA, "d": names.XMLDSIG}


@pytest.fixture(scope="module")
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
    application = server.applications[0]
    application.sign, application.digest, application.name_id = SIGN_ASSERTION, "sha256", "upn"
    application.group_limit, application.extra_claims = 150, {}
    application.name_id_format, application.sign_on_url = names.FORMAT_EMAIL, ""
    return server


def authn_request(entra, inside="", issuer=ENTITY_ID, **attributes):
    """The XML of a minimal request. Attributes given as None are left out."""
    given = {
        "ID": "_0123456789abcdef",
        "Version": "2.0",
        "IssueInstant": "2026-01-02T03:04:05Z",
        "Destination": entra.endpoint,
        "AssertionConsumerServiceURL": REPLY_URL,
        **attributes,
    }
    written = "".join(f' {name}="{value}"' for name, value in given.items() if value is not None)
    issuer = f"<a:Issuer>{issuer}</a:Issuer>" if issuer is not None else ""
    return (
        f'<p:AuthnRequest xmlns:p="{names.PROTOCOL}" xmlns:a="{names.ASSERTION}"{written}>{issuer}{inside}'
        f"</p:AuthnRequest>"
    )


def location(entra, xml, relay_state="state"):
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    octets = deflater.compress(xml.encode()) + deflater.flush()
    fields = {"SAMLRequest": base64.b64encode(octets)}
    if relay_state is not None:
        fields["RelayState"] = relay_state
    return f"{entra.endpoint}?{urllib.parse.urlencode(fields)}"


def answer(entra, user="ada", relay_state="state", inside="", **attributes):
    return entra.sign_in(location(entra, authn_request(entra, inside, **attributes), relay_state), user)


def answered_tree(entra, *arguments, **options):
    return etree.fromstring(answer(entra, *arguments, **options).xml())


def values(tree, name):
    return [value.text for value in tree.xpath(f"//a:Attribute[@Name='{name}']/a:AttributeValue", namespaces=SAML)]


# --- What it refuses --------------------------------------------------------------------------------

SUBJECT = "<a:Subject><a:NameID>ada@contoso.example</a:NameID></a:Subject>"
CONTEXT = "<p:RequestedAuthnContext{}><a:AuthnContextClassRef>{}</a:AuthnContextClassRef></p:RequestedAuthnContext>"


@pytest.mark.parametrize(
    "code, inside, attributes",
    [
        ("75005", "", {"ID": None}),
        ("7500529", "", {"ID": "1abc"}),
        ("7500529", "", {"ID": "a/b+c="}),
        ("75005", "", {"Version": "1.1"}),
        ("75005", "", {"IssueInstant": None}),
        ("75005", "", {"IssueInstant": "2026-01-02 03:04:05"}),
        ("75008", "", {"Destination": "https://login.microsoftonline.com/common/saml2"}),
        ("75005", "", {"issuer": None}),
        ("700016", "", {"issuer": "https://app.example/saml/metadata/"}),
        ("700016", "", {"issuer": "HTTPS://app.example/saml/metadata"}),
        ("50011", "", {"AssertionConsumerServiceURL": "https://app.example/saml/ACS"}),
        ("50011", "", {"AssertionConsumerServiceURL": "https://app.example:443/saml/acs"}),
        ("900236", SUBJECT, {}),
        ("90011", '<p:NameIDPolicy SPNameQualifier="x"/>', {}),
        ("90011", '<p:Scoping ProxyCount="1"/>', {}),
        ("90011", "<p:Scoping><p:RequesterID>x</p:RequesterID></p:Scoping>", {}),
        ("750161", '<p:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"/>', {}),
        ("90011", CONTEXT.format(' Comparison="minimum"', names.PASSWORD), {}),
        ("75011", CONTEXT.format("", "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"), {}),
    ],
)
def test_refuses(entra, code, inside, attributes):
    with pytest.raises(Refused) as refused:
        answer(entra, inside=inside, **attributes)
    assert refused.value.code == code and str(refused.value).startswith(f"AADSTS{code}: ")
    assert entra.received[-1].refused == code and entra.received[-1].request is None


@pytest.mark.parametrize(
    "code, query",
    [
        ("750054", ""),
        ("750054", "SAMLRequest="),
        ("75005", "SAMLRequest=%%%"),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(b"not deflated"))),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(zlib.compress(b"<a/>")))),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(zlib.compress(b"<a>", wbits=-15)))),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(zlib.compress(b"<a/>", wbits=-15)))),
        ("75005", "SAMLRequest=" + urllib.parse.quote(base64.b64encode(zlib.compress(b"a" * 70000, wbits=-15)))),
    ],
)
def test_refuses_what_is_no_request(entra, code, query):
    with pytest.raises(Refused) as refused:
        entra.sign_in(f"{entra.endpoint}?{query}", "ada")
    assert refused.value.code == code


def test_answers_another_binding_with_a_status(entra):
    with pytest.raises(Answered) as failure:
        answer(entra, ProtocolBinding=names.REDIRECT)
    tree = etree.fromstring(entra.fail(failure.value).xml())
    codes = [code.get("Value") for code in tree.iter(f"{{{names.PROTOCOL}}}StatusCode")]
    assert codes == [names.REQUESTER, names.UNSUPPORTED_BINDING]
    assert tree.findtext("p:Status/p:StatusMessage", namespaces=SAML).startswith("AADSTS75003: ")
    assert tree.find("a:Assertion", namespaces=SAML) is None


# --- What it answers --------------------------------------------------------------------------------


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


# --- What it says of users --------------------------------------------------------------------------


def test_default_claims(entra):
    tree = answered_tree(entra, "ben")
    assert tree.xpath("string(//a:NameID)", namespaces=SAML) == "ben@contoso.example"
    assert values(tree, names.ROLE) == ["Reader"] and values(tree, names.GROUPS) == USERS["ben"].groups
    assert values(tree, names.IDENTITY_PROVIDER) == [entra.tenant.issuer]


def test_what_the_directory_does_not_know_is_absent(entra):
    tree = answered_tree(entra, "nora")
    present = tree.xpath("//a:Attribute/@Name", namespaces=SAML)
    assert not {names.EMAIL, names.GROUPS, names.ROLE, names.WIDS} & set(present)


def test_a_guest_comes_from_another_tenant(entra):
    tree = answered_tree(entra, "gus")
    assert "#EXT#@" in tree.xpath("string(//a:NameID)", namespaces=SAML)
    assert values(tree, names.IDENTITY_PROVIDER) == [USERS["gus"].guest_of] != [entra.tenant.issuer]


def test_values_arrive_letter_by_letter(entra):
    tree = answered_tree(entra, "zoe")
    assert values(tree, names.DISPLAY_NAME) == ['Ångström, Zoë "Zo" <R&D> Ωμέγα']
    assert values(tree, names.SURNAME) == ["Ångström; née Brown\\Grün"]


def test_up_to_150_groups_are_named_above_a_link_is_sent(entra):
    assert values(answered_tree(entra, "max"), names.GROUPS) == many_groups(150)
    overage = answered_tree(entra, "otto")
    assert values(overage, names.GROUPS) == []
    assert values(overage, names.GROUPS_LINK)[0].endswith(f"/users/{USERS['otto'].object_id}/getMemberObjects")
    entra.applications[0].group_limit = None
    assert len(values(answered_tree(entra, "otto"), names.GROUPS)) == 2000


def test_extra_claims_by_attribute_or_function(entra):
    entra.applications[0].extra_claims = {"Group": "groups", "mail": "mail", "upper": lambda user: user.key.upper()}
    tree = answered_tree(entra, "ada")
    assert values(tree, "Group") == USERS["ada"].groups and values(tree, "upper") == ["ADA"]


def test_name_id_formats(entra):
    def name_id(inside="", user="ada"):
        node = answered_tree(entra, user, inside=inside).find(".//a:NameID", namespaces=SAML)
        return node.get("Format"), node.text

    policy = '<p:NameIDPolicy Format="{}"/>'
    assert name_id() == (names.FORMAT_EMAIL, "ada@contoso.example")
    persistent = name_id(policy.format(names.FORMAT_PERSISTENT))
    assert persistent[0] == names.FORMAT_PERSISTENT and re.fullmatch(r"[\w-]{43}", persistent[1])
    assert persistent == name_id(policy.format(names.FORMAT_PERSISTENT))
    assert persistent != name_id(policy.format(names.FORMAT_PERSISTENT), "ben")
    transient = name_id(policy.format(names.FORMAT_TRANSIENT))
    assert transient != name_id(policy.format(names.FORMAT_TRANSIENT))
    entra.applications[0].name_id, entra.applications[0].name_id_format = "pairwise", names.FORMAT_PERSISTENT
    assert name_id() == persistent


def test_an_empty_source_of_the_name_id_is_refused(entra):
    entra.applications[0].name_id = "mail"
    with pytest.raises(Refused) as refused:
        answer(entra, "nora")
    assert refused.value.code == "501241"


def test_a_launch_answers_no_request(entra):
    form = entra.launch(entra.applications[0], USERS["ada"])
    assert b"InResponseTo" not in form.xml() and set(form.fields) == {"SAMLResponse"} and form.action == REPLY_URL


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


# --- In a browser -----------------------------------------------------------------------------------


@pytest.fixture
def browser(entra, tmp_path):
    entra.authority.write(tmp_path / "authority.pem")
    tls = ssl.create_default_context(cafile=tmp_path / "authority.pem")
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=tls), urllib.request.HTTPCookieProcessor(), urllib.request.ProxyHandler({})
    )

    def open_(url, fields=None):
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            with opener.open(urllib.parse.urljoin(entra.base_url, url), data) as page:
                return page.status, page.read().decode("utf-8-sig")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return open_


def hidden(page):
    return {
        field.get("name"): field.get("value")
        for field in etree.HTML(page).iterfind(".//input[@type='hidden']")
    }


def test_choose_a_user_then_sign_in_silently(entra, browser):
    status, page = browser(location(entra, authn_request(entra)))
    assert status == 200 and "Ada Lovelace" in page and "not Microsoft" in page
    status, page = browser(f"{entra.login}/login", {**hidden(page), "user": "ada"})
    form = etree.HTML(page).find(".//form")
    assert form.get("name") == "hiddenform" and form.get("action") == REPLY_URL
    assert hidden(page)["RelayState"] == "state" and b"ada@" in base64.b64decode(hidden(page)["SAMLResponse"])
    status, page = browser(location(entra, authn_request(entra, ID="_second")))
    assert b'InResponseTo="_second"' in base64.b64decode(hidden(page)["SAMLResponse"])
    status, page = browser(location(entra, authn_request(entra, ForceAuthn="true")))
    assert "Ada Lovelace" in page and "hiddenform" not in page
    assert [entry.refused for entry in entra.received] == [None, None, None]


def test_the_authn_instant_is_when_the_person_signed_in(entra, browser):
    browser("/login", {"user": "ben"})
    next(iter(entra.sessions.values())).since -= datetime.timedelta(days=81)
    _, page = browser(location(entra, authn_request(entra)))
    tree = etree.fromstring(base64.b64decode(hidden(page)["SAMLResponse"]))
    day = (datetime.datetime.utcnow() - datetime.timedelta(days=81)).strftime("%Y-%m-%d")
    assert tree.xpath("string(//@AuthnInstant)").startswith(day)


def test_a_request_by_post_is_asked_and_answered_too(entra, browser):
    encoded = base64.b64encode(authn_request(entra).encode()).decode()
    _, page = browser(entra.endpoint, {"SAMLRequest": encoded, "RelayState": "kept"})
    _, page = browser(f"{entra.login}/login", {**hidden(page), "user": "ben"})
    assert hidden(page)["RelayState"] == "kept"


def test_silent_without_session_gets_a_status(entra, browser):
    _, page = browser(location(entra, authn_request(entra, IsPassive="true")))
    assert names.NO_PASSIVE.encode() in base64.b64decode(hidden(page)["SAMLResponse"])


def test_a_refusal_is_a_page_with_its_code(entra, browser):
    elsewhere = "https://evil.example/&lt;b&gt;"
    status, page = browser(location(entra, authn_request(entra, AssertionConsumerServiceURL=elsewhere)))
    assert status == 400 and "AADSTS50011: " in page and "<b>" not in page.split("<main")[1]


def test_home_sign_out_and_launch(entra, browser):
    assert "nobody signed in" in browser("/")[1]
    assert "Ben Okafor signed in" in browser("/login", {"user": "ben"})[1]
    launched = browser("/launch", {"appid": entra.applications[0].app_id})[1]
    assert b"InResponseTo" not in base64.b64decode(hidden(launched)["SAMLResponse"])
    assert browser("/launch", {"appid": "unknown"})[0] == 400
    assert "nobody signed in" in browser("/logout", {})[1]
    assert "Sign in" in browser("/launch", {"appid": entra.applications[0].app_id})[1]
    entra.applications[0].sign_on_url = f"{entra.base_url}/elsewhere"
    assert "/elsewhere" in browser("/launch", {"appid": entra.applications[0].app_id})[1]


def test_metadata_by_address(entra, browser, tmp_path):
    application = entra.applications[0]
    address = f"/{entra.tenant.tenant_id}/FederationMetadata/2007-06/FederationMetadata.xml"
    of_application = etree.fromstring(browser(f"{address.lower()}?appid={application.app_id}")[1].encode())
    of_tenant = etree.fromstring(browser(address)[1].encode())
    certificate = "string(m:IDPSSODescriptor/m:KeyDescriptor//d:X509Certificate)"
    assert of_application.xpath(certificate, namespaces=SAML) == application.signer.base64
    assert of_tenant.xpath(certificate, namespaces=SAML) == entra.tenant.signer.base64
    locations = set(of_application.xpath("m:IDPSSODescriptor/*/@Location", namespaces=SAML))
    assert locations == {entra.endpoint} and entra.endpoint.startswith("https://127.0.0.1:")
    entra.write_metadata(tmp_path / "metadata.xml", byte_order_mark=False)
    assert (tmp_path / "metadata.xml").read_bytes().startswith(b"<?xml")


def test_what_is_not_there(browser):
    assert browser("/common/saml2")[0] == 404


def test_an_unknown_user_is_refused(entra, browser):
    status, page = browser(f"{entra.login}/login", {"user": "nobody"})
    assert status == 400 and "AADSTS50034" in page


def test_plain_http_for_those_who_want_it():
    with Entra([Application([ENTITY_ID], [REPLY_URL])], tls=False) as plain:
        assert plain.base_url.startswith("http://127.0.0.1:")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(plain.base_url + "/") as page:
            assert page.status == 200
