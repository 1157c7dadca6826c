# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole matrix of rules: containers within containers, turned round and not, of every kind of provider, merged in all
three ways; who gets in is worked out here, by plain logic over what is known of each person, and compared with httpd.

The people of Entra and those of a directory beside it (slapd) disagree on purpose, so that nobody can be taken for the
other.
"""

import datetime
import itertools
import random
import socket
from dataclasses import dataclass
from typing import Optional

import pytest

from cookies import origin_of
from entra import names
from entra.users import FINANCE, STAFF
from people import USERS
from server import HOST, ORIGIN
from slapd import Directory
from visitor import Visitor

SALES = "Sales & Marketing"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
AGES = {"ada": 0, "ben": 3600, "nora": 3 * 86400, "zoe": 0}  # seconds since the sign-in at Entra
DIRECTORY = {"ada": ("ada@contoso.example", "Engineer"), "ben": ("ben@contoso.example", "Auditor")}
AUDITORS = ["ben"]


@dataclass(frozen=True)
class Person:
    """A user as the rules may know him; None of these for a stranger."""

    key: str

    @property
    def entra(self):
        return USERS[self.key]

    @property
    def name(self):
        return self.entra.upn

    def has_title(self, title):
        return DIRECTORY.get(self.key, (None, None))[1] == title


# --- Expressions: what httpd reads, and what it ought to mean ------------------------------------------


@dataclass(frozen=True)
class Atom:
    """One Require line. `met` asks a Person; where it is a truth of the request itself, `fixed` is it."""

    text: str
    met: object = None
    fixed: Optional[bool] = None

    def lines(self, negated=False):
        return [f"Require {'not ' if negated else ''}{self.text}"]

    def holds(self, person, hope=False):
        if self.fixed is not None:
            return self.fixed
        return hope if person is None else bool(self.met(person))


@dataclass(frozen=True)
class Group:
    """<RequireAny>, <RequireAll> or <RequireNone>; `nots` are the members that stand behind `not`."""

    kind: str
    members: tuple
    nots: tuple = ()

    def lines(self):
        inside = [line for member in self.members for line in member.lines()]
        inside += [line for atom in self.nots for line in atom.lines(negated=True)]
        return [f"<Require{self.kind}>", *inside, f"</Require{self.kind}>"]

    def holds(self, person, hope=False):
        """`hope`: what a stranger might be, where nothing turns it round."""
        if self.kind == "None":
            return not any(member.holds(person) for member in self.members)
        each = (member.holds(person, hope) for member in self.members)
        if self.kind == "Any":
            return any(each)
        return all(each) and not any(atom.holds(person) for atom in self.nots)


def expected(rule, person):
    """The status that `person` ought to get. Nobody is sent to Entra when that cannot help; and a rule that is turned
    round never asks for a user, since it lets nobody in."""
    if rule.holds(person):
        return 200
    return 303 if person is None and rule.holds(None, hope=True) else 403


LOOPBACK = socket.gethostbyaddr("127.0.0.1")[0]

# One of each kind, true and false of the request, or of some people and not of others.
ATOMS = {
    "ip": Atom("ip 127.0.0.1", fixed=True),
    "no-ip": Atom("ip 192.0.2.0/24", fixed=False),
    "host": Atom(f"host {LOOPBACK}", fixed=True),
    "expr": Atom(f'expr "%{{HTTP_HOST}} == \'{HOST}\'"', fixed=True),
    "no-expr": Atom('expr "%{REQUEST_METHOD} == \'PUT\'"', fixed=False),
    "expr-user": Atom('expr "%{REMOTE_USER} =~ /^(ada|nora)@/"', lambda p: p.key in ("ada", "nora")),
    "valid-user": Atom("valid-user", lambda p: True),
    "user": Atom("user nobody ben@contoso.example", lambda p: p.name == "ben@contoso.example"),
    "ldap-group": Atom(f"ldap-group {Directory.group_dn('auditors')}", lambda p: p.key in AUDITORS),
    "claim": Atom("claim roles:Editor", lambda p: "Editor" in p.entra.roles),
    "mfa": Atom("entra-mfa", lambda p: p.entra.multifactor),
    "age": Atom("entra-authn-age 2h", lambda p: AGES[p.key] <= 7200),
}

# More ways to say it, each alone, behind `not`, and somewhere in the random trees.
MORE = {
    "local": Atom("local", fixed=True),
    "all-denied": Atom("all denied", fixed=False),
    "method": Atom("method GET HEAD", fixed=True),
    "ldap-user": Atom("ldap-user ada@contoso.example", lambda p: p.key == "ada"),
    "ldap-attribute": Atom('ldap-attribute title="Engineer"', lambda p: p.has_title("Engineer")),
    "ldap-filter": Atom("ldap-filter |(title=Auditor)(title=Clerk)", lambda p: p.has_title("Auditor")),
    "ldap-dn": Atom(f"ldap-dn {Directory.dn('ben')}", lambda p: p.key == "ben"),
    "any-of": Atom(f"claim roles:Reader groups:{FINANCE}", lambda p: "Reader" in p.entra.roles or FINANCE in p.entra.groups),
    "guid": Atom(f"claim groups:{STAFF.upper()}", lambda p: STAFF in p.entra.groups),
    "alias": Atom("entra-claim groups:Finance", lambda p: FINANCE in p.entra.groups),
    "alias-case": Atom("claim groups:finance", lambda p: False),
    "provider-alias": Atom("editors", lambda p: "Editor" in p.entra.roles),
    "quoted": Atom(f'claim "groups:{SALES}"', lambda p: SALES in p.entra.groups),
    "backslash": Atom(r'claim "groups:CONTOSO\Finance; Audit"', lambda p: p.key == "zoe"),
    "two-backslashes": Atom(r'claim "groups:CONTOSO\\Finance; Audit"', lambda p: p.key == "zoe"),
    "quotes": Atom(r'''claim "displayname:Ångström, Zoë \"Zo\" <R&D> Ωμέγα"''', lambda p: p.key == "zoe"),
    "other-quotes": Atom("""claim 'displayname:Ångström, Zoë "Zo" <R&D> Ωμέγα'""", lambda p: p.key == "zoe"),
    "quoted-any": Atom(f"claim 'roles:no such' \"groups:{SALES}\" name:x", lambda p: SALES in p.entra.groups),
    "full-name": Atom(f"claim {ROLE}:Reader", lambda p: "Reader" in p.entra.roles),
    "regex": Atom(r"claim name~^(ada|zoe)@", lambda p: p.key in ("ada", "zoe")),
    "regex-free": Atom("claim surname~ove", lambda p: "ove" in p.entra.surname),
    "regex-quoted": Atom(r'claim "department~^R&D; (Labs|Halls)\\North$"', lambda p: False),
    "regex-values": Atom(r'claim "groups~^Sales & \w+$"', lambda p: SALES in p.entra.groups),
    "absent": Atom("claim wids:x upn~.", lambda p: False),
    "methods": Atom(f"claim authnmethodsreferences:{names.METHOD_MULTIPLE}", lambda p: p.entra.multifactor),
    "short-age": Atom("entra-authn-age 10min", lambda p: AGES[p.key] <= 600),
    "long-age": Atom("entra-authn-age 7d", lambda p: True),
}


def containers(first, second):
    """Two lines in every way that httpd takes: it refuses a `not` among alternatives, and one with nothing beside it."""
    yield Group("Any", (first, second))
    yield Group("All", (first, second))
    yield Group("All", (first,), nots=(second,))
    yield Group("All", (first, Group("None", (second,))))
    yield Group("Any", (ATOMS["no-ip"], Group("All", (first, Group("Any", (second, ATOMS["no-ip"]))))))
    yield Group("All", (ATOMS["ip"], Group("None", (Group("All", (first, second)),))))


def tree(dice, depth):
    """A random expression: only <RequireAll> may hold what is turned round, and never nothing else."""
    if depth == 0 or dice.random() < 0.25:
        return dice.choice(EVERY)
    kind = dice.choice(["Any", "All", "All"])
    members = [tree(dice, depth - 1) for _ in range(dice.randint(1, 3))]
    nots = ()
    if kind == "All":
        nots = tuple(dice.sample(EVERY, dice.randint(0, 2)))
        if dice.random() < 0.5:
            members.append(Group("None", tuple(tree(dice, depth - 1) for _ in range(dice.randint(1, 2)))))
    return Group(kind, tuple(members), nots)


EVERY = [*ATOMS.values(), *MORE.values()]
DICE = random.Random(20261122)
ALONE = EVERY + [Group("All", (ATOMS["ip"],), nots=(atom,)) for atom in EVERY]
PAIRS = [rule for pair in itertools.product(ATOMS.values(), repeat=2) for rule in containers(*pair)]
TREES = [tree(DICE, 4) for _ in range(150)]
RULES = {"alone": ALONE, "pairs": PAIRS, "trees": TREES}

# (how, the rules around, the rules of the inner section)
MERGED = [
    (how, outer, inner)
    for how in (None, "Off", "And", "Or")
    for outer, inner in itertools.product(["ip", "no-ip", "claim", "user", "ldap-group", "mfa"], repeat=2)
]


GRANTED = Atom("all granted", fixed=True)


def merged(how, outer, inner):
    outer, inner = ATOMS[outer], ATOMS[inner]
    return {"And": Group("All", (outer, inner)), "Or": Group("Any", (outer, inner))}.get(how, inner)


def beside_files(how, outer, inner):
    """<Location> sections: httpd joins them with each other first, and the result, by the inner one's AuthMerging, with
    what <Directory> says of the file; here that lets everybody in."""
    rule = merged(how, outer, inner)
    return Group("Any", (rule, GRANTED)) if how == "Or" else rule


def section(path, *lines, kind="Location"):
    return "\n".join([f'<{kind} "{path}">', *lines, f"</{kind}>"])


def configuration():
    for name, rules in RULES.items():
        for number, rule in enumerate(rules):
            yield section(f"/{name}/{number}", "AuthType entra-saml", *rule.lines())
    for number, (how, outer, inner) in enumerate(MERGED):
        around = ["AuthType entra-saml", *ATOMS[outer].lines()]
        inside = [f"AuthMerging {how}"] * bool(how) + ATOMS[inner].lines()
        yield section(f"${{ROOT}}/htdocs/merged/{number}", *around, kind="Directory")
        yield section(f"${{ROOT}}/htdocs/merged/{number}/in", *inside, kind="Directory")
        yield section(f"/joined/{number}", *around)
        yield section(f"/joined/{number}/in", *inside)


# --- The server, the directory, the people ------------------------------------------------------------


@pytest.fixture(scope="module")
def directory():
    running = Directory(DIRECTORY, {"auditors": AUDITORS})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def httpd(make_httpd, tools, directory):
    server = f"""
