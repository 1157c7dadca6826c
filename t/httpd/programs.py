# SPDX-License-Identifier: GPL-3.0-or-later
"""CGI programs: what an application sees."""

# Answers its environment as JSON. httpd's children have no locale, hence environb.
ENVIRONMENT = """\
#!/usr/bin/python3 -S
import json, os
print("Content-Type: application/json\\n")
print(json.dumps({name.decode(): value.decode("utf-8") for name, value in os.environb.items()}))
"""

# Answers the same, and leaves a mark that it ran: the folder must be writable for the server's user.
WITNESS = """\
#!/bin/sh
echo ran >> "$(dirname "$0")/../cache/witness"
echo "Content-Type: text/plain"
echo
echo PROTECTED-BY-CGI
"""

# Answers what was posted to it, and where.
ECHO = """\
#!/usr/bin/python3 -S
import json, os, sys
told = {key: os.environ.get(name, "") for key, name in (
    ("method", "REQUEST_METHOD"), ("uri", "REQUEST_URI"), ("type", "CONTENT_TYPE"), ("user", "REMOTE_USER"))}
told["body"] = sys.stdin.buffer.read().decode("latin-1")
print("Content-Type: application/json\\n")
print(json.dumps(told))
"""
