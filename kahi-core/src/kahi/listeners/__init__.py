"""Pools of processes that get events by supervisord's listener protocol, and the clock they may want."""

from __future__ import annotations

from kahi.listeners.listeners import Listeners as Listeners
from kahi.listeners.pool import Pool as Pool
from kahi.listeners.ticks import Ticks as Ticks

__all__ = ["Listeners", "Pool", "Ticks"]
