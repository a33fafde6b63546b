"""The daemon's own log: opened first, closed last, and its level changed while it is open."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Final

from kahi.config.models import SupervisorSettings
from kahi.config.values import parse_syslog
from kahi.definition import StreamSettings
from kahi.errors import KahiError, SpawnError
from kahi.identity import find_identity
from kahi.output import (
    LEVELS,
    DaemonLogHandler,
    DataPlane,
    OutputSettings,
    OutputStream,
    StreamKey,
    SyslogTarget,
)

LOG_MEMORY: Final = 256 * 1024
"""Bytes of the daemon's own log that stay in memory for readers, where it is no file."""


def output_settings(settings: SupervisorSettings) -> OutputSettings:
    """What the configuration says about the output of all programs."""
    kind, host, port = parse_syslog(settings.syslog.address)
    return OutputSettings(
        console_format=settings.log_format,
        auto_directory=settings.childlogdir,
        identifier=settings.identifier,
        syslog=SyslogTarget(kind, host, port, settings.syslog.facility, settings.syslog.priority),
    )


async def open_own_log(plane: DataPlane, settings: SupervisorSettings, user: str) -> OutputStream:
    """Open the log and have everything logged there.

    Args:
        user: whom the daemon becomes later on, and who has to be able to rotate the log then.

    Raises:
        KahiError: the log file can not be opened.
    """
    stream = plane.stream(StreamKey(settings.identifier, "", "log"), _log_settings(settings, user))
    opened: asyncio.Future[SpawnError | None] = plane.loop.create_future()
    stream.open(opened.set_result)
    error = await opened
    if error is not None:
        raise KahiError(f"cannot open log file {settings.logfile}: {error.reason}")
    logging.getLogger().addHandler(DaemonLogHandler(stream, settings.log_format))
    set_level(settings)
    return stream


def set_level(settings: SupervisorSettings) -> None:
    """Log from the configured level on."""
    logging.getLogger().setLevel(LEVELS[settings.log_level])


def close_own_log() -> None:
    """Log nothing any more."""
    root = logging.getLogger()
    for handler in tuple(root.handlers):
        if isinstance(handler, DaemonLogHandler):
            root.removeHandler(handler)


def _log_settings(settings: SupervisorSettings, user: str) -> StreamSettings:
    identity = find_identity(user) if user else None
    return StreamSettings(
        logfile=os.path.abspath(settings.logfile) if settings.logfile else "/dev/stdout",
        maxbytes=settings.logfile_maxbytes,
        backups=settings.logfile_backups,
        buffer_maxbytes=LOG_MEMORY,
        owner=None if identity is None else (identity.uid, identity.gid),
    )
