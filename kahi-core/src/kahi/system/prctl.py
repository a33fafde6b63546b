"""prctl, which Python has no call for."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38

_function: Callable[..., int] | None = None


def load() -> None:
    """Look the function up, so that a child between fork and exec only has to call it."""
    global _function
    if _function is None and sys.platform == "linux":
        import ctypes

        _function = ctypes.CDLL(None, use_errno=True).prctl
        _function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4  # type: ignore[attr-defined]


def prctl(option: int, value: int) -> None:
    """Set one thing for the calling process. Raises OSError; ENOTSUP where there is no such call."""
    load()
    if _function is None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    if _function(option, value, 0, 0, 0) != 0:
        import ctypes

        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
