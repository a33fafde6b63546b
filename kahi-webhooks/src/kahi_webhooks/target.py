"""Where a webhook points to: the parts of its URL, and which addresses are never connected to.

A URL is part of the configuration, but a name in it leads wherever its owner wants. So the address
that a name has is checked each time, and the connection goes to the address that was checked.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PORTS: Final = {"https": 443, "http": 80}
LOWEST_FREE_PORT: Final = 1024
"""Below it only the ports of the web are allowed: the rest belongs to mail, shells and the like."""

METADATA_ADDRESSES: Final = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # nearly everybody
        "fd00:ec2::254",  # Amazon
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
    )
)
"""Where clouds hand out the credentials of a machine to whoever asks from it."""

_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a webhook's URL that decide where it leads."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """What may be shown of the URL: no credentials, no path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def is_local(self) -> bool:
        """Whether it is this machine by its name or address alone."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return is_loopback(ipaddress.ip_address(self.host))
        except ValueError:
            return False


def parse_target(url: str) -> Target:
    """Take a URL apart.

    Raises:
        ValueError: it can not be used; the URL itself is not in the message.
    """
    if not url.isprintable() or " " in url:
        raise ValueError("has characters that a URL cannot have")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no URL (allowed: https://host/path)") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("is no URL (allowed: https://host/path)")
    host = parts.hostname.partition("%")[0]
    target = Target(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port)
    if target.port < LOWEST_FREE_PORT and target.port not in DEFAULT_PORTS.values():
        raise ValueError(f"port {target.port} is not allowed (allowed: 80, 443 and those from 1024 on)")
    try:
        reason = forbidden(ipaddress.ip_address(host))
    except ValueError:
        return target
    if reason:
        raise ValueError(f"{host} is {reason}")
    return target


def is_loopback(address: Address) -> bool:
    """Whether ``address`` is this machine."""
    return any(each.is_loopback for each in _meanings(address))


def forbidden(address: Address) -> str:
    """Why nothing is ever sent to ``address``; "" when it may be."""
    for each in _meanings(address):
        if each in METADATA_ADDRESSES:
            return "an address where a cloud hands out credentials"
        if each.is_link_local:
            return "a link-local address"
        if each.is_unspecified or each in _THIS_NETWORK:
            return "no address of a machine"
        if each.is_multicast:
            return "an address of many machines"
        if each.is_reserved and not each.is_loopback:
            return "a reserved address"
    return ""


def _meanings(address: Address) -> list[Address]:
    """The address, and the IPv4 address that it carries if it is one of the kinds that do."""
    found: list[Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            # The wrapping itself counts as reserved; what counts is the inside.
            return [inner]
    return found
