"""Random edits of a configuration: nobody whose definition stays the same is disturbed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kahi.config.config import Config
from kahi.config.loading import load
from kahi.errors import ConfigError
from kahi.lifecycle import State
from tests.core.fakes import FakeClockLoop, FakeSystem, supervise

programs = st.fixed_dictionaries(
    {"command": st.sampled_from(["/bin/a", "/bin/b"])},
    optional={
        "numprocs": st.integers(0, 3),
        "priority": st.integers(0, 3),
        "umask": st.sampled_from(["022", "077"]),
        "startsecs": st.sampled_from([0, 2]),
        "autostart": st.booleans(),
        "autorestart": st.booleans(),
        "stdout_logfile_backups": st.integers(0, 2),
        "redirect_stderr": st.booleans(),
        "description": st.sampled_from(["x", "y"]),
        # Mistakes:
        "nice": st.sampled_from([0, 5, 99]),
        "stopsignal": st.sampled_from(["TERM", "INT", "NOPE"]),
    },
)
members = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3)
configs = st.fixed_dictionaries(
    {"programs": st.dictionaries(st.sampled_from(["a", "b", "c"]), programs)},
    optional={
        "groups": st.fixed_dictionaries(
            {}, optional={name: st.fixed_dictionaries({"programs": members}) for name in ("g", "z")}
        ),
        "supervisor": st.fixed_dictionaries({"log_level": st.sampled_from(["info", "loud"])}),
    },
)


def toml(value: Any, path: str = "") -> str:
    """As much TOML as the strategies need."""
    lines = [f"[{path}]"] if path else []
    tables = []
    for key, item in value.items():
        if isinstance(item, dict):
            tables.append(toml(item, f"{path}.{key}" if path else key))
        else:
            text = str(item).lower() if isinstance(item, bool) else str(item).replace("'", '"')
            lines.append(f'{key} = "{item}"' if isinstance(item, str) else f"{key} = {text}")
    return "\n".join([*lines, *tables]) + "\n"


@pytest.mark.fault("C4")
@settings(max_examples=150, deadline=None)
@given(st.lists(configs, min_size=1, max_size=5))
def test_random_edits(versions: list[dict[str, Any]]) -> None:
    loop = FakeClockLoop()
    system = FakeSystem(loop)
    supervisor = supervise(loop, system, [])
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "kahi.toml"

        def read() -> Config:
            return load(str(path), environ={})

        supervisor._reloader._load = read
        for version in versions:
            path.write_text(toml(version))
            before = {name: (p.definition, p.pid, p.state) for name, p in supervisor.processes.items()}
            old = supervisor.config
            try:
                new = read()
            except ConfigError:
                new = None
            try:
                preview = loop.finish(supervisor.reread())
                report = loop.finish(supervisor.update())
            except ConfigError:
                assert new is None
                assert supervisor.config is old
                after = {name: (p.definition, p.pid, p.state) for name, p in supervisor.processes.items()}
                assert after == before, "a broken configuration changed something"
                continue
            assert new is not None
            assert report == preview
            loop.pass_time(5)
            wanted = {p.name: p for group in new.groups.values() for p in group.processes}
            assert set(supervisor.processes) == set(wanted)
            for name, definition in wanted.items():
                process = supervisor.process(name)
                assert process.definition == definition
                assert process.group == definition.group
                known = before.get(name)
                if known is None:
                    assert (process.state is State.RUNNING) == definition.autostart
                elif known[0] == definition or (
                    known[0].spawn == definition.spawn and known[0].group == definition.group
                ):
                    assert process.pid == known[1], "disturbed although nothing fixed changed"
                else:
                    assert process.pid != known[1] or known[1] == 0
            leaders = {child.pid for child in system.children.values()}
            assert leaders == {p.pid for p in supervisor.processes.values() if p.pid}
    supervisor.ending.request("the test is over")
    loop.finish(supervisor.ending.stop_everything())
    assert system.children == {}
    supervisor._host.reaper.close()
    loop.settle()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
