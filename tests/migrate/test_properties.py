"""What holds for every configuration that supervisord takes: it migrates, loads and runs the same."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kahi.config.expansion import expand
from kahi.errors import ConfigError
from kahi_migrate.comparison import compare
from kahi_migrate.draft import Value
from kahi_migrate.expression import Reference, placeholder, render, variable
from kahi_migrate.migration import migrate
from kahi_migrate.writing import write_value
from tests.migrate.generated import ENVIRON, Files, configurations
from tests.migrate.migrating import all_plugins

MAY_DIFFER = {"name", "group", "priority", "stdout", "stderr", "environment"}
"""What Kahi can not always keep, which then is said."""


@settings(max_examples=100, deadline=None)
@given(configurations(wrong=False))
def test_what_changes_is_said(files: Files) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = files.write(Path(name))
        try:
            done = migrate(str(path), all_plugins(), ENVIRON, source_format="supervisord")
        except ConfigError:
            # Two sections can still contradict each other; the values of each are right.
            return
        tomllib.loads(done.text)
        different = [process for process in compare(done.draft, done.config) if process.differs]
        assert not different or any(note.level == "warning" for note in done.draft.notes)
        for process in different:
            assert {row.what for row in process.rows if row.differs} <= MAY_DIFFER, process


PARTS: Mapping[Reference, str] = {
    variable("X"): "of x",
    placeholder("here"): "/srv",
    placeholder("process_num", "02d"): "03",
}


@settings(max_examples=400, deadline=None)
@example(["$", variable("X")])
@example(["%", placeholder("here"), "%", "(here)s %% $$ ${X}"])
@given(st.lists(st.one_of(st.text("%$({}:-)sxn", max_size=6), st.sampled_from(list(PARTS))), max_size=6))
def test_what_is_rendered_expands_to_what_was_meant(parts: list[str | Reference]) -> None:
    meant = "".join(part if isinstance(part, str) else PARTS[part] for part in parts)
    assert expand(render(parts), {"here": "/srv", "process_num": 3}, {"X": "of x"}) == meant


@settings(max_examples=400, deadline=None)
@example("\nbegins with a newline")
@example("'''\"\"\"\n\\")
@example("\r\n")
@given(
    st.one_of(
        st.text("\n\"'\\ a\t\x01é\r", max_size=12),
        st.lists(st.text("\n\"'\\a", max_size=4), max_size=4),
        st.integers(-(2**31), 2**31),
        st.booleans(),
    )
)
def test_what_is_written_is_read_back(value: Value) -> None:
    assert tomllib.loads(f"key = {write_value(value)}") == {"key": value}
