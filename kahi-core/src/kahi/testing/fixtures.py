"""The pytest plugin: what every test has once kahi-core is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from kahi.testing.running import Running


@pytest.fixture
def supervise() -> Iterator[Callable[..., Running]]:
    """Starts real supervisors, as [kahi.testing.supervise][] does; all end with the test."""
    from kahi.testing import starting

    with ExitStack() as ending:

        def start(toml: str, plugins: starting.Plugins = (), **options: Any) -> Running:
            return ending.enter_context(starting.supervise(toml, plugins, **options))

        yield start
