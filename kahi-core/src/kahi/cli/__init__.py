"""The command line: `kahi` and its commands."""

from __future__ import annotations

from kahi.cli.program import main as main

__all__ = ["main"]
