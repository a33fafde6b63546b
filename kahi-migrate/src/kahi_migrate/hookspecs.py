"""Hooks that the migrator adds for other plugins; they are called like those of core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kahi.hookspecs import hookspec

if TYPE_CHECKING:
    from kahi_migrate.source import SourceFormat


@hookspec
def kahi_migrate_formats() -> Sequence[SourceFormat]:  # type: ignore[empty-body]
    """Give formats that `kahi migrate` can read.

    Called once by each `kahi migrate`, never by the daemon. A format whose name another plugin has
    given already is refused with an error that names both. An exception is logged; the formats of
    others can be used all the same. Since 0.1.
    """
