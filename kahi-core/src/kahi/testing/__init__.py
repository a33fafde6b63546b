"""For those who write plugins: a real supervisor in a test, a clock of the test's own, and a check.

With pytest nothing has to be imported: the fixture ``supervise`` is there as soon as kahi-core is
installed. Nothing in here is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kahi.testing.checks import check_plugin as check_plugin
    from kahi.testing.clock import FakeClock as FakeClock
    from kahi.testing.running import Running as Running
    from kahi.testing.starting import supervise as supervise

_PLACES = {
    "FakeClock": "kahi.testing.clock",
    "Running": "kahi.testing.running",
    "check_plugin": "kahi.testing.checks",
    "supervise": "kahi.testing.starting",
}

__all__ = ["FakeClock", "Running", "check_plugin", "supervise"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
