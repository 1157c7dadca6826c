# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: a private httpd that protects a small application, and the lookalike Entra ID, both on loopback.

`./try demo` runs it (__main__.py); the browser test uses Site.
"""
