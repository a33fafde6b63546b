"""The list of children that outlives the daemon."""

from __future__ import annotations

import contextlib
import errno
import math
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kahi import ledger as ledgers
from kahi.ledger import Entry, Ledger, entries_of, left_of, open_ledger
from kahi.system import ProcessEntry, System


class Machine(System):
    """A system that has booted so and so often, so and so long ago."""

    boot = "first"
    since = 100.0

    def boot_id(self) -> str:
        return self.boot

    def boottime(self) -> float:
        return self.since


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(ledgers, "_directory", lambda: str(tmp_path))
    return Machine()


def noted(ledger: Ledger) -> list[Entry]:
    """What a guardian finds in a ledger."""
    with ledger.shared() as memory:
        return entries_of(memory, ledger.mark)


def die() -> None:
    """Close all descriptors of ledgers, as the kernel does for a process that is killed."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}").endswith(".children"):
                os.close(int(name))


@pytest.mark.fault("S1")
def test_what_is_noted_and_not_forgotten_is_found_by_the_next(machine: Machine) -> None:
    first, before = open_ledger("/etc/kahi.toml", machine)
    assert before == []
    first.note(11, "web")
    first.note(12, "gone")
    first.note(13, "ünï" * 50)
    first.forget(12)
    first.forget(99)
    die()
    second, before = open_ledger("/etc/kahi.toml", machine)
    assert {(entry.pid, entry.at) for entry in before} == {(11, 100.0), (13, 100.0)}
    assert before[0].name == "web" or before[1].name == "web"
    assert noted(second) == []
    second.close()
    assert open_ledger("/etc/kahi.toml", machine)[1] == []


@pytest.mark.fault("S1")
def test_one_of_an_earlier_boot_says_nothing(machine: Machine) -> None:
    first, _ = open_ledger("/etc/kahi.toml", machine)
    first.note(11, "web")
    die()
    machine.boot = "second"
    assert open_ledger("/etc/kahi.toml", machine)[1] == []


def test_where_boots_can_not_be_told_apart_nobody_is_taken_for_a_child(machine: Machine) -> None:
    machine.boot = ""
    first, _ = open_ledger("/etc/kahi.toml", machine)
    first.note(11, "web")
    die()
    assert open_ledger("/etc/kahi.toml", machine)[1] == []


@pytest.mark.parametrize(
    ("pid", "at"),
    [(1, 1.0), (2**31, 1.0), (2**64 - 1, 1.0), (11, math.nan), (11, math.inf), (11, -1.0), (11, 100.1)],
)
def test_a_damaged_one_names_nobody_who_can_not_be_a_child(machine: Machine, pid: int, at: float) -> None:
    first, _ = open_ledger("/etc/kahi.toml", machine)
    first.note(12, "web")
    ledgers._ENTRY.pack_into(first._memory, 5 * ledgers._ENTRY.size, pid, at, b"stranger")
    die()
    second, before = open_ledger("/etc/kahi.toml", machine)
    assert [entry.pid for entry in before] == [12]
    assert noted(second) == []


def test_who_shares_a_configuration_with_a_daemon_that_lives_has_one_of_its_own(machine: Machine) -> None:
    first, _ = open_ledger("/etc/kahi.toml", machine)
    first.note(11, "web")
    second, before = open_ledger("/etc/kahi.toml", machine)
    assert before == []
    second.note(12, "other")
    second.close()
    assert [entry.pid for entry in noted(first)] == [11]
    first.forget(11)
    first.close()


def test_who_took_over_is_not_disturbed_by_a_late_guardian(machine: Machine, tmp_path: Path) -> None:
    first, _ = open_ledger("/etc/kahi.toml", machine)
    first.note(11, "web")
    die()
    second, _ = open_ledger("/etc/kahi.toml", machine)
    second.note(12, "web")
    assert noted(first) == [], "those are not its children"
    assert [entry.pid for entry in noted(second)] == [12]


def test_a_directory_that_is_not_ours_alone_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "kahi").mkdir(mode=0o700)
    ledger, before = open_ledger("/etc/kahi.toml", System())
    ledger.note(1, "x")
    assert before == []
    assert list((tmp_path / "kahi").iterdir()) == []
    ledger.close()


def test_more_children_than_there_is_room_for(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "CAPACITY", 3)
    memory = os.memfd_create("ledger")
    os.ftruncate(memory, ledgers._SIZE)
    small = Ledger(mmap.mmap(memory, ledgers._SIZE), machine, descriptor=memory)
    for pid in range(1, 6):
        small.note(pid, "x")
    assert len(noted(small)) == 3
    for pid in range(1, 6):
        small.forget(pid)
    small.note(7, "x")
    assert [entry.pid for entry in noted(small)] == [7]


@pytest.mark.parametrize("nameless", [False, True])
def test_whom_a_full_disk_has_no_room_for_is_not_noted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    holder, _ = open_ledger("/etc/kahi.toml", machine) if nameless else (None, [])
    ledger, _ = open_ledger("/etc/kahi.toml", machine)

    def full(_descriptor: int, _data: bytes, _offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fitting = ledgers.ROOM // ledgers._ENTRY.size - 1
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        for pid in range(2, 100):
            ledger.note(pid, "web")
        assert len(noted(ledger)) == fitting
    ledger.note(100, "web")
    assert len(noted(ledger)) == fitting + 1
    for pid in range(2, 101):
        ledger.forget(pid)
    assert noted(ledger) == []
    ledger.close()
    if holder is not None:
        holder.close()


ON_A_FULL_DISK = """
import os, sys
from kahi import ledger as ledgers
from kahi.system import System

ledgers._directory = lambda: sys.argv[1]
held = open(os.path.join(sys.argv[1], "held"), "wb", buffering=0)
ledger, _ = ledgers.open_ledger("/a.toml", System())
try:
    while True:
        held.write(bytes(4096))
except OSError as error:
    print(error.strerror)
for pid in range(2, 100):
    ledger.note(pid, "web")
with ledger.shared() as memory:
    print(len(ledgers.entries_of(memory, ledger.mark)))
second, before = ledgers.open_ledger("/b.toml", System())
second.note(2, "web")
print(len(before))
"""


@pytest.mark.needs_namespaces
def test_a_full_disk_does_not_end_the_daemon(tmp_path: Path) -> None:
    """A store where there is no memory is a signal that nobody can ignore."""
    mount = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1"'
    words = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, ON_A_FULL_DISK]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "No space left on device\n31\n0\n"), done.stderr


def process(pid: int, group: int, session: int, started: float, *, zombie: bool = False) -> ProcessEntry:
    """A line of the process table."""
    return ProcessEntry(pid, 1, group, zombie, session=session, started=started)


@pytest.mark.fault("S1")
def test_who_is_left() -> None:
    web = Entry(11, 50.0, "web")
    for table, expected in (
        ([process(11, 11, 11, 49.9), process(12, 11, 11, 60.0), process(13, 13, 11, 60.0)], [11, 12, 13]),
        ([process(12, 11, 11, 60.0)], [12]),
        ([process(11, 11, 11, 49.9, zombie=True)], []),
        ([process(11, 11, 11, 50.5), process(12, 11, 11, 60.0)], []),
        ([process(14, 14, 14, 49.0)], []),
        ([process(11, 11, 0, 0.0)], [11]),
    ):
        assert left_of([web], table) == ({web: expected} if expected else {})
