"""The plugin: hooks for formats, and the formats that come with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kahi.hookspecs import hookimpl

if TYPE_CHECKING:
    from kahi_migrate.source import SourceFormat
    from kahi_migrate.target import TargetFormat


@hookimpl
def kahi_addhooks() -> Sequence[object]:
    """Formats of other plugins."""
    from kahi_migrate import hookspecs

    return (hookspecs,)


@hookimpl
def kahi_migrate_formats() -> Sequence[SourceFormat]:
    """What comes with the migrator."""
    from kahi_migrate.procfile import PROCFILE
    from kahi_migrate.supervisord.source import SUPERVISORD

    return (PROCFILE, SUPERVISORD)


@hookimpl
def kahi_export_formats() -> Sequence[TargetFormat]:
    """What comes with the migrator."""
    from kahi_migrate.export.compose import COMPOSE
    from kahi_migrate.export.kubernetes import KUBERNETES
    from kahi_migrate.export.nomad import NOMAD
    from kahi_migrate.export.systemd import SYSTEMD

    return (COMPOSE, KUBERNETES, NOMAD, SYSTEMD)
