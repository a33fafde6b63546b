"""What processes print, and where it goes: the data plane and its streams."""

from __future__ import annotations

from kahi.output.autolog import remove_auto_logs as remove_auto_logs
from kahi.output.daemonlog import LEVELS as LEVELS
from kahi.output.daemonlog import DaemonLogHandler as DaemonLogHandler
from kahi.output.plane import DataPlane as DataPlane
from kahi.output.plane import OutputSettings as OutputSettings
from kahi.output.stream import Follower as Follower
from kahi.output.stream import LogRead as LogRead
from kahi.output.stream import OutputStream as OutputStream
from kahi.output.stream import StreamKey as StreamKey

__all__ = [
    "LEVELS",
    "DaemonLogHandler",
    "DataPlane",
    "Follower",
    "LogRead",
    "OutputSettings",
    "OutputStream",
    "StreamKey",
    "remove_auto_logs",
]
