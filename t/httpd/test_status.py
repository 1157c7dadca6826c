# SPDX-License-Identifier: GPL-3.0-or-later
"""The section in mod_status: its figures against what really happened, for people and for programs."""

import base64
import hashlib
import re
import time
from pathlib import Path

import pytest

from entra.tamper import TAMPERS, Tamper
from people import USERS
from reasons import REASONS
from server import ORIGIN, PLAIN_ORIGIN
from visitor import Visitor

PAGE = f"{ORIGIN}/page.html"
STATUS = f"{PLAIN_ORIGIN}/server-status"
VHOST = """
    <Location "/">
        AuthType entra-saml
        Require valid-user
    </Location>
    <Location "/denied">
        Require user nobody
    </Location>
"""
PLAIN = """
    <Location "/server-status">
        SetHandler server-status
        Require all granted
    </Location>
"""
OPERATIONS = Path(__file__).resolve().parent.parent.parent / "docs" / "operations.md"


@pytest.fixture(scope="module")
def httpd(make_httpd):
    httpd = make_httpd(vhost=VHOST, plain=PLAIN)
    httpd.page("page.html", "PROTECTED page")
    return httpd


def figures(httpd):
    """Our lines of ?auto, by name."""
    page = httpd.browser().open(f"{STATUS}?auto")
    assert page.status == 200 and page.type == "text/plain"
    lines = [line.split(": ") for line in page.text.splitlines() if line.startswith("EntraSAML")]
    assert len({name for name, _ in lines}) == len(lines), "a name stands twice"
    return {name: float(value) if "." in value else int(value) for name, value in lines}


def section(httpd, query=""):
    """Our part of the page, as elements: from our heading to the next line across."""
    page = httpd.browser().open(f"{STATUS}{query}")
    assert page.status == 200 and page.type == "text/html"
    (heading,) = page.html.xpath("//h2[@id='entra-saml']")
    found = [heading]
    for element in heading.itersiblings():
        if element.tag in ("hr", "address", "h1", "h2"):
            break
        found.append(element)
    return found


def words(elements):
    return " ".join(" ".join(" ".join(element.itertext()) for element in elements).split())


def rows(table):
    """{row heading: cells}."""
    return {
        "".join(row.xpath("./th[@scope='row']")[0].itertext()): ["".join(cell.itertext()) for cell in row.xpath("./td")]
        for row in table.xpath(".//tbody/tr")
    }


class Change:
    """What happens to the figures between two looks."""

    def __init__(self, httpd):
        self.httpd = httpd
        self.before = figures(httpd)

    def of(self, *names):
        now = figures(self.httpd)
        return tuple(now.get(name, 0) - self.before.get(name, 0) for name in names)


@pytest.fixture
def change(httpd):
    return Change(httpd)


# --- For programs ---------------------------------------------------------------------------------------


def test_every_name_is_documented_and_there(httpd):
    """Monitoring is built on names: they are those of the documentation, in its order, from the first moment on."""
    documented = re.findall(r"^\| `(EntraSAML\w+)` \|", OPERATIONS.read_text("utf-8"), re.M)
    assert [name for name in figures(httpd) if "-" not in name] == documented
    lines = httpd.browser().open(f"{STATUS}?auto").text.splitlines()
    ours = [line for line in lines if line.startswith("EntraSAML")]
    assert all(re.fullmatch(r"EntraSAML[\w-]+: \d+(\.\d)?", line) for line in ours), "as httpd's own: name, colon, number"


def test_a_sign_in(visitor, change):
    visitor.sign_in(PAGE)
    counted = change.of("EntraSAMLSessions", "EntraSAMLSignIns", "EntraSAMLMarks", "EntraSAMLMarksSet")
    assert counted == (1, 1, 2, 2), "one session, a mark for the request and one for the assertion"
    assert change.of("EntraSAMLReason-session-none") == (1,), "the redirect that began it"


def test_use_of_a_session_changes_nothing(httpd, visitor):
    """The way of every request is not the place to count."""
    visitor.sign_in(PAGE)
    before = figures(httpd)
    for _ in range(5):
        assert visitor.open(PAGE).status == 200
    assert {**figures(httpd), "EntraSAMLOldestMarkAge": before["EntraSAMLOldestMarkAge"]} == before


