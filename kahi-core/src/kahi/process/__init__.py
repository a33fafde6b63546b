"""One supervised process: the state machine driven with a real child, its output and its timer."""

from __future__ import annotations

from kahi.process.host import Health, Host, Prepare
from kahi.process.process import Process

__all__ = ["Health", "Host", "Prepare", "Process"]