MaxKeepAliveRequests 0
LoadModule ldap_module "{tools.libexec}/mod_ldap.so"
LoadModule authnz_ldap_module "{tools.libexec}/mod_authnz_ldap.so"
LDAPCacheEntries 0
LDAPOpCacheEntries 0
<AuthzProviderAlias claim editors "roles:Editor">
</AuthzProviderAlias>
"""
    start = f"""
    AliasMatch "^/(?:alone|pairs|trees|joined)/" "${{ROOT}}/htdocs/page.txt"
    <Location "/">
        AuthLDAPURL "{directory.url}/ou=people,dc=contoso,dc=example?mail?one?(objectClass=*)"
    </Location>
    {section("/page.txt", "AuthType entra-saml", "Require valid-user")}
    EntraSAMLGroup Finance {FINANCE}
"""
    httpd = make_httpd(server=server, vhost=start + "\n".join(configuration()))
    httpd.page("page.txt", "let in")
    for number in range(len(MERGED)):
        httpd.page(f"merged/{number}/page.txt", "let in")
        httpd.page(f"merged/{number}/in/page.txt", "let in")
    return httpd


@pytest.fixture(scope="module")
def people(httpd, entra):
    """Each signed in, at Entra some time ago, and a stranger: (Person or None, browser)."""
    everybody = [(None, Visitor(httpd.network, entra))]
    for key, age in AGES.items():
        visitor = Visitor(httpd.network, entra)
        since = datetime.datetime.utcnow() - datetime.timedelta(seconds=age)
        assert visitor.submit(visitor.visit(visitor.ask(f"{ORIGIN}/page.txt"), key, since)).text == "let in"
        everybody.append((Person(key), visitor))
    return everybody


@pytest.fixture(autouse=True)
def quiet(httpd):
    httpd.log.tolerate_denials()


def statuses(visitor, paths):
    """What one browser gets for each path, over one connection."""
    connection = visitor.network.connect(ORIGIN)
    sent = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Host": HOST}
    sent["Cookie"] = visitor.jar.header(f"{ORIGIN}/page.txt", method="GET", cross_site=False, navigation=True) or ""
    try:
        for path in paths:
            connection.request("GET", path, headers=sent)
            answer = connection.getresponse()
            body = answer.read()
            assert (answer.status == 200) == (body == b"let in")
            if answer.status == 303:
                assert origin_of(answer.headers["Location"]) == origin_of(visitor.entra.endpoint)
            yield answer.status
    finally:
        connection.close()


def compare(people, rules, path):
    wrong = []
    seen = set()
    for person, visitor in people:
        paths = [path.format(number) for number in range(len(rules))]
        for rule, status in zip(rules, statuses(visitor, paths)):
            seen.add(status)
            if status != expected(rule, person):
                who = person.key if person else "a stranger"
                wrong.append(f"{status} instead of {expected(rule, person)} for {who}: {' '.join(rule.lines())}")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:20])
    assert seen == {200, 303, 403}


# --- The tests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_who_gets_in(people, name):
    """Row 35: also who is sent to Entra and who is not: only where a rule needs a user, and one could help."""
    compare(people, RULES[name], f"/{name}/{{}}")


def test_auth_merging(people):
    compare(people, [merged(*said) for said in MERGED], "/merged/{}/in/page.txt")
    compare(people, [ATOMS[outer] for _, outer, _ in MERGED], "/merged/{}/page.txt")
    compare(people, [beside_files(*said) for said in MERGED], "/joined/{}/in")


def test_the_directory_away(httpd, people, directory):
    """Nobody gets in by a rule that cannot be judged, nor does anybody lose what another rule gives."""
    directory.process.terminate()
    directory.process.wait()
    rules = [ATOMS["ldap-group"], Group("Any", (ATOMS["ldap-group"], ATOMS["valid-user"]))]
    places = [ALONE.index(rules[0]), PAIRS.index(Group("Any", (ATOMS["valid-user"], ATOMS["ldap-group"])))]
    for person, visitor in people[1:]:
        denied, let_in = statuses(visitor, [f"/alone/{places[0]}", f"/pairs/{places[1]}"])
        assert denied >= 400 and let_in == 200, person
    httpd.log.tolerate("AH01699", "AH01707", "AH01711", "AH01718")
