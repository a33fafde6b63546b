"""The seam to the operating system."""

from __future__ import annotations

from kahi.system.peers import MAX_DATAGRAM as MAX_DATAGRAM
from kahi.system.peers import PeerIdentity as PeerIdentity
from kahi.system.system import IS_LINUX as IS_LINUX
from kahi.system.system import ExitInfo as ExitInfo
from kahi.system.system import System as System
from kahi.system.table import ProcessEntry as ProcessEntry

__all__ = ["IS_LINUX", "MAX_DATAGRAM", "ExitInfo", "PeerIdentity", "ProcessEntry", "System"]
