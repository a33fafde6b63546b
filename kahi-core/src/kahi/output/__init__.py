"""What processes print, and where it goes: the data plane and its streams."""

from __future__ import annotations

from kahi.output.autolog import remove_auto_logs as remove_auto_logs
from kahi.output.daemonlog import LEVELS as LEVELS
from kahi.output.daemonlog import DaemonLogHandler as DaemonLogHandler
from kahi.output.destinations import OutputSettings as OutputSettings
from kahi.output.lines import begun_character as begun_character
from kahi.output.lines import whole_characters as whole_characters
from kahi.output.logreader import LogRead as LogRead
from kahi.output.outlets import PluginSink as PluginSink
from kahi.output.plane import DataPlane as DataPlane
from kahi.output.stream import Follower as Follower
from kahi.output.stream import OutputStream as OutputStream
from kahi.output.streamkey import StreamKey as StreamKey
from kahi.output.syslog import SyslogTarget as SyslogTarget

__all__ = [
    "LEVELS",
    "DaemonLogHandler",
    "DataPlane",
    "Follower",
    "LogRead",
    "OutputSettings",
    "OutputStream",
    "PluginSink",
    "StreamKey",
    "SyslogTarget",
    "begun_character",
    "remove_auto_logs",
    "whole_characters",
]
