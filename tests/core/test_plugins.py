"""The plugin manager: discovery, order, registration checks, isolation."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from kahi.config.config import Config
from kahi.config.loading import PROGRAM_TABLES
from kahi.config.models import SupervisorSettings
from kahi.entrypoints import EntryPoint
from kahi.errors import KahiError, Problem
from kahi.events import EventBus, ProcessGroupEvent
from kahi.hookspecs import CORE_TABLES, ConfigSection, Service, hookimpl, hookspec
from kahi.plugins import HookFailed, PluginManager, PluginMissing

CONFIG = Config("/none", SupervisorSettings(), {})


def module(name: str = "sample", **attributes: Any) -> ModuleType:
    """A plugin."""
    made = ModuleType(name)
    vars(made).update(attributes)
    return made


def status(plugins: PluginManager) -> dict[str, str]:
    """What the plugins are, or why they are not."""
    return {info.name: info.reason or info.status for info in plugins.list()}


def registered(plugin: Any, name: str = "sample") -> PluginManager:
    """A manager with one plugin."""
    plugins = PluginManager()
    plugins.register(plugin, name)
    return plugins


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], EntryPoint]]:
    """Makes modules that can be imported, and their entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names: list[str] = []

    def make(name: str, code: str) -> EntryPoint:
        names.append(f"{name}_made")
        (tmp_path / f"{name}_made.py").write_text(code)
        return EntryPoint(name, f"{name}_made", f"kahi-{name}", "1.0")

    yield make
    for name in names:
        sys.modules.pop(name, None)


def discovered(found: Sequence[EntryPoint], disabled: Sequence[str] = ()) -> PluginManager:
    """A manager that looked at ``found``."""
    plugins = PluginManager()
    plugins.discover(disabled, found=found)
    return plugins


# Discovery and order


@pytest.mark.parametrize(
    ("disabled", "environ", "why"),
    [
        (["broken"], "", "by disabled_plugins"),
        (["all"], "", "by disabled_plugins"),
        ([], "other, broken", "by $KAHI_DISABLE_PLUGINS"),
        ([], "all", "by $KAHI_DISABLE_PLUGINS"),
    ],
)
def test_what_is_disabled_is_not_imported(
    importable: Callable[[str, str], EntryPoint],
    monkeypatch: pytest.MonkeyPatch,
    disabled: list[str],
    environ: str,
    why: str,
) -> None:
    monkeypatch.setenv("KAHI_DISABLE_PLUGINS", environ)
    plugins = discovered([importable("broken", "raise AssertionError('imported')")], disabled)
    assert status(plugins) == {"broken": why}
    assert plugins.list()[0].status == "disabled"
    with pytest.raises(PluginMissing, match="is disabled: by"):
        plugins.require(["broken"])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1/0", "import failed: ZeroDivisionError('division by zero')"),
        ("import no_such_module", "import failed: ModuleNotFoundError(\"No module named 'no_such_module'\")"),
        ("import sys; sys.exit(3)", "import failed: SystemExit(3)"),
        ("def", "import failed: SyntaxError"),
    ],
)
def test_one_that_can_not_be_imported_is_named_once_with_its_traceback(
    importable: Callable[[str, str], EntryPoint], caplog: pytest.LogCaptureFixture, code: str, reason: str
) -> None:
    with caplog.at_level(logging.ERROR):
        plugins = discovered([importable("broken", code), importable("fine", "")])
    assert status(plugins)["broken"].startswith(reason)
    assert status(plugins)["fine"] == "active"
    [record] = caplog.records
    assert "plugin broken: import failed" in record.getMessage()
    assert record.exc_info
    with pytest.raises(PluginMissing, match="required plugin 'broken' is failed: import failed"):
        plugins.require(["fine", "broken"])
    with pytest.raises(PluginMissing, match="required plugin 'other' is not installed"):
        plugins.require(["other"])


REPORTING = """
from kahi.hookspecs import hookimpl
kahi_requires = {requires!r}
@hookimpl
def kahi_validate_config(config):
    config.append(__name__.removesuffix("_made"))
"""


def test_plugins_are_called_by_name_after_what_they_require(
    importable: Callable[[str, str], EntryPoint],
) -> None:
    requires = {"a": ["d"], "b": [], "c": ["e", "b"], "d": [], "e": ["a"]}
    plugins = discovered([importable(n, REPORTING.format(requires=r)) for n, r in requires.items()])
    order: list[str] = []
    plugins.validate_config(order)  # type: ignore[arg-type]
    assert order == ["d", "a", "b", "e", "c"]
    assert plugins.list()[2].requires == ("e", "b")