def test_sizes_and_fill(httpd, visitor):
    """Octets, percent and average are those of the same moment."""
    visitor.sign_in(PAGE)
    now = figures(httpd)
    table, used = now["EntraSAMLTableOctets"], now["EntraSAMLTableOctetsUsed"]
    marks, marked = now["EntraSAMLMarkOctets"], now["EntraSAMLMarkOctetsUsed"]
    ring = now["EntraSAMLPreserveOctets"]
    assert table + marks + ring <= 8 * 1024 * 1024 <= 1.2 * (table + marks + ring), "the whole segment but its bookkeeping"
    assert 0 < used < table and used % 256 == 0
    assert now["EntraSAMLTablePercent"] == int(used * 1000 / table) / 10
    assert now["EntraSAMLSessionOctets"] == used // now["EntraSAMLSessions"]
    assert 512 <= now["EntraSAMLSessionOctets"] <= 2048
    assert marked == 16 * now["EntraSAMLMarks"]
    assert now["EntraSAMLMarkPercent"] == int(marked * 1000 / marks) / 10


def test_what_is_kept(httpd, visitor, change):
    """Of what waits for browsers: how much, and what became of it."""
    asked = visitor.ask(f"{PAGE}?" + "x" * 2000)
    names = ("EntraSAMLPreserved", "EntraSAMLPreserveOctetsUsed", "EntraSAMLPreservedEver", "EntraSAMLPreservedLost")
    assert change.of(*names) == (1, 2560, 1, 0)
    assert figures(httpd)["EntraSAMLPreservePercent"] == int(2560 * 1000 / figures(httpd)["EntraSAMLPreserveOctets"]) / 10
    assert visitor.submit(visitor.answer(asked)).status == 200
    assert change.of("EntraSAMLPreservedResent", "EntraSAMLPreserveRefused") == (0, 0)


SIZES = ["UpTo512", "UpTo1024", "UpTo2048", "UpTo4096", "UpTo8192", "UpTo16384", "UpTo32768", "Larger"]


def by_size(httpd):
    """Sessions of each size, from the smallest."""
    now = figures(httpd)
    return [now[f"EntraSAMLSessions{size}"] for size in SIZES]


def test_sessions_by_size(make_httpd, entra):
    """A user with a few groups, one with 150, one with 2,000 roles: each counts once, and no more when he has left."""
    httpd = make_httpd(vhost=VHOST, plain=PLAIN)
    httpd.page("page.html", "PROTECTED page")
    assert by_size(httpd) == [0] * 8
    ada, max, tess = (Visitor(httpd.network, entra) for _ in range(3))
    ada.sign_in(PAGE)
    assert by_size(httpd)[1:3] in ([1, 0], [0, 1]) and sum(by_size(httpd)) == 1
    few = by_size(httpd)
    max.sign_in(PAGE, "max")
    assert by_size(httpd) == [*few[:4], 1, 0, 0, 0], "150 groups take between 4 and 8 KiB"
    tess.sign_in(PAGE, "tess")
    assert by_size(httpd) == [*few[:4], 1, 0, 1, 0], "2,000 roles some 28 KiB"
    httpd.restart()
    assert by_size(httpd) == [*few[:4], 1, 0, 1, 0]
    tess.open(f"{ORIGIN}/saml/logout", method="POST", body=b"", initiator=PAGE)
    assert by_size(httpd) == [*few[:4], 1, 0, 0, 0]
    shown = rows(section(httpd)[2])
    assert [int(cells[0]) for cells in shown.values()] == by_size(httpd)
    assert [cells[1].strip() for cells in shown.values() if cells[0] == "1"] == ["50.0 %", "50.0 %"]


def test_the_maximum_per_user_counts_as_ended(make_httpd, entra):
    httpd = make_httpd(vhost=VHOST + "EntraSAMLSessionsPerUser 1", plain=PLAIN)
    httpd.page("page.html", "PROTECTED page")
    for _ in range(3):
        Visitor(httpd.network, entra).sign_in(PAGE)
    now = figures(httpd)
    assert (now["EntraSAMLSessions"], now["EntraSAMLSessionsEnded"], now["EntraSAMLSignIns"]) == (1, 2, 3)
    assert rows(section(httpd)[3])["Sessions ended by sign-out, a newer sign-in or the maximum per user"] == ["2"]


def test_a_large_memory_says_about(make_httpd):
    """Marks beyond a million places are counted by a sample; what is exact does not say so."""
    httpd = make_httpd(vhost=VHOST, plain=PLAIN, server="EntraSAMLSharedMemory 160M")
    now = rows(section(httpd)[1])
    assert {name for name, (value,) in now.items() if value.startswith("about ")} == {
        "Replay marks",
        "Memory of replay marks, used",
        "Memory of replay marks, fill",
        "Age of the oldest replay mark",
    }
    assert figures(httpd)["EntraSAMLMarks"] == 0, "a number for programs"


