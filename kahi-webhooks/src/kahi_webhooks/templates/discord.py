"""Discord's webhooks: one embed, that mentions nobody."""

from __future__ import annotations

import re
from typing import Any, Final

from kahi_webhooks.notice import Notice, Severity, shortened

COLORS: Final[dict[Severity, int]] = {
    "info": 0x439FE0,
    "warning": 0xDAA038,
    "error": 0xD50200,
    "critical": 0xA30200,
}
LONGEST_VALUE: Final = 1024
"""Characters that the value of a field has at most."""

_MARKDOWN: Final = re.compile(r"([\\*_~`|>#\[\]<:@])")


def discord(notice: Notice) -> dict[str, Any]:
    """A message without mentions, whatever the text says."""
    return {
        "embeds": [
            {
                "title": notice.type,
                "description": _escaped(notice.text),
                "color": COLORS[notice.severity],
                "timestamp": notice.timestamp,
                "fields": [
                    {"name": word, "value": shortened(_escaped(value), LONGEST_VALUE), "inline": True}
                    for word, value in notice.facts
                ],
            }
        ],
        "allowed_mentions": {"parse": []},
    }


def _escaped(text: str) -> str:
    """Text without meaning in Discord's Markdown."""
    return _MARKDOWN.sub(r"\\\1", text)
