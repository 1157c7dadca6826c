# SPDX-License-Identifier: GPL-3.0-or-later
"""Side-cars and templates of the test vectors: text in, text out. README.md says what may stand in them."""

import datetime
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent

# What the service provider under test is told. The clock stands still, so that every boundary can be met exactly.
NOW = datetime.datetime(2026, 3, 4, 10, 0, 0)
SKEW = 180
FACTS = {
    "idp": "https://sts.windows.net/7f3a1c52-9d4e-4b60-8a17-2c5d9e0b1f34/",
    "entity": "https://app.contoso.example/saml/metadata",
    "acs": "https://app.contoso.example/saml/acs",
    "request": "_5f2b7c9e1d3a48608b7e0c4d9a6f1e22",
}
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


class SideCar:
    """`word: value` lines; a line that starts with white space goes on where the last one ended; # begins a comment."""

    WORDS = (
        "reason why from edit key key-of over plain pad encrypt after field entity request started decryption name-id"
        " claim count".split()
    )

    def __init__(self, path):
        self.path = path
        self._lines = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            word, colon, value = line.partition(":")
            if not line.strip() or line.startswith("#"):
                continue
            if line[0].isspace():
                self._lines[-1][1] += " " + line.strip()
            elif colon and word in self.WORDS:
                self._lines.append([word, value.strip()])
            else:
                raise ValueError(f"line {number}: {line}")
        if not self.one("reason") or not self.one("why"):
            raise ValueError("reason and why are required")
        if (self.one("reason") == "ok") != (path.parent.name == "good"):
            raise ValueError(f"{self.one('reason')} does not belong in {path.parent.name}/")

    def all(self, word):
        return [value for name, value in self._lines if name == word]

    def one(self, word, default=None):
        return next(iter(self.all(word)), default)

    @property
    def template(self):
        """Its own NAME.xml, or the one that `from` names, seen from t/vectors."""
        return HERE / self.one("from") if self.one("from") else self.path.with_suffix(".xml")


def expand(car, known):
    """The text of a vector before it is signed: one line, as Entra sends it."""
    text = include(car.template.read_text(encoding="utf-8"))
    steps = car.all("edit")
    for step in (step for step in steps if "{signature:" in step):
        text = include(replace(text, step))
    text = re.sub(r"\{signature:([^{}]+)\}", lambda match: part("signature", id=match[1]), text)
    for step in (step for step in steps if "{signature:" not in step):
        text = include(replace(text, step))
    return fill_in(text, known)


PART = re.compile(r"\{(unsigned-)?(body:\w+|success|assertion|forged|response)\}")


def include(text):
    """The text in one line, with the parts it names."""

    def included(match):
        name, _, who = match[2].partition(":")
        piece = include(part(name, who=who))
        return re.sub(r"\{signature:[^{}]+\}", "", piece) if match[1] else piece

    return PART.sub(included, join(text))


def part(name, **known):
    text = join((HERE / "parts" / f"{name}.xml").read_text(encoding="utf-8"))
    for word, value in known.items():
        text = text.replace("{" + word + "}", value)
    return text


def join(text):
    """Without the line breaks and indentation that make a template readable; between attributes one space stays."""
    joined = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        close = not joined or joined.endswith((">", "}")) or line.startswith(("{", "<"))
        joined += line if close else " " + line
    return joined


def replace(text, step):
    """OLD => NEW, where OLD stands exactly once: an edit that no longer fits its template is an error."""
    old, arrow, new = step.partition(" =>")
    if not arrow or text.count(old) != 1:
        raise ValueError(f"{text.count(old)} times in the template: {old}")
    return text.replace(old, new[1:])


def fill_in(text, known=None):
    """{word}, {now…} and {maker:count} replaced; any other word is an error."""
    known = {**FACTS, **(known or {})}

    def value(match):
        name, _, count = match[1].partition(":")
        if name.startswith("now"):
            return clock(name)
        return MAKERS[name](int(count)) if count else known[name]

    return re.sub(r"\{([a-z][^{}\" ]*)\}", value, text)


def clock(text):
    """{now}, {now-5min}, {now+181s}: in the form Entra writes, with three decimals."""
    sign, count, unit = re.fullmatch(r"now(?:([+-])(\d+)(s|min|h|d))?", text).groups()
    offset = int(count or 0) * UNITS[unit or "s"] * (-1 if sign == "-" else 1)
    return (NOW + datetime.timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _namespaces(n):
    opened = "".join(f'<n{i}:n xmlns:n{i}="urn:n{i}" xmlns:m{i}="urn:m{i}" xmlns:o{i}="urn:o{i}">' for i in range(n))
    return opened + "".join(f"</n{i}:n>" for i in reversed(range(n)))


# What would be tiresome to write down.
MAKERS = {
    "groups": lambda n: "".join(f"<AttributeValue>{i:08x}-0000-4000-8000-000000000000</AttributeValue>" for i in range(n)),
    "deep": lambda n: "<deep>" * n + "</deep>" * n,
    "many": lambda n: "<many/>" * n,
    "letters": lambda n: "x" * n,
    "attributes": lambda n: " ".join(f'a{i}=""' for i in range(n)),
    "namespaces": _namespaces,
}