def test_the_oldest_mark(httpd, visitor):
    visitor.sign_in(PAGE)
    first = figures(httpd)["EntraSAMLOldestMarkAge"]
    time.sleep(2.1)
    assert 2 <= figures(httpd)["EntraSAMLOldestMarkAge"] - first <= 10


def test_a_sign_out_and_a_second_sign_in(visitor, change):
    """Both end the session there was."""
    visitor.sign_in(PAGE)
    visitor.open(f"{ORIGIN}/saml/logout", method="POST", body=b"", initiator=PAGE)
    assert change.of("EntraSAMLSessions", "EntraSAMLSessionsEnded", "EntraSAMLSignIns") == (0, 1, 1)


def test_refusals_by_reason(httpd, visitor, change):
    """Each under its own code, and only there; nothing else moves."""
    httpd.refused(visitor.submit(visitor.answer(visitor.ask(PAGE), change=TAMPERS["unsigned"])), "signature-missing")
    for _ in range(2):
        form = visitor.answer(visitor.ask(PAGE))
        form["SAMLResponse"] = "!!!!"
        httpd.refused(visitor.submit(form), "base64-invalid")
    names = ["signature-missing", "base64-invalid", "signature-value", "replayed"]
    assert change.of(*(f"EntraSAMLReason-{name}" for name in names)) == (1, 2, 0, 0)
    assert change.of("EntraSAMLSignIns", "EntraSAMLSessions", "EntraSAMLMarksSet") == (0, 0, 0)


def test_a_user_without_the_right(httpd, visitor, change):
    visitor.sign_in(PAGE)
    httpd.log.tolerate_denials()
    assert visitor.open(f"{ORIGIN}/denied").status == 403
    assert change.of("EntraSAMLReason-access-denied", "EntraSAMLSignIns") == (1, 1)


def test_a_sign_on_that_starts_again(httpd, visitor, change):
    """Nobody is refused, but the administrator wants to know how often it happens."""
    form = visitor.answer(visitor.ask(PAGE))
    visitor.jar.cookies.clear()
    assert visitor.at_entra(visitor.submit(form))
    assert change.of("EntraSAMLReason-binding-missing", "EntraSAMLSignIns") == (1, 0)


def test_a_program_without_a_session(visitor, change):
    assert visitor.fetch(PAGE).status == 401
    assert change.of("EntraSAMLReason-session-none") == (1,)


def test_sessions_past_their_time_go(httpd, visitor, change):
    """Nobody has to ask for them: whoever looks at the status clears some away."""

    def end_soon(tree):
        for statement in tree.iter("{urn:oasis:names:tc:SAML:2.0:assertion}AuthnStatement"):
            statement.set("SessionNotOnOrAfter", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3)))

    visitor.sign_in(PAGE, change=Tamper(unsigned=end_soon))
    assert change.of("EntraSAMLSignIns") == (1,)
    assert httpd.wait(lambda: change.of("EntraSAMLSessions", "EntraSAMLSessionsExpired") == (0, 1))


@pytest.mark.parametrize("how", ["graceful", "reload", "restart"])
def test_restarts_keep_the_count(httpd, visitor, how):
    """Nothing begins again at zero, and what happens after goes on top."""
    visitor.sign_in(PAGE)
    before = figures(httpd)
    getattr(httpd, how)()
    after = figures(httpd)
    assert after["EntraSAMLOldestMarkAge"] >= before["EntraSAMLOldestMarkAge"]
    before["EntraSAMLOldestMarkAge"] = after["EntraSAMLOldestMarkAge"]
    assert after == before, "nothing was broken, so nothing was repaired"
    visitor.jar.cookies.clear()
    visitor.sign_in(PAGE)
    assert figures(httpd)["EntraSAMLSignIns"] == before["EntraSAMLSignIns"] + 1


# --- For people -----------------------------------------------------------------------------------------


def test_the_page_says_the_same(httpd, visitor):
    visitor.sign_in(PAGE)
    httpd.refused(visitor.open(f"{ORIGIN}/saml/acs", method="POST", body=b""), "form-malformed")
    heading, now_table, size_table, event_table, reason_table = section(httpd)
    lines = figures(httpd)
    assert "Entra" in heading.text
    now, events, reasons = rows(now_table), rows(event_table), rows(reason_table)
    assert now["Sessions"] == [str(lines["EntraSAMLSessions"])]
    assert now["Session table"][0].startswith(f"{lines['EntraSAMLTableOctets']} octets (")
    assert now["Session table, fill"] == [f"{lines['EntraSAMLTablePercent']} %"]
    assert events["Sign-ins"] == [str(lines["EntraSAMLSignIns"])]
    assert len(now) + len(rows(size_table)) + len(events) == len([name for name in lines if "-" not in name])
    assert {code: int(cells[0]) for code, cells in reasons.items()} == {
        name.removeprefix("EntraSAMLReason-"): times for name, times in lines.items() if "-" in name
    }
    for code, (_, remedy) in reasons.items():
        assert remedy == REASONS[code].remedy, "escaped for HTML, and only once"