def test_what_can_not_be_ordered_fails_by_name(importable: Callable[[str, str], EntryPoint]) -> None:
    requires = {"a": ["b"], "b": ["c"], "c": ["b"], "d": ["nobody"], "e": ["off"], "off": [], "f": ["x"]}
    found = [importable(n, REPORTING.format(requires=r)) for n, r in requires.items()]
    found += [importable("x", "1/0"), importable("g", "kahi_requires = 'f'"), importable("h", "")]
    plugins = discovered(found, ["off"])
    why = status(plugins)
    assert why["b"] == why["c"] == "plugins require each other: b -> c -> b"
    assert why["a"].startswith("requires plugin 'b', which")
    assert why["d"] == "requires plugin 'nobody', which is not installed"
    assert why["e"] == "requires plugin 'off', which is disabled"
    assert why["f"] == "requires plugin 'x', which failed"
    assert why["g"] == "kahi_requires is no list of names"
    assert why["h"] == "active"


def test_one_that_fails_takes_those_along_that_require_it() -> None:
    plugins = PluginManager()
    told: list[str] = []

    def fail() -> None:
        raise KahiError("no")

    plugins.register(module("a", kahi_setup=hookimpl(fail)), "a")
    plugins.register(module("b", kahi_requires=["a"], kahi_setup=hookimpl(lambda: told.append("b"))), "b")
    plugins.register(module("c", kahi_setup=hookimpl(lambda: told.append("c"))), "c")
    plugins.on_failure = told.append
    plugins.setup(None)  # type: ignore[arg-type]
    assert status(plugins) == {
        "a": "kahi_setup failed: no",
        "b": "requires plugin 'a', which failed",
        "c": "active",
    }
    assert told == ["a", "b", "c"]


# Registration


async def coroutine() -> None: ...
def plain(request: Any) -> None: ...
def generator(ctx: Any) -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("hook", "function", "problem"),
    [
        ("kahi_setpu", lambda: None, "there is no hook kahi_setpu (did you mean 'kahi_setup'?)"),
        (
            "kahi_setup",
            lambda ctxt: None,
            "kahi_setup has no argument 'ctxt' (did you mean 'ctx'?) (it has: ctx)",
        ),
        ("kahi_addhooks", lambda ctx: None, "kahi_addhooks has no argument 'ctx' (it has: none)"),
        ("kahi_setup", lambda *a: None, "kahi_setup: name the arguments that are needed in place of *a"),
        (
            "kahi_setup",
            lambda ctx=1: None,
            "kahi_setup: argument 'ctx' must be positional and have no default",
        ),
        (
            "kahi_setup",
            lambda *, ctx: None,
            "kahi_setup: argument 'ctx' must be positional and have no default",
        ),
        ("kahi_setup", coroutine, "kahi_setup must be a plain function, not async"),
        ("kahi_prepare_spawn", plain, "kahi_prepare_spawn must be a coroutine (async def)"),
        ("kahi_services", generator, "kahi_services must not be a generator"),
    ],
)
def test_a_wrong_hook_is_an_error_not_silence(
    hook: str, function: Any, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = SimpleNamespace(**{hook: hookimpl(function)})
    plugins = registered(plugin)
    assert problem in status(plugins)["sample"]
    assert plugins.list()[0].status == "failed"
    assert f"plugin sample: {problem}" in caplog.text


def test_other_mistakes_of_registration() -> None:
    import pluggy

    wrapper = pluggy.HookimplMarker("kahi")(wrapper=True)(generator)
    assert "wrapper is not supported" in status(registered(module(kahi_services=wrapper)))["sample"]
    unmarked = status(registered(module(kahi_setup=lambda ctx: None)))["sample"]
    assert unmarked == "kahi_setup is not marked with @hookimpl"

    class Plugin:
        @hookimpl
        def kahi_setup(self, ctx: object) -> None: ...

    assert "is the class Plugin" in status(registered(Plugin))["sample"]
    assert registered(Plugin()).list()[0].hooks == ("kahi_setup",)


def test_all_mistakes_are_named_at_once() -> None:
    plugin = module(kahi_setpu=hookimpl(lambda: None), kahi_reload=hookimpl(lambda now: None))
    assert "; " in status(registered(plugin))["sample"]


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (["process_state", "TICK_5", "event", "sample_sent"], "active"),
        (["proces_state"], "there is no event 'proces_state'"),
        (["tick_7"], "there is no event 'tick_7'"),
    ],
)
def test_a_filter_names_events(events: list[str], problem: str) -> None:
    plugin = module(kahi_event=hookimpl(events=events)(lambda event: None))
    assert status(registered(plugin)) == {"sample": problem}


