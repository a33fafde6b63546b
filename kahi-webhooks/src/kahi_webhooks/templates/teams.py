"""Microsoft Teams: an adaptive card, for workflows and incoming webhooks."""

from __future__ import annotations

from typing import Any, Final

from kahi_webhooks.notice import Notice, Severity

COLORS: Final[dict[Severity, str]] = {
    "info": "accent",
    "warning": "warning",
    "error": "attention",
    "critical": "attention",
}


def teams(notice: Notice) -> dict[str, Any]:
    """A message with one card; what comes from outside stands in text runs, which have no mark-up."""
    rows = [*notice.facts, ("Event", notice.type), ("Time", notice.timestamp)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": notice.text,
        "body": [
            _line(_run(notice.text, weight="bolder", color=COLORS[notice.severity])),
            *(_line(_run(f"{word}: ", weight="bolder"), _run(value)) for word, value in rows),
        ],
    }
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": card,
            }
        ],
    }


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "spacing": "small", "inlines": list(runs)}


def _run(text: str, **looks: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **looks}
