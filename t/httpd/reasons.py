# SPDX-License-Identifier: GPL-3.0-or-later
"""src/base/reason.def as the tests read it: what every refusal owes the user and the administrator."""

import re
from dataclasses import dataclass
from pathlib import Path

DEFINITION = Path(__file__).resolve().parent.parent.parent / "src" / "base" / "reason.def"
ROW = re.compile(r'ES_REASON\((\w+),\s*"([^"]+)",\s*(\d+),\s*(\w+),\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)"\)')


@dataclass
class Reason:
    name: str
    code: str
    status: int
    level: str
    text: str
    remedy: str


REASONS = {
    code: Reason(name, code, int(status), level, text, remedy)
    for name, code, status, level, text, remedy in ROW.findall(DEFINITION.read_text("utf-8"))
}


REFERENCE = re.compile(r"\b[A-Z2-7]{8}\b")


def assert_refusal(page, code, log_lines):
    """What a user gets for a refusal: its status, its sentence, the code, and a reference that the log has as well."""
    reason = REASONS[code]
    assert page.status == reason.status, f"{page.status} instead of {reason.status} for {code}: {page.text[:300]}"
    if page.type == "application/json":
        assert (page.json["error"], page.json["message"]) == (code, reason.text)
        references = {page.json["reference"]}
    else:
        assert reason.text in page.words and code in page.words.split()
        references = set(REFERENCE.findall(page.words))
    assert_own_answer(page)
    assert len(references) == 1, f"references of the page: {references}"
    assert any(f"ref={reference}" in line for reference in references for line in log_lines), log_lines


def may_be_framed(page):
    """Where a frame asked for it, a page with nothing but a link to sign in."""
    return page.status == 401 and page.sent.get("Sec-Fetch-Dest") in ("iframe", "frame") and not page.forms


def assert_own_answer(page):
    """Headers of every body of ours."""
    assert page.headers.get_all("Cache-Control") == ["no-store"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    if page.type == "text/html":
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        directives = page.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "base-uri 'none'"} <= set(directives)
        assert ("frame-ancestors *" if may_be_framed(page) else "frame-ancestors 'none'") in directives
        assert not [directive for directive in directives if directive.startswith("script-src")]
        assert not page.html.xpath("//script | //@onload | //@onclick | //@onerror | //iframe | //object | //img")
    else:
        assert page.type == "application/json"
