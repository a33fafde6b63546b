"""Kahi: a process supervisor whose core is small and whose everything else is a plugin."""

from __future__ import annotations

from kahi.version import __version__ as __version__

__all__ = ["__version__"]
