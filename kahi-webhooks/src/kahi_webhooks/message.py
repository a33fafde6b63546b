"""A notice in its final form: a body, and the headers that go with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from kahi_webhooks.notice import Notice
from kahi_webhooks.settings import WebhookSettings
from kahi_webhooks.signature import HEADER, signature
from kahi_webhooks.templates import Form


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted, the same in each attempt."""

    notice: Notice
    body: bytes
    content_type: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def headers(self, settings: WebhookSettings, now: float) -> dict[str, str]:
        """The headers of one attempt; the signature has the time of the attempt in it."""
        headers = {
            "Content-Type": self.content_type,
            "X-Kahi-Event": self.notice.type,
            "X-Kahi-Delivery": self.id,
        }
        secret = settings.secret.get_secret_value()
        if secret:
            headers[HEADER] = signature(secret, self.body, int(now))
        return headers


def message_of(notice: Notice, form: Form) -> Message:
    """Put a notice into a form."""
    return Message(notice, form.body(notice), form.content_type)
