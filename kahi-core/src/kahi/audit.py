"""The record of who changed what: one log record for each change that comes from outside.

The records are in the daemon's log whatever its level is, under the logger ``kahi.audit``; as JSON
they hold their parts one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 300
"""Characters of a part, after which it is cut off."""

log = logging.getLogger("kahi.audit")
log.setLevel(logging.INFO)


def audit(who: str, what: str, on: Sequence[str], result: str) -> None:
    """Record a change, or an attempt that was refused.

    Args:
        who: whom the system vouches for: a user id, a user name and an address, or ``signal``.
        what: what was asked for.
        on: what it was to be done to, as it was named: processes, groups, patterns.
        result: ``ok``, or why not.
    """
    parts = {"who": plain(who), "what": plain(what), "on": plain(" ".join(on)), "result": plain(result)}
    subject = f" on {parts['on']}" if on else ""
    log.info(
        "audit: %s: %s%s: %s", parts["who"], parts["what"], subject, parts["result"], extra={"audit": parts}
    )


def plain(text: str) -> str:
    """``text`` on one line, with everything escaped that is not printable."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in cut)
