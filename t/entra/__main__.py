# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookalike by itself: `cd t && /usr/bin/python3 -m entra --help`."""

import argparse
import pathlib
import signal
import sys

from . import Application, Entra
from .directory import SIGN_ASSERTION, SIGN_BOTH, SIGN_RESPONSE


def main():
    arguments = _arguments()
    applications = [
        Application([identifier], [reply_url], name=identifier, sign=arguments.sign)
        for identifier, reply_url in arguments.application
    ]
    with Entra(applications, port=arguments.port, tls=not arguments.plain) as entra:
        print(f"Lookalike Entra ID: {entra.base_url}/")
        for application in applications:
            print(f"  {application.name}: {entra.metadata_url(application)}")
        if arguments.folder:
            _write(entra, pathlib.Path(arguments.folder))
        print("Ctrl-C ends it.", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def _write(entra, folder):
    entra.authority.write(folder / "authority.pem")
    for number, application in enumerate(entra.applications, 1):
        entra.write_metadata(folder / f"metadata-{number}.xml", application)
    print(f"authority.pem and metadata-*.xml are in {folder}")


def _arguments():
    parser = argparse.ArgumentParser(prog="python3 -m entra", description="A lookalike of Entra ID on loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--plain", action="store_true", help="http instead of https")
    parser.add_argument("--sign", choices=[SIGN_ASSERTION, SIGN_RESPONSE, SIGN_BOTH], default=SIGN_ASSERTION)
    parser.add_argument("--folder", help="write the metadata files and the certificate authority there")
    parser.add_argument(
        "--application", nargs=2, action="append", metavar=("IDENTIFIER", "REPLY_URL"), required=True,
        help="register an application; may be repeated",
    )
    return parser.parse_args()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    sys.exit(main())
