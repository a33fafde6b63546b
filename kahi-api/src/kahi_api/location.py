"""Where the control socket is, for the daemon and for its clients. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping


def default_socket(environ: Mapping[str, str], uid: int) -> str:
    """The control socket when neither the configuration nor the caller names one."""
    if uid == 0:
        return "/var/run/kahi.sock"
    runtime = environ.get("XDG_RUNTIME_DIR")
    return f"{runtime}/kahi.sock" if runtime else f"/tmp/kahi-{uid}.sock"  # noqa: S108
