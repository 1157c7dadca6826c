#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protected application: a CGI program that knows its user from the environment and nothing else."""

import html
import os
import re
import sys

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:#f4f6f3;color:#1d2420;font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
nav{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center;
 padding:.75rem max(1.5rem,calc(50% - 30.5rem));background:#1f4d3a;color:#fff}
nav a{color:#fff;padding:.3rem 0}nav a[aria-current]{text-decoration:none;border-bottom:2px solid #fff}
nav .who{margin-left:auto}
main{max-width:64rem;margin:2rem auto;padding:0 1.5rem}
h1{font-size:1.75rem;font-weight:600;margin:0 0 .5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.lead{font-size:1.1rem}.quiet{margin:2rem 0;color:#56615a}
table{width:100%;border-collapse:collapse;background:#fff;box-shadow:0 1px 4px #0002}
th,td{padding:.5rem .75rem;border-top:1px solid #dfe5e0;text-align:left;vertical-align:top}
th{width:1%;white-space:nowrap;font-weight:400}
code,td{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.9rem;overflow-wrap:anywhere}
td ul{margin:0;padding-left:1.2rem}:focus-visible{outline:2px solid #c77700;outline-offset:2px}
@media(max-width:40rem){th,td{display:block;width:auto}td{border-top:0;padding-top:0}}
"""
PAGES = {
    "/": ("Start", "Everybody who signs in may see this page: <code>Require valid-user</code>"),
    "/admin": ("Editors only", "You hold the role Editor: <code>Require claim roles:Editor</code>"),
    "/public": ("Public", "Everybody may see this page; who is signed in is known here all the same:"
                          " <code>Require all granted</code>"),
}
SHOWN = 10  # of many values; the others are folded away


def main():
    path = os.environ.get("REQUEST_URI", "/").partition("?")[0]
    user = os.environ.get("REMOTE_USER")
    title, rule = PAGES.get(path, PAGES["/"])
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}: the demo application</title><style>{STYLE}</style></head><body>
<nav>{"".join(link(target, path) for target in PAGES)}{account(user)}</nav>
<main><h1>{greeting(user)}</h1><p class="lead">{rule}.</p>{facts(user) if user else ""}
<p class="quiet">Sign-out ends your session here. The lookalike keeps its own, as Microsoft does, and signs you in again
without asking; <a href="{escaped(os.environ.get("DEMO_ENTRA", ""))}">sign out there</a> to become somebody else.</p>
</main></body></html>
"""
    # no-store: nobody's Back button shall show the page after the sign-out.
    head = b"Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\r\n"
    sys.stdout.buffer.write(head + page.encode("utf-8", "surrogateescape"))


def link(target, path):
    current = ' aria-current="page"' if target == path else ""
    return f'<a href="{target}"{current}>{PAGES[target][0]}</a>'


def account(user):
    if user:
        return f'<span class="who">{escaped(user)}</span><a id="signout" href="/saml/logout">Sign out</a>'
    return '<a class="who" href="/saml/login?return=/public">Sign in</a>'


def greeting(user):
    if not user:
        return "Welcome, stranger"
    return "Welcome, " + escaped(os.environ.get("ENTRA_DISPLAYNAME", user))


def facts(user):
    """What httpd told the application, variable by variable."""
    variables = [("REMOTE_USER", [user]), ("AUTH_TYPE", [os.environ.get("AUTH_TYPE", "")])]
    variables += [(name, split(value)) for name, value in sorted(os.environ.items()) if name.startswith("ENTRA_")]
    rows = "".join(row(name, values) for name, values in variables)
    return f"<h2>What the application sees</h2><table><tbody>{rows}</tbody></table>"


def row(name, values):
    if len(values) == 1:
        shown = escaped(values[0])
    elif len(values) <= SHOWN:
        shown = items(values)
    else:
        rest = f"<details><summary>and {len(values) - SHOWN:,} more</summary>{items(values[SHOWN:])}</details>"
        shown = items(values[:SHOWN]) + rest
    return f'<tr><th scope="row"><code>{escaped(name)}</code></th><td>{shown}</td></tr>'


def items(values):
    return "<ul>" + "".join(f"<li>{escaped(value)}</li>" for value in values) + "</ul>"


def split(joined):
    """The values of a claim: joined by ";", a backslash before each semicolon or backslash that belongs to a value."""
    values = [""]
    for escape, letter in re.findall(r"(\\?)(.)", joined, re.DOTALL):
        if letter == ";" and not escape:
            values.append("")
        else:
            values[-1] += letter
    return values


def escaped(text):
    return html.escape(text, quote=True)


if __name__ == "__main__":
    main()
