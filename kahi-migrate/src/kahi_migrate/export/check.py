"""Where a health check looks, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from kahi.config.values import parse_endpoint

LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - asked, not listened on


@dataclass(frozen=True, slots=True)
class Target:
    """A place to ask; ``host`` is "" for the container itself, ``path`` "" for other kinds than http."""

    host: str
    port: int
    scheme: str = ""
    path: str = ""


def http_target(url: str) -> Target:
    """What an http check asks."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Target(_other(parts.hostname or ""), port, parts.scheme, path)


def tcp_target(endpoint: str) -> Target:
    """What a tcp check asks."""
    host, port = parse_endpoint(endpoint)
    return Target(_other(host), port)


def _other(host: str) -> str:
    return "" if host in LOCAL else host
