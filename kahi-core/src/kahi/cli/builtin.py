"""Which commands there are before any plugin is looked at."""

from __future__ import annotations

from collections.abc import Mapping

CORE: Mapping[str, str] = {
    "daemon": "kahi.cli.daemon:daemon",
    "init": "kahi.cli.init:init",
    "check": "kahi.cli.check:check",
    "plugins": "kahi.cli.plugins:plugins",
    "version": "kahi.cli.version:version",
    "completion": "kahi.cli.completion:completion",
}
"""Commands that are always there."""

OFFICIAL: Mapping[str, str] = {
    "ctl": "api",
    "hash-password": "api",
    "metrics": "metrics",
    "migrate": "migrate",
    "webhook": "webhooks",
    "export": "migrate",
}
"""Commands of the official plugins, and the extra that brings each."""
