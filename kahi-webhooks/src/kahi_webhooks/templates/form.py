"""What a form is: it decides which notices are sent, and makes the bodies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from kahi_webhooks.notice import Notice


class Form(Protocol):
    """The form of a webhook's bodies. May remember what it was shown."""

    content_type: str

    def takes(self, notice: Notice) -> bool:
        """Whether ``notice`` is sent; asked once for each, in order."""
        ...

    def body(self, notice: Notice) -> bytes:
        """What is sent; only asked for what it takes."""
        ...


class JsonForm:
    """A form that a plain function gives, for everything."""

    content_type = "application/json"

    def __init__(self, make: Callable[[Notice], dict[str, Any]]) -> None:
        self._make = make

    def takes(self, notice: Notice) -> bool:
        """Everything."""
        return True

    def body(self, notice: Notice) -> bytes:
        """JSON."""
        return as_json(self._make(notice))


def as_json(value: Any) -> bytes:
    """JSON that every reader takes: ASCII, and no NaN."""
    return json.dumps(value, allow_nan=False, default=str).encode()
