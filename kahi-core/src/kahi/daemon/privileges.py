"""Limits and identity of the daemon itself."""

from __future__ import annotations

import logging
import os
import resource

from kahi.errors import KahiError
from kahi.identity import find_identity
from kahi.system import System

log = logging.getLogger(__name__)


class LimitTooLow(KahiError):
    """The daemon may not have what ``minfds`` or ``minprocs`` ask for."""


def raise_limits(system: System, minfds: int, minprocs: int) -> None:
    """Raise the limits of open files and processes where they are lower.

    Raises:
        LimitTooLow: the hard limit is below, and may not be raised.
    """
    _raise_limit(system, "minfds", resource.RLIMIT_NOFILE, minfds)
    _raise_limit(system, "minprocs", resource.RLIMIT_NPROC, minprocs)


def _raise_limit(system: System, key: str, limit: int, wanted: int) -> None:
    soft, hard = system.limits(limit)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    new_hard = hard if hard == resource.RLIM_INFINITY or hard >= wanted else wanted
    try:
        system.set_limit(limit, wanted, new_hard)
    except (OSError, ValueError):
        raise LimitTooLow(
            f"{key} = {wanted} cannot be had: the soft limit is {soft}, the hard limit {hard}"
        ) from None


def drop_privileges(system: System, user: str) -> None:
    """Become ``user`` for good; "" stays.

    Raises:
        KahiError: the user is unknown, or a step failed; the daemon must not go on then.
    """
    if not user:
        if os.geteuid() == 0:
            log.warning('running as root: set [supervisor] user, or user = "root" for programs that need it')
        return
    identity = find_identity(user)
    if identity is None:
        return
    try:
        system.set_identity(identity.uid, identity.gid, identity.groups)
    except OSError as error:
        raise KahiError(f"cannot become user {user}: {os.strerror(error.errno or 0)}") from None
    if os.getuid() != identity.uid or os.geteuid() != identity.uid or os.getgid() != identity.gid:
        raise KahiError(f"did not become user {user}")
