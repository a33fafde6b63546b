"""The program around a supervisor: limits, privileges, signals, logs, plugins, and an orderly end."""

from __future__ import annotations

from kahi.daemon.program import Options as Options
from kahi.daemon.program import run as run

__all__ = ["Options", "run"]