def test_only_events_have_a_filter() -> None:
    plugin = module(kahi_setup=hookimpl(events="tick")(lambda ctx: None))
    assert status(registered(plugin)) == {"sample": "kahi_setup has no filter: events is for kahi_event"}


def test_a_plugin_may_implement_a_hook_several_times() -> None:
    seen: list[str] = []
    plugin = module(
        one=hookimpl(specname="kahi_event", events="process_group_added")(lambda: seen.append("one")),
        two=hookimpl(specname="kahi_event")(lambda event: seen.append(event.type)),
    )
    plugins = registered(plugin)
    bus = EventBus(lambda: 0.0)
    for name, callback, types in plugins.event_callbacks():
        bus.subscribe(callback, *types, owner=name)
    bus.publish(ProcessGroupEvent(group="a", added=True))
    bus.publish(ProcessGroupEvent(group="a", added=False))
    assert sorted(seen) == ["PROCESS_GROUP_ADDED", "PROCESS_GROUP_REMOVED", "one"]


# Hooks of plugins


def specifications() -> ModuleType:
    """Hooks of a plugin."""

    @hookspec
    def kahi_greet(name: str) -> str:
        """Say hello."""
        raise NotImplementedError

    @hookspec
    async def kahi_judge(name: str) -> bool | None:
        """Decide."""
        raise NotImplementedError

    return module("specifications", kahi_greet=kahi_greet, kahi_judge=kahi_judge)


def greeters() -> PluginManager:
    """A plugin with hooks, and three that implement them."""
    plugins = PluginManager()
    plugins.register(module("adder", kahi_addhooks=hookimpl(lambda: [specifications()])), "adder")

    async def yes(name: str) -> bool | None:
        return True if name == "friend" else None

    async def broken(name: str) -> bool:
        raise ValueError(name)

    def divide(name: str) -> float:
        return 1 / 0

    plugins.register(
        module("a", kahi_greet=hookimpl(lambda name: f"hi {name}"), kahi_judge=hookimpl(yes)), "a"
    )
    plugins.register(module("b", kahi_greet=hookimpl(divide), kahi_judge=hookimpl(broken)), "b")
    plugins.register(module("c", kahi_greet=hookimpl(lambda: None)), "c")
    plugins.register(module("d", kahi_greet=hookimpl(lambda name: name)), "d")
    return plugins


@pytest.mark.fault("W4")
def test_who_raises_is_left_out_and_counted() -> None:
    plugins = greeters()
    assert plugins.call("kahi_greet", name="x") == [("a", "hi x"), ("d", "x")]
    assert [info.errors for info in plugins.list()] == [0, 0, 1, 0, 0]
    assert plugins.implements("kahi_greet")
    assert not plugins.implements("kahi_nothing")


def test_the_first_answer_counts_and_an_error_before_it_fails_closed() -> None:
    plugins = greeters()
    assert plugins.first("kahi_greet", name="x") == "hi x"
    assert asyncio.run(plugins.first_async("kahi_judge", name="friend")) is True
    with pytest.raises(HookFailed, match=r"plugin b: kahi_judge failed: ValueError\('stranger'\)"):
        asyncio.run(plugins.first_async("kahi_judge", name="stranger"))
    assert asyncio.run(plugins.call_async("kahi_judge", name="friend")) == [("a", True)]
    plugins.fail("a", "gone")
    with pytest.raises(HookFailed, match="plugin b: kahi_greet failed"):
        plugins.first("kahi_greet", name="x")


def test_a_hook_that_is_not_async_must_not_return_an_awaitable() -> None:
    plugins = greeters()
    plugins.register(module("e", kahi_greet=hookimpl(lambda: coroutine())), "e")
    assert "e" not in dict(plugins.call("kahi_greet", name="x"))
    assert {info.name: info.errors for info in plugins.list()}["e"] == 1


def test_hooks_that_are_there_already_make_their_second_owner_fail() -> None:
    plugins = greeters()
    plugins.register(module("late", kahi_addhooks=hookimpl(lambda: [specifications()])), "late")
    assert status(plugins)["late"].startswith("kahi_addhooks failed")
    plugins.register(module("empty", kahi_addhooks=hookimpl(lambda: [module()])), "empty")
    assert status(plugins)["empty"].startswith("kahi_addhooks failed")


