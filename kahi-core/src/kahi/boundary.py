"""Where the code of plugins ends and that of the daemon begins: what is caught there."""

from __future__ import annotations

import asyncio
from typing import Final

PLUGIN_ERRORS: Final = (Exception, SystemExit, asyncio.CancelledError)
"""What a plain function of a plugin may raise without hurting anybody: errors, an attempt to end the
program, and the result of a future that was cancelled. (In a coroutine, a cancellation is the
daemon's own.)"""
