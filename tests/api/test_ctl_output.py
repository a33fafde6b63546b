"""What `kahi ctl` prints: tables, logs, names from outside."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahi.cli.entry import commands
from kahi.cli.terminal import printable
from kahi_api.client import Event, LogPiece
from kahi_api.ctl.events import line
from kahi_api.ctl.output import Merged, Text
from kahi_api.ctl.quick import CONNECTION, FLAGS, parse
from kahi_api.ctl.selection import choose, is_fine
from kahi_api.ctl.shell import words_of
from kahi_api.ctl.table import columns, cut, duration, table


def process(name: str, group: str = "", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "group": group or name,
        "program": group or name,
        "state": "RUNNING",
        "pid": 7,
        "uptime": 3723,
        "description": "",
        **changes,
    }


def test_the_table_is_as_wide_as_it_must_be() -> None:
    lines = table(
        [
            process("web"),
            process("名前", "api", program="x", state="FATAL", pid=0, description="no \x1b[31m"),
        ],
        colored=False,
    )
    assert lines == [
        "NAME      STATE    PID  UPTIME   DESCRIPTION",
        "web       RUNNING  7    1:02:03",
        r"api:名前  FATAL    -    -        no \x1b[31m",
    ]


def test_colours_are_around_the_state_only_and_never_cut() -> None:
    rows = [process("web", description="x" * 50)]
    whole = table(rows, colored=True)[1]
    assert whole.startswith("web   \x1b[32mRUNNING\x1b[0m  7")
    for width in range(1, 60):
        row = table(rows, colored=True, width=width)[1]
        plain = row.replace("\x1b[32m", "").replace("\x1b[0m", "")
        assert columns(plain) <= width
        assert row.count("\x1b") in (0, 2)


@given(st.text(), st.integers(-2, 50))
def test_cutting_never_exceeds_the_width(text: str, width: int) -> None:
    short = cut(text, width)
    assert columns(short) <= max(width, 0)
    if columns(text) <= width:
        assert short == text


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0, 59, 3600, 90061)] == [
        "0:00:00",
        "0:00:59",
        "1:00:00",
        "1d 1:01:01",
    ]


@pytest.mark.fault("A9")
@given(st.text())
def test_printable_text_does_nothing_to_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


def test_names_and_patterns() -> None:
    processes = [process("web"), process("w_0", "w"), process("w_1", "w")]

    def chosen(*names: str) -> tuple[list[str], list[str]]:
        found, unknown = choose(processes, names)
        return [each["name"] for each in found], unknown

    assert chosen() == (["web", "w_0", "w_1"], [])
    assert chosen("all", "none") == (["web", "w_0", "w_1"], ["none"])
    assert chosen("w:*") == (["w_0", "w_1"], [])
    assert chosen("w_1", "w_1", "web:web") == (["web", "w_1"], [])
    assert chosen("w_?", "x*", "x:w_0") == (["w_0", "w_1"], ["x*", "x:w_0"])


def test_what_is_fine() -> None:
    assert is_fine(process("web"))
    ended = process("once", state="EXITED", oneshot=True, expected_exit=True)
    assert is_fine(ended)
    assert not is_fine({**ended, "expected_exit": False})
    assert not is_fine({**ended, "oneshot": False})
    assert not is_fine(process("web", state="EXITED"))


def test_text_for_a_terminal_is_escaped_and_other_text_is_not() -> None:
    escaped = Text(escaped=True)
    assert escaped(b"a\tb\r\n\x1b[2Jc\r\xc3") == "a\tb\n\\x1b[2Jc\\r"
    assert escaped(b"\xa4\xff") == "ä\ufffd"


@given(st.lists(st.binary()))
def test_bytes_survive_where_nothing_is_escaped(pieces: list[bytes]) -> None:
    text = Text(escaped=False)
    decoded = "".join(map(text, pieces)) + text(b"")
    whole = b"".join(pieces)
    assert whole.startswith(decoded.encode("utf-8", "surrogateescape"))


def test_merged_logs_keep_lines_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stdout)
    merged = Merged(["web", "worker"])
    merged.show("web", LogPiece(b"one\ntw", 6))
    merged.show("worker", LogPiece(b"w\xff\n", 9))
    merged.show("web", LogPiece(b"o\n\nrest", 12))
    merged.finish()
    assert stdout.buffer.getvalue() == (  # type: ignore[attr-defined]
        b"web    | one\nworker | w\xff\nweb    | two\nweb    | \nweb    | rest\n"
    )


def test_events_on_a_line() -> None:
    event = Event(
        "PROCESS_STATE_EXITED",
        7,
        {
            "serial": 7,
            "time": "2026-11-25T00:00:00.250Z",
            "name": "web",
            "group": "web",
            "expected": False,
            "spawn_error": "",
            "why": "a b",
        },
    )
    assert line(event) == '2026-11-25T00:00:00.250Z PROCESS_STATE_EXITED web expected=false why="a b"'
    assert line(Event("PROCESS_GROUP_ADDED", 1, {"group": "g\x1b"})) == r"PROCESS_GROUP_ADDED g\x1b"


def test_lines_of_the_shell() -> None:
    assert words_of("status  'a b' web ") == ["status", "a b", "web"]
    assert words_of("  ") == words_of(" # nothing") == []


words = st.sampled_from(
    [
        *CONNECTION,
        *FLAGS,
        "status",
        "health",
        "ready",
        "--process",
        "web",
        "api:*",
        "--watch",
        "--",
        "-h",
        "--sock",
    ]
)


@given(st.lists(words, max_size=6))
def test_quick_answers_understand_a_command_line_as_the_commands_do(arguments: list[str]) -> None:
    import click

    plain = parse(arguments)
    if plain is None:
        return
    with commands.make_context("kahi", ["ctl", *arguments]) as ctx:
        _, group, rest = commands.resolve_command(ctx, ["ctl", *arguments])
        assert isinstance(group, click.Group)
        with group.make_context("ctl", list(rest), ctx) as middle:
            name, command, rest = group.resolve_command(middle, [*middle._protected_args, *middle.args])
            assert command is not None
            with command.make_context(name, list(rest), middle) as inner:
                target = inner.obj
                assert name == plain.command
                assert {field: getattr(target, field) for field in target.__slots__} == {
                    field: getattr(plain.target, field) for field in target.__slots__
                }
                if name == "status":
                    assert list(inner.params["names"]) == plain.names
                    assert inner.params["as_json"] == ("--json" in plain.flags)
                    assert inner.params["no_color"] == ("--no-color" in plain.flags)
                    assert not inner.params["watch"]
                elif name == "ready":
                    assert [n for n in inner.params["names"].split(",") if n] == plain.names
