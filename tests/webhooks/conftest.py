"""Receivers for the tests of webhooks."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from tests.webhooks.receiver import Behaviour, Receiver


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    """Starts receivers: ``receiver(behave)``."""
    started: list[Receiver] = []

    def start(behave: Behaviour | None = None, tls: ssl.SSLContext | None = None) -> Receiver:
        started.append(Receiver(behave, tls))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment of the tests says about proxies does not count."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