def test_the_tables_can_be_read_aloud(httpd):
    """A heading to jump to, a caption and headers for every table, none of them for looks only."""
    heading, *tables = section(httpd)
    assert heading.tag == "h2" and [table.tag for table in tables] == ["table"] * 4
    for table in tables:
        assert table.xpath("./caption")[0].text
        columns = table.xpath("./thead/tr/th[@scope='col']")
        assert len(columns) >= 2 and not table.xpath(".//thead//td")
        for row in table.xpath("./tbody/tr"):
            assert len(row.xpath("./th[@scope='row']")) == 1 and len(row) == len(columns)


def test_remedies_are_escaped(httpd, visitor):
    """Our own texts, too: this one has an apostrophe."""
    httpd.refused(visitor.submit(visitor.answer(visitor.ask(PAGE), change=TAMPERS["other-issuer"])), "response-issuer")
    page = httpd.browser().open(STATUS)
    remedy = REASONS["response-issuer"].remedy
    assert "'" in remedy and remedy not in page.text
    assert rows(section(httpd)[4])["response-issuer"][1] == remedy
    assert page.text.isascii(), "mod_status says ISO-8859-1"


def test_no_names_and_no_keys(httpd, visitor):
    """Sums only: nothing of who is signed in, and nothing that finds a session."""
    visitor.sign_in(PAGE, "eve")
    token = visitor.session
    key = hashlib.sha256(base64.urlsafe_b64decode(token + "=")).hexdigest()
    told = words(section(httpd)) + repr(figures(httpd)) + words(section(httpd, "?notable"))
    for secret in ("contoso", USERS["eve"].given_name, USERS["eve"].object_id, token, key):
        assert secret not in told, secret


def test_the_page_without_tables(httpd, visitor):
    """The same lines as for programs."""
    visitor.sign_in(PAGE)
    heading, lines = section(httpd, "?notable")
    assert lines.tag == "pre"
    names = [line.partition(": ")[0] for line in "".join(lines.itertext()).split("\n") if line]
    assert names == list(figures(httpd))


# --- Where there is nothing to tell ---------------------------------------------------------------------


def test_without_mod_status(make_httpd, entra):
    """The hook is optional: the server starts, and counts all the same."""
    httpd = make_httpd(vhost=VHOST, without=["status"])
    httpd.page("page.html", "PROTECTED page")
    assert Visitor(httpd.network, entra).sign_in(PAGE).text == "PROTECTED page"
    httpd.without = []
    httpd.configure(plain=PLAIN)
    httpd.reload()
    assert figures(httpd)["EntraSAMLSignIns"] == 1


def test_without_a_virtual_host_of_ours(make_httpd):
    """Loaded and not used: no section."""
    httpd = make_httpd(entra="", plain=PLAIN)
    page = httpd.browser().open(STATUS)
    assert page.status == 200 and "entra" not in page.text.lower().replace("entra_saml_module", "")
    assert figures(httpd) == {}


def test_a_refusal_without_a_virtual_host_of_ours(make_httpd):
    """There is nowhere to count it, and that is no reason to fall."""
    httpd = make_httpd(entra="")
    httpd.page("folder/.htaccess", "AuthType entra-saml\nRequire valid-user\n")
    assert httpd.browser().open(f"{ORIGIN}/folder/").status == 500
    httpd.expect("config-section")


# --- When it is full --------------------------------------------------------------------------------------


def test_a_full_table(make_httpd, entra):
    """Live sessions that had to go are counted; nobody is refused."""
    httpd = make_httpd(vhost=VHOST, plain=PLAIN, server="EntraSAMLSharedMemory 2M")
    httpd.page("page.html", "PROTECTED page")
    visitors = [Visitor(httpd.network, entra) for _ in range(50)]
    for visitor in visitors:
        assert visitor.sign_in(PAGE, "tess").status == 200
    httpd.expect("sessions-evicted")
    now = figures(httpd)
    assert now["EntraSAMLSignIns"] == 50
    assert now["EntraSAMLSessionsEvicted"] > 0 == now["EntraSAMLSessionsRefused"]
    assert now["EntraSAMLSessions"] + now["EntraSAMLSessionsEvicted"] == 50
    assert now["EntraSAMLTablePercent"] > 90
    gone = sum(visitor.at_entra(visitor.open(PAGE)) for visitor in visitors)
    assert gone == now["EntraSAMLSessionsEvicted"]
