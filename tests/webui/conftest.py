"""A browser, and daemons that it can reach."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import Daemon

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-precise-memory-info",
]

HASH = "$2b$04$daevg5og8unOiPFWy49mQO3FrAApS/rsJeNAkTC0GpDhc58tolTgu"
"""Of ``demo``."""


@dataclass
class Site:
    """A daemon and how a browser reaches it; what went wrong in the browser is in ``problems``."""

    running: Daemon
    url: str
    browser: Browser
    problems: list[str] = field(default_factory=list)

    def open(self, path: str = "/", **options: Any) -> Page:
        """A page in a context of its own; ``options`` are those of Playwright's contexts."""
        context = self.browser.new_context(
            http_credentials={"username": "demo", "password": "demo"},
            **{"viewport": {"width": 1440, "height": 900}} | options,
        )
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.problems.append(f"{message.text} {message.location}")
                if message.type == "error"
                else None
            ),
        )
        page.goto(self.url + path)
        return page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def site(daemon: Callable[..., Daemon], browser: Browser) -> Iterator[Callable[..., Site]]:
    """Starts a daemon that serves its page over TCP; nothing may go wrong in the browser unseen."""
    made: list[Site] = []

    def start(toml: str, **options: Any) -> Site:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        http = (
            f"[server.http]\nenabled = true\nlisten = '{address}'\nusername = 'demo'\npassword = '{HASH}'\n"
        )
        running = daemon(f"{toml}\n{http}", **options)
        made.append(Site(running, f"http://{address}", browser))
        return made[-1]

    yield start
    for each in made:
        for context in each.browser.contexts:
            context.close()
        assert each.problems == []
