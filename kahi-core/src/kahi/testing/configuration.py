"""The configuration of a supervisor in a test: its files are nobody else's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

_HEADER: Final = re.compile(r"^[ \t]*\[[ \t]*supervisor[ \t]*\].*$", re.MULTILINE)


def write_configuration(toml: str, path: Path) -> None:
    """Write a configuration, with a log and a place of AUTO logs beside it unless it names others."""
    path.write_text(_with_own_places(toml, path.parent), encoding="utf-8")


def _with_own_places(toml: str, directory: Path) -> str:
    try:
        table = tomllib.loads(toml).get("supervisor", {})
    except tomllib.TOMLDecodeError:
        return toml  # Whoever reads it tells where it is wrong.
    places = {"logfile": directory / "daemon.log", "childlogdir": directory}
    lines = "".join(f"{key} = '{place}'\n" for key, place in places.items() if key not in table)
    if _HEADER.search(toml):
        return _HEADER.sub(lambda header: f"{header[0]}\n{lines}", toml, count=1)
    return f"{toml}\n[supervisor]\n{lines}"
