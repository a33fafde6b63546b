"""Where the configuration is when nobody says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from kahi.errors import NoConfigFound

SYSTEM_PLACES: Final = ("/etc/kahi/kahi.toml", "/etc/kahi.toml")
LOCAL_PLACE: Final = "kahi.toml"


def find(environ: Mapping[str, str], *, uid: int | None = None) -> str:
    """The configuration file to use when none is named.

    As root, a ``kahi.toml`` in the working directory counts only when root owns it and the
    directory, so that nobody else can plant one.

    Raises:
        NoConfigFound: with all places that were looked at.
    """
    named = environ.get("KAHI_CONFIG")
    if named:
        return os.path.abspath(named)
    is_root = (os.geteuid() if uid is None else uid) == 0
    places = (LOCAL_PLACE, *SYSTEM_PLACES)
    for place in places:
        if os.path.isfile(place) and not (place == LOCAL_PLACE and is_root and not _owned_by_root(place)):
            return os.path.abspath(place)
    raise NoConfigFound(("$KAHI_CONFIG", f"./{LOCAL_PLACE}", *SYSTEM_PLACES))


def _owned_by_root(path: str) -> bool:
    return os.stat(path).st_uid == 0 and os.stat(os.path.dirname(os.path.abspath(path))).st_uid == 0
