"""Where the code of plugins ends and that of the daemon begins: what is caught there."""

from __future__ import annotations

import asyncio
from typing import Final

AWAITED_ERRORS: Final = (Exception, SystemExit)
"""What a coroutine of a plugin may raise without hurting anybody: errors, and an attempt to end the
program. A cancellation is the daemon's own."""

PLUGIN_ERRORS: Final = (*AWAITED_ERRORS, asyncio.CancelledError)
"""What a plain function of a plugin may raise without hurting anybody: the same, and the result of a
future that was cancelled."""
