"""Sending a test to one webhook, from the command line and without the daemon."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator

from kahi.errors import KahiError
from kahi_webhooks.exchange import NarrowTls, make_exchange
from kahi_webhooks.failure import AttemptFailed
from kahi_webhooks.message import message_of
from kahi_webhooks.notice import TEST, TEST_OVER, Notice, Origin, trial_notice
from kahi_webhooks.settings import WebhookSettings
from kahi_webhooks.templates import PAGERDUTY, make_form


async def try_out(name: str, settings: WebhookSettings, identifier: str, narrow: NarrowTls) -> list[str]:
    """Post a test, without retries; returns what to tell.

    Raises:
        KahiError: it was not delivered, and why.
    """
    exchange = make_exchange(narrow)
    form = make_form(settings.template, settings.routing_key.get_secret_value())
    told: list[str] = []
    for notice in _notices(name, settings, Origin(identifier, platform.node())):
        message = message_of(notice, form)
        begin = time.monotonic()
        try:
            status = await exchange.post(settings, message.body, message.headers(settings, time.time()))
        except AttemptFailed as error:
            said = f", and said: {error.said}" if error.said else ""
            raise KahiError(f"{name}: {error}{said}") from None
        took = (time.monotonic() - begin) * 1000
        told.append(f"{name}: {settings.target.origin} answered {status} after {took:.0f} ms")
    return told


def _notices(name: str, settings: WebhookSettings, origin: Origin) -> Iterator[Notice]:
    yield trial_notice(TEST, name, origin, time.time())
    if settings.template == PAGERDUTY:
        # No incident stays open.
        yield trial_notice(TEST_OVER, name, origin, time.time())
