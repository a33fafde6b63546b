"""Health: probes, what processes tell about themselves, and what follows from both."""

from __future__ import annotations

from kahi.health.health import Health as Health

__all__ = ["Health"]