def test_an_absent_hook_may_be_optional() -> None:
    plugin = module(kahi_api_routes=hookimpl(optionalhook=True)(lambda ctx: []))
    plugins = registered(plugin)
    assert status(plugins) == {"sample": "active"}
    assert plugins.list()[0].hooks == ()


def test_a_hook_on_its_way_out_warns_who_implements_it(caplog: pytest.LogCaptureFixture) -> None:
    @hookspec(warn_on_impl=DeprecationWarning("kahi_old goes in 0.9: use kahi_greet"))
    def kahi_old() -> None:
        """Gone soon."""

    plugins = PluginManager()
    added = module("old", kahi_old=kahi_old)
    plugins.register(module("adder", kahi_addhooks=hookimpl(lambda: [added])), "adder")
    plugins.register(module(kahi_old=hookimpl(lambda: None)), "sample")
    assert status(plugins)["sample"] == "active"
    assert "plugin sample: kahi_old goes in 0.9: use kahi_greet" in caplog.text


# Isolation


def test_the_same_error_is_logged_once_and_counted_always(caplog: pytest.LogCaptureFixture) -> None:
    def fail(config: object) -> None:
        raise ValueError("no")

    plugins = registered(module(kahi_validate_config=hookimpl(fail)))
    for _ in range(5):
        assert plugins.validate_config(CONFIG) == []
    assert plugins.list()[0].errors == 5
    assert plugins.list()[0].status == "active"
    [record] = caplog.records
    assert record.getMessage().startswith("plugin sample: kahi_validate_config raised")
    assert "ValueError: no" in caplog.text


@pytest.mark.fault("W4")
@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), KahiError("no")])
def test_nothing_that_is_raised_gets_out(error: BaseException) -> None:
    def fail() -> None:
        raise error

    plugins = registered(module(kahi_reload=hookimpl(fail)))
    plugins.reload(None, CONFIG, CONFIG)  # type: ignore[arg-type]
    assert plugins.list()[0].errors == 1


@pytest.mark.parametrize("answer", [5, [5], "text", [ConfigSection]])
def test_an_answer_of_the_wrong_kind_is_an_error(answer: object) -> None:
    plugins = registered(module(kahi_config_sections=hookimpl(lambda: answer)))
    assert plugins.declare_sections() == ()
    assert status(plugins)["sample"].startswith("kahi_config_sections failed")
    plugins = registered(module(kahi_validate_config=hookimpl(lambda: answer)))
    assert plugins.validate_config(CONFIG) == []
    assert plugins.list()[0].errors == 1


def test_answers_are_collected() -> None:
    problem = Problem("", 0, "", "wrong")
    service = Service("one", lambda: None)  # type: ignore[arg-type,return-value]
    plugins = registered(
        module(
            kahi_validate_config=hookimpl(lambda: [problem]),
            kahi_services=hookimpl(lambda ctx: (service,)),
        )
    )
    assert plugins.validate_config(CONFIG) == [problem]
    assert plugins.services(None) == [("sample", service)]  # type: ignore[arg-type]


class Settings(BaseModel):
    """Some table."""

    key: int = 1


def test_tables_belong_to_one_plugin() -> None:
    plugins = PluginManager()
    tables = {
        "a": [ConfigSection("a", Settings), ConfigSection("health", Settings, in_program=True)],
        "b": [ConfigSection("health", Settings)],
        "c": [ConfigSection("a", Settings)],
        "d": [ConfigSection("programs", Settings)],
    }
    for name, sections in tables.items():
        plugins.register(module(name, kahi_config_sections=hookimpl(lambda each=sections: each)), name)
    assert [section.name for section in plugins.declare_sections()] == ["a", "health", "health"]
    assert status(plugins)["c"] == "kahi_config_sections: 'a' belongs to plugin 'a'"
    assert status(plugins)["d"] == "kahi_config_sections: [programs] belongs to core"
    assert plugins.list()[0].tables == ("a", "health")


def test_tables_of_core_are_reserved() -> None:
    assert {"supervisor", "include", "groups", *PROGRAM_TABLES} <= CORE_TABLES


def test_whose_code_a_function_is() -> None:
    import functools

    plugins = registered(module("sample_package.plugin"))
    function = lambda: None  # noqa: E731
    function.__module__ = "sample_package.inner"
    assert plugins.owner_of(function) == "sample"
    assert plugins.owner_of(functools.partial(function)) == "sample"
    assert plugins.owner_of(print) == ""
    assert plugins.owner_of_module("elsewhere") == ""
