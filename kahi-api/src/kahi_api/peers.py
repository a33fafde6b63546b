"""Who may use the control socket when the mode of its file alone does not decide it."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Iterable

from kahi.errors import KahiError
from kahi.system import PeerIdentity
from kahi_api.settings import OWNER_ONLY, UnixSettings


class UnknownPeer(KahiError):
    """A user or group that does not exist; ``key`` is the key of the configuration."""

    def __init__(self, key: str, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"[server.unix] {key}: {reason}")


def admission_of_peers(settings: UnixSettings) -> Callable[[PeerIdentity], bool] | None:
    """Whom the settings let connect; None when only the owner can, by the mode of the file.

    Root and the daemon's own user always may.

    Raises:
        UnknownPeer: a user or group that does not exist.
    """
    if not settings.mode & ~OWNER_ONLY:
        return None
    users = _ids("user", settings.allow_users, lambda name: pwd.getpwnam(name).pw_uid)
    groups = _ids("group", settings.allow_groups, lambda name: grp.getgrnam(name).gr_gid)

    def admits(peer: PeerIdentity) -> bool:
        return peer.uid in (0, os.geteuid()) or peer.uid in users or not groups.isdisjoint(peer.groups)

    return admits


def _ids(kind: str, names: Iterable[str], find: Callable[[str], int]) -> frozenset[int]:
    found: set[int] = set()
    for name in names:
        try:
            found.add(int(name) if name.isdecimal() else find(name))
        except KeyError:
            raise UnknownPeer(f"allow_{kind}s", f"there is no {kind} {name!r}") from None
    return frozenset(found)
