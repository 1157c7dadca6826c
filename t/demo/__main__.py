# SPDX-License-Identifier: GPL-3.0-or-later
"""`./try demo`: start the site, say what there is to see, end on Ctrl-C."""

import argparse
import signal
import sys
import time

from .site import Site

PORT = 8443
ENTRA_PORT = 8444

TEXT = """
  The demo runs. Open

      {url}

  Your browser will warn twice about certificates made a moment ago, for the application and for the
  lookalike of Entra ID: go on, or import {authority} as a certificate authority.

  Sign in as
{users}
  What to look for
      1. The page you asked for comes after the sign-in, with every claim as an environment variable.
      2. {url}admin wants the role Editor: ada gets in, ben gets a page that says why not;
         its reference stands in {log} too, with the rule that failed.
      3. {url}public is open to everybody and knows who is signed in all the same.
      4. After the sign-out your session is gone, and Back does not bring the page back. The lookalike has
         signed you out as well, as Microsoft does, and asks again who you are. The other way round: sign
         out at {entra}, and the application forgets you too.
      5. A program is told where to sign in, not redirected:
         curl -k -H 'Accept: application/json' {url}
      6. Reload httpd, and you are still signed in:
         kill -USR1 {pid}

  httpd's configuration is {root}/httpd.conf.
  Ctrl-C ends the demo and removes everything.
"""


def main():
    arguments = _arguments()
    asked_to_stop = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: asked_to_stop.append(True))
    try:
        with Site(arguments.module, arguments.port, arguments.entra_port) as site:
            print(_text(site), flush=True)
            while site.alive():
                if asked_to_stop:
                    print("\nThe demo ends.", flush=True)
                    return 0
                time.sleep(0.1)
            print(f"httpd has ended:\n{site.complaint()}", file=sys.stderr)
    except RuntimeError as error:
        print(error, file=sys.stderr)
    return 1


def _text(site):
    users = "".join(f"      {user.key:<6}{user.note}\n" for user in site.entra.users.values())
    return TEXT.format(
        url=site.url,
        authority=site.root / "authority.pem",
        users=users,
        log=site.log,
        entra=f"{site.entra.base_url}/",
        pid=site.httpd.pid,
        root=site.root,
    )


def _arguments():
    parser = argparse.ArgumentParser(prog="./try demo", description="The demo of mod_entra_saml.")
    parser.add_argument("--module", required=True, help="the built mod_entra_saml.so")
    parser.add_argument("--port", type=int, default=PORT, help=f"httpd's port on loopback (default {PORT})")
    parser.add_argument("--entra-port", type=int, default=ENTRA_PORT, help=f"the lookalike's (default {ENTRA_PORT})")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
