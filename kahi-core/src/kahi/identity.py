"""Who a child, or the daemon itself, is to run as."""

from __future__ import annotations

import errno
import grp
import os
import pwd
from dataclasses import dataclass

from kahi.errors import SpawnError


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a child runs as; the account's data fill the environment of another user's child."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str
    shell: str


def find_identity(wanted: str) -> Identity | None:
    """Look up ``user``, ``user:group`` or ``uid:gid``.

    Returns:
        None when that is who the daemon is already, so that there is nothing to change.

    Raises:
        SpawnError: no such user or group, or the daemon is not root and may not change.
    """
    user, _, group = wanted.partition(":")
    account = _account(user)
    gid = _group_id(group) if group else account.gid
    groups = tuple(os.getgrouplist(account.name, gid)) if account.name else (gid,)
    is_ours = account.uid == os.geteuid() and (not group or gid == os.getegid())
    if is_ours and (os.geteuid() != 0 or not group):
        return None
    if os.geteuid() != 0:
        raise SpawnError(
            "become user", wanted, errno.EPERM, "only a daemon that runs as root can change the user"
        )
    return Identity(account.uid, gid, groups, account.name, account.home, account.shell)


def _account(user: str) -> Identity:
    try:
        found = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        if user.isdecimal():
            return Identity(int(user), int(user), (), "", "/", "/bin/sh")
        raise SpawnError("become user", user, reason="no such user") from None
    return Identity(found.pw_uid, found.pw_gid, (), found.pw_name, found.pw_dir, found.pw_shell)


def _group_id(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise SpawnError("become group", group, reason="no such group") from None
