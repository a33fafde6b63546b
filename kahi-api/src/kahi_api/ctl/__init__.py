"""`kahi ctl`: operate a running daemon. Imports nothing that a single command does not need."""

from __future__ import annotations

from kahi_api.ctl.group import ctl as ctl

__all__ = ["ctl"]
