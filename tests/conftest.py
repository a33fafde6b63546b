"""What all tests share: the real program in a directory of its own, and waiting without sleeping."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import settings

from tests import invariants
from tests.support import Daemon
from tests.terminal import Terminal

pytest_plugins = ["tests.robustness"]

# Some machines keep Python from storing what it compiled: each of a thousand daemons would compile it all again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Others have it write each piece of a line by itself: what two threads print at one time ends in one line then.
os.environ.pop("PYTHONUNBUFFERED", None)

# What runs the tests in the background may ignore them, and all that tests start would ignore them too.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)

hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.register_profile("searching", derandomize=False)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

QUICK = frozenset(
    {"test_first_run", "test_groups", "test_reload", "test_shutdown", "test_spawning", "test_states"}
)
"""Those tests of the real program that belong to the quick tier. Each of the others takes seconds of a core to
start daemons: all together, they take a quarter of an hour on two cores."""

# How long an example takes says more about the machine than about the code.
settings.register_profile("kahi", deadline=None)
settings.load_profile("kahi")


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A directory whose path is short enough for a Unix socket."""
    directory = Path(tempfile.mkdtemp(prefix="kahi-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def daemon(short_tmp: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons: ``daemon(toml, *arguments)``; what still runs at the end is looked at closely, and killed."""
    started: list[Daemon] = []
    broken = frozenset(str(name) for marker in request.node.iter_markers("breaks") for name in marker.args)
    assert broken <= invariants.NAMES, f"no such invariant: {broken}"

    def start(toml: str, *arguments: str, **options: object) -> Daemon:
        running = Daemon(short_tmp, toml, arguments, **options)  # type: ignore[arg-type]
        started.append(running)
        return running

    yield start
    try:
        for running in started:
            invariants.check_running(running, broken)
    finally:
        for running in started:
            running.end()
    invariants.check_gone(short_tmp / "k.sock", broken)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Starts programs on terminals of their own: ``terminal(command, environ)``."""
    started: list[Terminal] = []

    def start(*arguments: object, **options: object) -> Terminal:
        started.append(Terminal(*arguments, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture
def kahi() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line to its end."""

    def run(
        *arguments: str, environ: dict[str, str] | None = None, **options: object
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kahi", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **(environ or {})},
            **options,  # type: ignore[call-overload]
        )

    return run


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this machine can not do, and say why."""
    reasons = {
        "needs_root": "" if os.geteuid() == 0 else "needs root",
        "needs_strace": "" if shutil.which("strace") else "needs strace",
        "needs_namespaces": "" if os.geteuid() == 0 and shutil.which("unshare") else "needs root and unshare",
    }
    if not (shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")):
        reasons["needs_browser"] = "needs Chromium"
    elif importlib.util.find_spec("playwright") is None:
        reasons["needs_browser"] = "needs Playwright"
    for item in items:
        if item.path.parent.name == "e2e" and item.path.stem not in QUICK:
            item.add_marker(pytest.mark.slow)
        for name, reason in reasons.items():
            if reason and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """No test leaves a signal handler behind."""
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)
