"""Hooks that the migrator adds for other plugins; they are called like those of core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kahi.hookspecs import hookspec

if TYPE_CHECKING:
    from kahi_migrate.source import SourceFormat
    from kahi_migrate.target import TargetFormat


@hookspec
def kahi_migrate_formats() -> Sequence[SourceFormat]:  # type: ignore[empty-body]
    """Give formats that `kahi migrate` can read.

    A format whose name another plugin has given already is refused with an error that names both.

    Called: once by each `kahi migrate`, never by the daemon.
    Exception: logged; the formats of others can be used all the same.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_migrate_formats():
            return [SourceFormat("programs", "one program a line", recognise, read)]
    """


@hookspec
def kahi_export_formats() -> Sequence[TargetFormat]:  # type: ignore[empty-body]
    """Give formats that `kahi export` can write.

    A format whose name another plugin has given already is refused with an error that names both.

    Called: once by each `kahi export`, never by the daemon.
    Exception: logged; the formats of others can be used all the same.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_export_formats():
            return [TargetFormat("runit", "directories for runit", write)]
    """
