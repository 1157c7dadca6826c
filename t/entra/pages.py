# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages that a person sees. Plain HTML that says on every page that this is not Microsoft."""

import datetime
import html
import json
import uuid

_STYLE = """
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;background:#eef2f7;color:#1b1f24;
 font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header{background:#fff4ce;border-bottom:1px solid #f0d080;padding:.5rem 1rem;text-align:center;font-size:.9rem}
main{width:100%;max-width:38rem;margin:2.5rem auto;padding:2rem;background:#fff;border-radius:.5rem;
 box-shadow:0 2px 10px #0002}
main.wide{max-width:60rem}
h1{font-size:1.5rem;font-weight:600;margin:0 0 .25rem}
h2{font-size:1.1rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1rem 0 0}
p{margin:.5rem 0 1rem}.quiet{color:#57606a}
code{font:.88em ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
ul.choices{list-style:none;margin:1rem 0 0;padding:0;border-top:1px solid #d8dee4}
ul.choices li{border-bottom:1px solid #d8dee4}
button.choice{display:block;width:100%;padding:.7rem .75rem;border:0;background:none;text-align:left;font:inherit;
 color:inherit;cursor:pointer}
button.choice:hover,button.choice:focus-visible{background:#e8f1fb}
button.choice b{font-weight:600}button.choice small{display:block;color:#57606a;font-size:.88rem}
button.plain,input[type=submit]{padding:.45rem 1rem;border:1px solid #0b5cad;border-radius:.25rem;background:#0b5cad;
 color:#fff;font:inherit;cursor:pointer}
:focus-visible{outline:2px solid #0b5cad;outline-offset:1px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem;margin:1rem 0}dt{color:#57606a}dd{margin:0}
.refusal{padding:1rem;border-left:4px solid #b3261e;background:#fdf0ef;overflow-wrap:anywhere}
"""


def sign_in(action, fields, users, application, hinted=None):
    """The choice of users. `fields` travel along as hidden fields; without `application` nobody asked for a sign-in.

    For `hinted`, whom the application named, Enter is enough.
    """
    choices = "".join(
        f'<li><button class="choice" name="user" value="{_e(user.key)}"{_chosen(user, hinted)}><b>{_e(user.display_name)}</b>'
        f"<small>{_e(user.upn)}</small><small>{_e(user.note)}</small></button></li>"
        for user in users
    )
    target = f"to <b>{_e(application.name)}</b>" if application else "here"
    return _page(
        "Sign in",
        f"""<h1>Sign in {target}</h1>
<p class="quiet">Choose who you are; there are no passwords here.</p>
<form method="post" action="{_e(action)}">{_hidden(fields)}<ul class="choices">{choices}</ul></form>""",
    )


def post(form):
    """The page that posts the response by itself: the one of login.microsoftonline.com, to the letter."""
    return (
        f'<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform"'
        f' action="{_e(form.action)}">{_hidden(form.fields)}<noscript><p>Script is disabled. Click Submit to'
        f' continue.</p><input type="submit" value="Submit" /></noscript></form><script language="javascript">'
        f"document.forms[0].submit();</script></body></html>"
    )


def refused(refusal):
    """The page on which a sign-in ends when Entra does not trust the request."""
    now = datetime.datetime.utcnow()
    return _page(
        "Sign in",
        f"""<h1>Sign in</h1>
<p>Sorry, the sign-in cannot go on.</p>
<p class="refusal" role="alert">{_e(str(refusal))}</p>
<h2>Troubleshooting details</h2>
<dl><dt>Error code</dt><dd id="code">{_e(refusal.code)}</dd>
<dt>Request Id</dt><dd><code>{uuid.uuid4()}</code></dd>
<dt>Correlation Id</dt><dd><code>{uuid.uuid4()}</code></dd>
<dt>Timestamp</dt><dd>{now:%Y-%m-%dT%H:%M:%SZ}</dd></dl>""",
    )


def home(service, session):
    """What a portal would show: who is signed in, the applications, how to start one without being asked."""
    if session:
        title = f"Lookalike Entra ID, {session.user.display_name} signed in"
        who = f"""<p>Applications that ask get <b>{_e(session.user.upn)}</b> without another question.</p>
<form method="post" action="/logout"><button class="plain">Sign out here</button></form>"""
    else:
        title = "Lookalike Entra ID, nobody signed in"
        who = """<form action="/login"><button class="plain">Sign in</button></form>"""
    applications = "".join(_application(service, application) for application in service.applications)
    return _page(
        title,
        f"""<h1>{_e(title)}</h1><p class="quiet">Tenant <code>{_e(service.tenant.tenant_id)}</code></p>
{who}<h2>Applications</h2>{applications}""",
        wide=True,
    )


def signing_out(addresses, location):
    """Tells the applications of a sign-out in hidden frames, then goes on: when all have answered, or after a while."""
    frames = "".join(f'<iframe src="{_e(address)}" hidden onload="answered()"></iframe>' for address in addresses)
    return (
        f"<!DOCTYPE html><html><head><title>Sign out</title><script>let left = {len(addresses)};"
        f"function go() {{ location.replace({json.dumps(location)}); }}"
        f"function answered() {{ if (--left === 0) go(); }} setTimeout(go, 5000);</script></head>"
        f"<body><h1>You are being signed out</h1>{frames}</body></html>"
    )


def signed_out():
    """Where an application's answer leads, in its frame."""
    return _page("Signed out", "<h1>Signed out</h1>")


def not_found(path):
    return _page("Not found", f"<h1>Not found</h1><p>There is nothing at <code>{_e(path)}</code>.</p>")


def _application(service, application):
    document = service.metadata_url(application)
    identifiers = "<br>".join(f"<code>{_e(identifier)}</code>" for identifier in application.identifiers)
    reply_urls = "<br>".join(f"<code>{_e(url)}</code>" for url in application.reply_urls)
    launch = f"""<form method="post" action="/launch">{_hidden({"appid": application.app_id})}
<button class="plain">Open it, as My Apps would</button></form>"""
    return f"""<h3>{_e(application.name)}</h3><dl>
<dt>Identifier (Entity ID)</dt><dd>{identifiers}</dd><dt>Reply URL</dt><dd>{reply_urls}</dd>
<dt>Signing option</dt><dd>sign {_e(application.sign)}, {_e(application.digest.upper())}</dd>
<dt>Sign on URL</dt><dd><code>{_e(application.sign_on_url or "none")}</code></dd>
<dt>Metadata</dt><dd><a href="{_e(document)}">App Federation Metadata</a></dd></dl>{launch}"""


def _page(title, body, wide=False):
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{_e(title)}</title><style>{_STYLE}</style></head>
<body><header>This is a <b>lookalike</b> of Microsoft Entra ID for demo and tests, not Microsoft.</header>
<main{' class="wide"' if wide else ""}>{body}</main></body></html>"""


def _chosen(user, hinted):
    return ' autofocus aria-current="true"' if user is hinted else ""


def _hidden(fields):
    return "".join(f'<input type="hidden" name="{_e(name)}" value="{_e(value)}" />' for name, value in fields.items())


def _e(text):
    return html.escape(text, quote=True)
