# SPDX-License-Identifier: GPL-3.0-or-later
"""EntraSAMLSessionsFrom a host whose metadata comes later, and is replaced while the server runs."""

from entra import Application
from entra.service import Service
from people import USERS
from refreshing import LATER, clock, entra, everywhere, make_httpd, microsoft, pass_time, roll_over, signed_in, until, visitor_of, wait_ready
from server import ORIGIN, free_ports
from test_scopes import SECOND, host_lines
from visitor import Visitor

__all__ = ["clock", "entra", "make_httpd", "microsoft"]  # fixtures


def test_a_host_that_becomes_ready_later(make_httpd, entra, clock, keys):
    tenant, signer = keys
    [port] = free_ports(1)
    second = Service([Application([f"{SECOND}/saml/metadata"], [f"{SECOND}/saml/acs"], signer=signer)], tenant=tenant, users=USERS)
    lines = f"Define SECOND {port}\nListen 127.0.0.1:{port} https\n"
    lines += host_lines("SECOND", SECOND, f"EntraSAMLSessionsFrom {ORIGIN}/saml/metadata").replace("/cgi-bin/", "/unused/")
    httpd = make_httpd(start=False, server=lines)
    (httpd.root / "SECOND.xml").write_bytes(second.metadata(second.applications[0]))
    httpd.network.add(SECOND, port)
    entra.publication.status = 500
    httpd.start()
    until(lambda: httpd.log.find("metadata-unreachable"), "the log line")
    httpd.expect("metadata-unreachable", 1)

    # The first has no metadata, and so no sessions; the second has its own all the same.
    nobody = visitor_of(httpd, entra)
    assert nobody.open(f"{ORIGIN}/").status == 503 and nobody.open(f"{SECOND}/").status == 303
    own = Visitor(httpd.network, second)
    assert own.sign_in(f"{SECOND}/").text == "in"

    # Now it has, in every process, and its sessions are good at the second.
    entra.publication.status = 200
    pass_time(entra, clock, 60)
    wait_ready(httpd, entra)
    ada = visitor_of(httpd, entra)
    assert ada.sign_in(f"{ORIGIN}/").text == "in"
    everywhere(httpd, lambda: ada.open(f"{SECOND}/").status == 200)

    # Another key of Microsoft's: the same connection, made anew.
    roll_over(entra)
    pass_time(entra, clock, LATER)
    until(lambda: signed_in(httpd, entra), "the new key")
    assert visitor_of(httpd, entra).sign_in(f"{ORIGIN}/").text == "in"
    ben = visitor_of(httpd, entra)
    ben.sign_in(f"{ORIGIN}/", "ben")
    everywhere(httpd, lambda: ben.open(f"{SECOND}/").status == 200)
