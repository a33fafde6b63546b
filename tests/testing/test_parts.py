"""The parts of the kit that need no supervisor."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

import kahi.testing
from kahi.events import EventBus, SupervisorStateEvent
from kahi.hookspecs import ConfigSection, hookimpl
from kahi.testing import FakeClock, check_plugin


class Settings(BaseModel):
    """A table."""

    file: str = ""


async def coroutine(ctx: object) -> None:
    """Async where a plain function is due."""


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"kahi_setup": hookimpl(lambda ctx: None)}, ""),
        (
            {"kahi_setpu": hookimpl(lambda ctx: None)},
            "there is no hook kahi_setpu (did you mean 'kahi_setup'?)",
        ),
        ({"kahi_setup": hookimpl(lambda context: None)}, "kahi_setup has no argument 'context'"),
        ({"kahi_setup": hookimpl(coroutine)}, "kahi_setup must be a plain function, not async"),
        ({"kahi_prepare_spawn": hookimpl(lambda request: None)}, "must be a coroutine"),
        ({"kahi_event": hookimpl(events="tick_7")(lambda event: None)}, "there is no event 'tick_7'"),
        ({"kahi_requires": ["other"]}, "other"),
        (
            {"kahi_config_sections": hookimpl(lambda: [ConfigSection("programs", Settings)])},
            "[programs] belongs to core",
        ),
        ({"kahi_config_sections": hookimpl(lambda: [Settings])}, "in place of a list of ConfigSection"),
        ({"kahi_config_sections": hookimpl(lambda: 1 / 0)}, "division by zero"),
        ({"kahi_health_checks": hookimpl(lambda: {"http": Settings})}, "'http' belongs to core"),
    ],
)
def test_a_plugin_is_checked_without_a_daemon(attributes: dict[str, Any], problem: str) -> None:
    found = check_plugin(SimpleNamespace(**attributes), "sample")
    if problem:
        assert len(found) == 1
        assert found[0].startswith("sample: ")
        assert problem in found[0]
    else:
        assert found == []


def test_a_plugin_is_checked_beside_those_that_it_requires() -> None:
    other = SimpleNamespace(kahi_config_sections=hookimpl(lambda: [ConfigSection("table", Settings)]))
    sample = SimpleNamespace(kahi_requires=["other"])
    assert check_plugin(sample, "sample", beside={"other": other}) == []
    sample.kahi_config_sections = other.kahi_config_sections
    assert "belongs to plugin 'other'" in check_plugin(sample, "sample", beside={"other": other})[0]


def test_the_clock_is_moved_by_the_test() -> None:
    clock = FakeClock(now=5.0, epoch=1000.0)
    clock.advance(2.5)
    assert (clock.monotonic(), clock.wall_clock()) == (7.5, 1002.5)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    bus = EventBus(clock.wall_clock)
    bus.publish(SupervisorStateEvent(state="RUNNING"))
    assert bus.history()[0].time == 1002.5


def test_pauses_take_no_time_on_the_clock() -> None:
    clock = FakeClock()

    async def wait() -> bool:
        with anyio.move_on_after(3600) as scope:
            await anyio.sleep(86400)
        return scope.cancelled_caught

    assert clock.run(wait())
    assert clock.monotonic() == 4600.0


def test_the_package_gives_what_it_names() -> None:
    for name in kahi.testing.__all__:
        assert getattr(kahi.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        kahi.testing.nothing  # noqa: B018


def test_the_pytest_plugin_costs_next_to_nothing_until_it_is_used() -> None:
    code = (
        "import sys\nimport pytest\nbefore = set(sys.modules)\nimport kahi.testing.fixtures\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kahi", "kahi.testing", "kahi.testing.fixtures", "kahi.version"]
