"""What is fuzzed: for each target, what it is fed with, and what has to be true of it."""

from __future__ import annotations

import contextlib
import functools
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kahi import ledger as ledgers
from kahi.config.dotenv import DotenvError, parse_dotenv
from kahi.config.loading import load
from kahi.errors import ConfigError, KahiError, Problem
from kahi.ledger import entries_of, left_of, open_ledger
from kahi.listeners.protocol import MAX_LINE, MAX_RESULT, ListenerProtocol, ListenerState, Word
from kahi.output.ansi import AnsiStripper
from kahi.system import ProcessEntry, System
from kahi_api.client.sse import ServerEvent, events
from kahi_migrate import migration
from kahi_migrate.supervisord.ini import parse
from tests.fuzz.edge import check_edge
from tests.fuzz.mutation import PLACES, cuts, mutated
from tests.migrate.migrating import all_plugins

MOMENTS = 5.0
"""Seconds of CPU that any small input may take, on a machine that is busy."""

ENVIRON = {"HOME": "/home/me", "NUMBER": "2"}


@functools.cache
def _directory() -> Path:
    """A directory for files that are fuzzed, of this process."""
    import atexit

    directory = Path(tempfile.mkdtemp(prefix="kahi-fuzz-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@contextlib.contextmanager
def _within_moments() -> Iterator[None]:
    begin = time.process_time()
    yield
    took = time.process_time() - begin
    assert took < MOMENTS, f"took {took:.1f} s"


def _check_problems(problems: list[Problem], path: Path, lines: int) -> None:
    assert problems, "refused without a reason"
    for problem in problems:
        assert problem.file == str(path), problem
        assert 0 <= problem.line <= lines, problem
        assert problem.message, problem
        assert "\n" not in str(problem), problem


def _lines(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") + 1


def check_config(data: bytes) -> None:
    """A configuration loads, or is refused with file and line."""
    path = _directory() / "kahi.toml"
    path.write_bytes(data)
    with _within_moments():
        try:
            config = load(str(path), sections=all_plugins().sections, environ=ENVIRON, working_directory="/")
        except ConfigError as error:
            _check_problems(list(error.problems), path, _lines(data))
        else:
            assert config.path == str(path)


def check_ini(data: bytes) -> None:
    """A file is taken apart whatever it holds, and every line of it is in one place."""
    text = data.decode("utf-8", "replace")
    with _within_moments():
        file = parse("x.conf", text)
    count = text.count("\n") + 1
    numbers = [line.number for block in file.blocks for setting in block.settings for line in setting.lines]
    assert all(1 <= number <= count for number in numbers)
    assert len(numbers) == len(set(numbers))
    assert all(1 <= problem.line <= count for problem in file.problems)


def check_migration(data: bytes) -> None:
    """A source becomes a configuration that loads, or is refused in words."""
    path = _directory() / "supervisord.conf"
    path.write_bytes(data)
    with _within_moments():
        try:
            migration.migrate(str(path), all_plugins(), ENVIRON, source_format="supervisord")
        except ConfigError as error:
            _check_problems(list(error.problems), path, _lines(data))
        except KahiError as error:
            assert str(error)
            assert "\n" not in str(error)


def check_listener(data: bytes, places: list[int]) -> None:
    """What a listener says means the same however it is split; nothing is kept without a bound."""
    assert _said([data], at_once=False) == _said(cuts(data, places), at_once=False)
    _said(cuts(data, places), at_once=True)


def _said(pieces: list[bytes], *, at_once: bool) -> tuple[list[Word], ListenerState]:
    """What is said, and where the listener is then.

    Args:
        at_once: whether it is given an event as soon as it is ready.
    """
    protocol = ListenerProtocol()
    words: list[Word] = []
    for piece in pieces:
        words += [saying.word for saying in protocol.feed(piece)]
        assert len(protocol._buffer) <= MAX_RESULT + MAX_LINE + len(piece)
        if at_once and protocol.state is ListenerState.READY:
            protocol.sent()
    assert (Word.VIOLATION in words) == (protocol.state is ListenerState.UNKNOWN)
    assert Word.VIOLATION not in words[:-1]
    return words, protocol.state


def check_ansi(data: bytes, places: list[int]) -> None:
    """What is left of a stream does not depend on where it is split, and holds no sequence."""
    whole, split = AnsiStripper(), AnsiStripper()
    expected = whole.strip(data) + whole.finish()
    found = b"".join(map(split.strip, cuts(data, places))) + split.finish()
    assert found == expected
    if b"\x1b" not in data:
        assert found == data


def check_sse(data: bytes, places: list[int]) -> None:
    """Events do not depend on where a stream is split."""
    whole = list(events([data]))
    assert list(events(cuts(data, places))) == whole
    for event in whole:
        assert event is None or isinstance(event, ServerEvent)


def check_dotenv(data: bytes) -> None:
    """Variables, or a complaint that does not tell what the file holds."""
    text = data.decode("utf-8", "replace")
    try:
        with _within_moments():
            variables = parse_dotenv(text)
    except DotenvError as error:
        assert str(error).startswith("line ")
        assert 1 <= int(str(error).split()[1].rstrip(":")) <= text.count("\n") + 1
    else:
        assert all(name and "=" not in name for name in variables)


def check_dotenv_round_trip(variables: dict[str, str]) -> None:
    """What is written as a shell would is read back."""
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
        for name, value in variables.items()
    }
    assert parse_dotenv("".join(f'{name}="{value}"\n' for name, value in escaped.items())) == variables


class _Machine(System):
    """A system that has just booted."""

    def boot_id(self) -> str:
        return "this-boot"

    def boottime(self) -> float:
        return 100.0


def check_ledger(head: bytes, entries: list[tuple[int, float, bytes]], rest: bytes) -> None:
    """Whatever the file of a dead daemon holds, nobody is taken for a child who can not be one."""
    path = _directory() / "hostile.children"
    content = head.ljust(ledgers._HEAD.size, b"\0")[: ledgers._HEAD.size].ljust(ledgers._ENTRY.size, b"\0")
    content += b"".join(ledgers._ENTRY.pack(*entry) for entry in entries) + rest
    path.write_bytes(content)
    machine = _Machine()
    before = ledgers._path
    ledgers._path = lambda config: str(path)  # type: ignore[assignment]
    try:
        ledger, noted = open_ledger("/etc/kahi.toml", machine)
        try:
            for entry in noted:
                assert 1 < entry.pid < 2**31
                assert math.isfinite(entry.at)
                assert 0 <= entry.at <= machine.boottime()
            stranger = ProcessEntry(1, 0, 1, False, session=1, started=0.0)
            assert left_of(noted, [stranger]) == {}
            with ledger.shared() as memory:
                assert entries_of(memory, ledger.mark) == []
                ledger.note(4711, "new")
                assert [entry.pid for entry in entries_of(memory, ledger.mark)] == [4711]
            ledger.forget(4711)
        finally:
            ledger.close()
    finally:
        ledgers._path = before


@dataclass(frozen=True, slots=True)
class Target:
    """Something that is fuzzed: ``check`` raises when what ``given`` gives breaks it.

    Args:
        found: what has broken it once.
    """

    check: Callable[..., None]
    given: tuple[st.SearchStrategy[Any], ...]
    found: tuple[tuple[Any, ...], ...] = ()

    def feeder(self, fed: Callable[[], None] = lambda: None, **options: Any) -> Callable[[], None]:
        """A property test.

        Args:
            fed: called for each input.
            options: settings of Hypothesis.
        """

        def check(arguments: tuple[Any, ...]) -> None:
            fed()
            self.check(*arguments)

        feed = given(st.tuples(*self.given))(check)
        for each in self.found:
            feed = example(each)(feed)
        return settings(deadline=None, suppress_health_check=list(HealthCheck), **options)(feed)


_GOOD_HEAD = ledgers._HEAD.pack(ledgers._MAGIC, b"this-boot", b"x" * 16)
_ENTRIES = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 2**64 - 1), st.sampled_from((0, 1, 2, 4711, 2**22, 2**31))),
        st.floats(),
        st.binary(max_size=112),
    ),
    max_size=5,
)

