"""Slack's incoming webhooks: blocks beside a coloured bar."""

from __future__ import annotations

from typing import Any, Final

from kahi_webhooks.notice import Notice, Severity, shortened

COLORS: Final[dict[Severity, str]] = {
    "info": "#439fe0",
    "warning": "#daa038",
    "error": "#d50200",
    "critical": "#a30200",
}
LONGEST_FIELD: Final = 2000


def slack(notice: Notice) -> dict[str, Any]:
    """A message; all that comes from outside is ``plain_text``, which has no mark-up."""
    return {
        "text": _escaped(notice.text),
        "attachments": [
            {
                "color": COLORS[notice.severity],
                "fallback": _escaped(notice.text),
                "blocks": [
                    {"type": "section", "text": _plain(notice.text)},
                    {
                        "type": "context",
                        "elements": [
                            *(_plain(f"{word}: {value}") for word, value in notice.facts),
                            _plain(f"{notice.type}, {notice.timestamp}"),
                        ],
                    },
                ],
            }
        ],
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": shortened(text, LONGEST_FIELD), "emoji": False}


def _escaped(text: str) -> str:
    """The three characters with which Slack's mark-up makes links and mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
