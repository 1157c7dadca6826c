# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lookalike says of its users."""

import re

import pytest

from entra import USERS, names
from entra.ask import REPLY_URL, SAML, answer, answered_tree
from entra.request import Refused
from entra.users import many_groups


def values(tree, name):
    return [value.text for value in tree.xpath(f"//a:Attribute[@Name='{name}']/a:AttributeValue", namespaces=SAML)]


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
