# SPDX-License-Identifier: GPL-3.0-or-later
"""The table at the end: what was measured, the figure to reach, whether it is."""

# ACS: 0.40 ms where a plain request and the floor together took 0.146 ms.
ACS_RATIO = 0.40 / 0.146
GOALS = {5: (6.5, 1.04, 0.97, 1.25), 150: (10.0, None, 0.93, 8.0)}  # instructions, CPU, throughput, KiB a session


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, measured, goal="", is_met=None):
        self.rows.append((what, measured, goal, {None: "", True: "met", False: "MISSED"}[is_met]))

    def text(self):
        head = ("what", "measured", "goal", "verdict")
        widths = [max(len(row[i]) for row in [head, *self.rows]) for i in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [head, *self.rows]]
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def table(facts):
    made = Table()
    for fact in facts:
        if "skipped" in fact:
            made.add(_case(fact), f"skipped: {fact['skipped']}")
        elif fact["bench"] in ADDERS:
            ADDERS[fact["bench"]](made, fact)
    _add_lookups(made, [fact for fact in facts if fact["bench"] == "lookup" and "skipped" not in fact])
    _add_growth(made, [fact for fact in facts if fact["bench"] == "request" and "skipped" not in fact])
    return made.text()


def _case(fact):
    count = fact["sessions"]
    return f"{fact['bench']}, {fact['groups']} groups, {_number(count)} session{'s' if count > 1 else ''}"


def _add_request(made, fact):
    instructions, cpu, throughput, _ = GOALS[fact["groups"]]
    if "instructions" in fact:
        over = fact["instructions_over_plain"] / 1000
        made.add(f"{_case(fact)}: instructions", f"+{over:.1f} k", f"<= +{instructions} k", over <= instructions)
    if "cpu_ratio" in fact:
        goal = (f"<= {cpu:.2f}", fact["cpu_ratio"] <= cpu) if cpu else ()
        made.add("    CPU against plain", f"x {fact['cpu_ratio']:.2f}", *goal)
        measured = f"{fact['throughput_ratio']:.0%}"
        made.add("    throughput", measured, f">= {throughput:.0%}", fact["throughput_ratio"] >= throughput)


def _add_growth(made, facts):
    """From the smallest table to the largest."""
    for groups in GOALS:
        rows = [fact for fact in facts if fact["groups"] == groups and "instructions" in fact]
        if len(rows) > 1:
            first, last = rows[0], rows[-1]
            growth = last["instructions"] / first["instructions"] - 1
            what = f"{groups} groups, {_number(first['sessions'])} to {_number(last['sessions'])} sessions: instructions"
            made.add(what, f"{growth:+.1%}", "<= +2%", growth <= 0.02)


def _add_proxy(made, fact):
    what = f"proxy, {fact['groups']} groups, {fact['headers']}"
    if "instructions" in fact:
        over = (fact["instructions"] - fact["plain_instructions"]) / 1000
        made.add(f"{what}: instructions", f"+{over:.1f} k to {fact['plain_instructions'] / 1000:.1f} k")
    if "cpu_ratio" in fact:
        made.add(f"{what}: CPU / throughput", f"x {fact['cpu_ratio']:.2f} / {fact['throughput_ratio']:.0%}")


def _add_anonymous(made, fact):
    if "instructions" in fact:
        ratio = fact["instructions"] / fact["plain_instructions"]
        made.add("anonymous redirect: instructions against plain", f"x {ratio:.2f}")
    if "cpu_ratio" in fact:
        made.add("anonymous redirect: CPU against plain", f"x {fact['cpu_ratio']:.2f}", "<= 2", fact["cpu_ratio"] <= 2)
    if "files_opened" in fact:
        made.add("    files opened", f"{fact['files_opened']:g}", "0", fact["files_opened"] == 0)


def _add_acs(made, fact):
    what, judged = f"ACS POST, {fact['groups']} groups", fact["groups"] == 5
    time = fact["cpu_us"] / 1000
    goal = ("<= 0.40 ms", time <= 0.40) if judged else ()
    made.add(f"{what}: CPU", f"{time:.3f} ms", *goal)
    goal = (f"<= {ACS_RATIO:.2f}", fact["cpu_ratio"] <= ACS_RATIO) if judged else ()
    made.add("    against plain request and floor", f"x {fact['cpu_ratio']:.2f}", *goal)
    parts = [f"{fact[name] / 1000:.3f}" for name in ("plain_cpu_us", "floor_us", "accept_us")]
    made.add("    plain request / floor / library alone", " / ".join(parts) + " ms")
    if "instructions" in fact:
        counts = [fact[name] / 1000 for name in ("instructions", "floor_instructions", "accept_instructions")]
        made.add("    instructions: httpd / floor / library alone", " / ".join(f"{count:.0f} k" for count in counts))


def _add_lookups(made, facts):
    """One line for each size of the table, without and with a writer; the processes side by side in it."""
    cases = {}
    for fact in facts:
        cases.setdefault((fact["groups"], fact["sessions"], fact["writers"]), []).append(fact)
    for (groups, _, writers), same in cases.items():
        if not writers:
            kib, goal = same[0]["session_octets"] / 1024, GOALS[groups][3]
            made.add(f"{_case(same[0])}: memory a session", f"{kib:.2f} KiB", f"<= {goal:g} KiB", kib <= goal)
        readers = "/".join(str(fact["readers"]) for fact in same)
        what = f"    a lookup, {readers} processes{' and a writer' if writers else ''}"
        made.add(what, " / ".join(f"{fact['ns']:.0f}" for fact in same) + " ns CPU")


def _number(count):
    return f"{count:,}"


ADDERS = {"request": _add_request, "proxy": _add_proxy, "anonymous": _add_anonymous, "acs": _add_acs}


def profile(title, rows):
    """Our functions by cost: with all they call, by themselves, calls."""
    lines = [f"{title}: instructions with callees, own, calls; of one request"]
    return "\n".join(lines + [f"  {all_:9.0f} {own:9.0f} {calls:7.2f}  {name}" for name, all_, own, calls in rows])
