"""Serving: sockets, the HTTP protocol, and the server inside the daemon's event loop."""

from __future__ import annotations