TARGETS = {
    "config": Target(
        check_config,
        (
            mutated(
                "toml", b"[programs.x]\n", b"command", b"include = [", b"numprocs = ", b"${HOME}", b"%(here)s"
            ),
        ),
        ((b"' \x1c x[",),),
    ),
    "ini": Target(check_ini, (mutated("ini", b"\n ", b" ;", b" #", b"[program:x]\n", b"key=value\n"),)),
    "migration": Target(
        check_migration,
        (mutated("ini", b"[program:x]\n", b"command=", b"%(ENV_HOME)s", b"numprocs=", b"files="),),
    ),
    "http": Target(
        check_edge,
        (
            mutated(
                "http", b"\r\n\r\n", b"GET / HTTP/1.1\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked"
            ),
            PLACES,
        ),
    ),
    "listener": Target(
        check_listener, (mutated("listener", b"READY\n", b"RESULT ", b"2\nOK", b"\xb2"), PLACES)
    ),
    "ansi": Target(
        check_ansi, (mutated("ansi", b"\x1b[", b"\x1b]", b"\x1b\\", b"\x07", b"\x1b(", b"m"), PLACES)
    ),
    "sse": Target(
        check_sse,
        (mutated("sse", b"data: ", b"\n\n", b"event: ", b"id: ", b":\n", b"\r"), PLACES),
        ((b":\n\nid:\r", [3]), (b":\n\r\r\nx\n\n", [5])),
    ),
    "dotenv": Target(check_dotenv, (mutated("dotenv", b"export ", b"A=", b"\\n", b" #"),), ((b"\x0b\0",),)),
    "dotenv_round_trip": Target(
        check_dotenv_round_trip,
        (st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True), st.text(), max_size=4),),
        (({"A": "\x85"},),),
    ),
    "ledger": Target(
        check_ledger,
        (st.one_of(st.just(_GOOD_HEAD), st.binary(max_size=100)), _ENTRIES, st.binary(max_size=300)),
        (
            (_GOOD_HEAD, [(1, 0.0, b"init")], b""),
            (_GOOD_HEAD, [(11, math.nan, b"")], b""),
            (_GOOD_HEAD, [(2, 101.0, b"")], b""),
        ),
    ),
}
