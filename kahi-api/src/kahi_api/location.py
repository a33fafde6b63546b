"""Where the control socket is, for the daemon and for its clients. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Mapping


def default_socket(environ: Mapping[str, str], uid: int) -> str:
    """The control socket when neither the configuration nor the caller names one."""
    if uid == 0:
        return "/var/run/kahi.sock"
    runtime = environ.get("XDG_RUNTIME_DIR")
    return f"{runtime}/kahi.sock" if runtime else f"/tmp/kahi-{uid}.sock"  # noqa: S108


def socket_of_config(path: str, environ: Mapping[str, str]) -> str:
    """The control socket that a configuration names, "" when it names none or can not be read.

    Args:
        path: the main file; "" looks at the usual places.
    """
    import tomllib

    from kahi.config.expansion import ExpansionError, expand
    from kahi.config.search import find
    from kahi.errors import NoConfigFound

    try:
        found = path or find(environ)
        with open(found, "rb") as file:
            named = tomllib.load(file)["server"]["unix"]["file"]
        here = os.path.dirname(os.path.abspath(found))
        return expand(named, {"here": here, "host_node_name": os.uname().nodename}, environ)
    except (NoConfigFound, OSError, ValueError, KeyError, TypeError, ExpansionError):
        return ""
