# SPDX-License-Identifier: GPL-3.0-or-later
"""One request after the other over HTTP/2, with exactly the headers it is given: names in lower case, as the protocol
wants them, but otherwise whatever a test means a client to send."""

import socket
import ssl
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events

from client import TIMEOUT
from cookies import origin_of


class Http2:
    def __init__(self, network, origin, certificate):
        port, _ = network.places[origin_of(origin)]
        self.host = urlsplit(origin).hostname
        tls = ssl.create_default_context(cafile=certificate)
        tls.set_alpn_protocols(["h2"])
        self.socket = tls.wrap_socket(socket.create_connection(("127.0.0.1", port), TIMEOUT), server_hostname=self.host)
        assert self.socket.selected_alpn_protocol() == "h2", "the server does not speak HTTP/2"
        # What may be sent is for the server to judge.
        config = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def ask(self, path, headers, method="GET"):
        """(status, headers, body) of one request."""
        stream = self.connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", self.host), (":path", path)]
        sent = [(name.lower(), value.encode() if isinstance(value, str) else value) for name, value in headers]
        self.connection.send_headers(stream, [*pseudo, *sent], end_stream=True)
        self.flush()
        got, body = [], b""
        while True:
            data = self.socket.recv(65536)
            assert data, "httpd hung up"
            for event in self.connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    got = event.headers
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    self.connection.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamEnded):
                    self.flush()
                    return int(dict(got)[b":status"]), got, body
                assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event
            self.flush()
