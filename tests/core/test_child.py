"""Spawning exactly as configured, and saying exactly why not."""

from __future__ import annotations

import errno
import os
import resource
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kahi.child import find_program, spawn
from kahi.definition import ResourceLimit
from kahi.errors import SpawnError
from kahi.identity import find_identity
from kahi.launch import Launch
from kahi.system import System

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def null() -> object:
    fd = os.open(os.devnull, os.O_RDWR)
    yield (fd, fd, fd)
    os.close(fd)


def output_of(launch: Launch, system: System | None = None) -> str:
    """Spawn, and return what the child printed."""
    read_end, write_end = os.pipe()
    fd = os.open(os.devnull, os.O_RDONLY)
    try:
        pid = spawn(system or System(), launch, (fd, write_end, write_end))
    finally:
        os.close(fd)
        os.close(write_end)
    with open(read_end, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text


def shell(script: str, environment: Mapping[str, str] = ENVIRONMENT, **more: object) -> Launch:
    return Launch(("sh", "-c", script), environment, **more)  # type: ignore[arg-type]


@pytest.mark.fault("E1", "E2", "E3")
@pytest.mark.parametrize(
    ("make", "argv0", "code", "message"),
    [
        (None, "/nowhere/x", errno.ENOENT, "cannot run /nowhere/x: No such file or directory"),
        ("plain", "{file}", errno.EACCES, "cannot run {file}: Permission denied"),
        ("directory", "{file}", errno.EACCES, "cannot run {file}: Permission denied"),
        ("garbage", "{file}", errno.ENOEXEC, "cannot run {file}: not a program, and without a #! line"),
        (
            "interpreter",
            "{file}",
            errno.ENOENT,
            "cannot run {file}: the interpreter of its #! line, '/no/sh'",
        ),
        ("carriage", "{file}", errno.ENOENT, "cannot run {file}: its #! line ends in a carriage return"),
        (None, "surely-not-a-program", errno.ENOENT, "no such program on PATH (/usr/bin:/bin)"),
        (None, "", 0, "cannot run '': the command is empty"),
    ],
)
def test_errors_name_the_step(
    make: str | None, argv0: str, code: int, message: str, tmp_path: Path, null: tuple[int, int, int]
) -> None:
    file = tmp_path / "file"
    contents = {"garbage": b"\x01\x02", "interpreter": b"#!/no/sh\n", "carriage": b"#!/bin/sh\r\n"}
    if make == "directory":
        file.mkdir()
    elif make is not None:
        file.write_bytes(contents.get(make, b""))
        file.chmod(0o644 if make == "plain" else 0o755)
    with pytest.raises(SpawnError) as caught:
        spawn(System(), Launch((argv0.format(file=file),), ENVIRONMENT), null)
    assert caught.value.errno == code
    assert caught.value.permanent
    assert message.format(file=file) in str(caught.value)


@pytest.mark.fault("E7")
def test_errors_that_may_pass(null: tuple[int, int, int]) -> None:
    class Full(System):
        def spawn(self, *args: object, **kwargs: object) -> int:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with pytest.raises(SpawnError) as caught:
        spawn(Full(), shell("true"), null)
    assert not caught.value.permanent


def test_descriptors_that_run_out_before_a_child_is_prepared(null: tuple[int, int, int]) -> None:
    class Full(System):
        def pipe(self) -> tuple[int, int]:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with pytest.raises(SpawnError, match="cannot make pipes: Too many open files") as caught:
        spawn(Full(), shell("true", nice=1), null)
    assert not caught.value.permanent


@pytest.mark.fault("E1")
@pytest.mark.parametrize("prepared", [False, True])
def test_a_missing_directory(prepared: bool, null: tuple[int, int, int]) -> None:
    with pytest.raises(SpawnError) as caught:
        spawn(System(), shell("true", directory="/nowhere", nice=int(prepared)), null)
    assert str(caught.value) == "cannot enter directory /nowhere: No such file or directory"


@pytest.mark.fault("E4", "E5")
def test_what_exec_would_refuse_without_words(null: tuple[int, int, int]) -> None:
    with pytest.raises(SpawnError, match="NUL"):
        spawn(System(), Launch(("sh", "a\0b"), ENVIRONMENT), null)
    with pytest.raises(SpawnError, match="environment variable"):
        spawn(System(), Launch(("sh",), {**ENVIRONMENT, "A": "\0"}), null)
    with pytest.raises(SpawnError, match="bytes of arguments"):
        spawn(System(), Launch(("/bin/true", "x" * 5_000_000), ENVIRONMENT), null)


def test_path_is_the_childs(tmp_path: Path) -> None:
    program = tmp_path / "prog"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    assert find_program("prog", {"PATH": f"/nowhere:{tmp_path}"}) == str(program)
    assert output_of(Launch(("prog",), {"PATH": str(tmp_path)})) == "found\n"
    program.chmod(0o644)
    with pytest.raises(SpawnError, match="not executable"):
        find_program("prog", {"PATH": str(tmp_path)})


def test_a_relative_path_counts_from_the_directory(tmp_path: Path) -> None:
    program = tmp_path / "prog"
    program.write_text("#!/bin/sh\necho here\n")
    program.chmod(0o755)
    assert output_of(Launch(("./prog",), ENVIRONMENT, directory=str(tmp_path))) == "here\n"


@pytest.mark.fault("E9")
def test_a_child_starts_clean(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "print(sorted(os.listdir('/dev/fd'))[:4], os.getsid(0) == os.getpid() == os.getpgid(0))\n"
        "print([s for s in signal.valid_signals() if signal.getsignal(s) == signal.SIG_IGN])\n"
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), os.environ)\n"
    )
    leaked = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        lines = output_of(Launch((sys.executable, "-c", code), {"LC_ALL": "C.UTF-8"})).splitlines()
    finally:
        os.close(leaked)
    assert lines[0] == "['0', '1', '2', '3'] True", "3 is the descriptor of the listing itself"
    # Python itself ignores SIGPIPE and SIGXFSZ.
    assert lines[1] == "[<Signals.SIGPIPE: 13>, <Signals.SIGXFSZ: 25>]"
    assert lines[2] == "set() environ({'LC_ALL': 'C.UTF-8'})"


@pytest.mark.parametrize("prepared", [False, True])
def test_attributes_are_applied(prepared: bool, tmp_path: Path) -> None:
    launch = shell("umask; pwd; nice", directory=str(tmp_path), umask=0o027, nice=5 if prepared else 0)
    base = os.getpriority(os.PRIO_PROCESS, 0)
    assert output_of(launch) == f"0027\n{tmp_path}\n{5 if prepared else base}\n"


def test_limits(null: tuple[int, int, int]) -> None:
    limits = (ResourceLimit("nofile", 50, 60), ResourceLimit("core", 0, 0))
    assert output_of(shell("ulimit -Sn; ulimit -Hn; ulimit -c", rlimits=limits)) == "50\n60\n0\n"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if os.geteuid() != 0 and hard != resource.RLIM_INFINITY:
        too_much = (ResourceLimit("nofile", hard + 1, hard + 1),)
        with pytest.raises(SpawnError, match="set limit nofile"):
            spawn(System(), shell("true", rlimits=too_much), null)


def test_a_limit_that_no_system_can_have_is_named(null: tuple[int, int, int]) -> None:
    with pytest.raises(SpawnError, match=f"cannot set limit nofile = {10**30}:{10**30}: Invalid argument"):
        spawn(System(), shell("true", rlimits=(ResourceLimit("nofile", 10**30, 10**30),)), null)


@pytest.mark.needs_root
def test_another_user() -> None:
    identity = find_identity("nobody")
    assert identity is not None
    launch = shell("id -u; id -g; id -G", identity=identity, directory="/")
    uid, gid, groups = output_of(launch).split("\n")[:3]
    assert (int(uid), int(gid)) == (identity.uid, identity.gid)
    assert {int(group) for group in groups.split()} == set(identity.groups) | {identity.gid}


@pytest.mark.needs_root
def test_a_directory_is_judged_with_the_rights_of_the_user(
    tmp_path: Path, null: tuple[int, int, int]
) -> None:
    tmp_path.chmod(stat.S_IRWXU)
    with pytest.raises(SpawnError, match="cannot enter directory"):
        spawn(System(), shell("true", identity=find_identity("nobody"), directory=str(tmp_path)), null)


@pytest.mark.fault("E5")
def test_unknown_users_are_named() -> None:
    with pytest.raises(SpawnError, match="cannot become user nobody-at-all: no such user"):
        find_identity("nobody-at-all")
    with pytest.raises(SpawnError, match="cannot become group nothing-at-all"):
        find_identity(f"{os.getuid()}:nothing-at-all")


@pytest.mark.fault("E8")
def test_an_identity_that_can_not_be_had_never_runs(null: tuple[int, int, int]) -> None:
    class Refusing(System):
        def set_identity(self, uid: int, gid: int, groups: object) -> None:
            raise PermissionError(errno.EPERM, "no")

    from kahi.identity import Identity

    identity = Identity(12345, 12345, (), "", "/", "/bin/sh")
    with pytest.raises(SpawnError) as caught:
        spawn(Refusing(), shell("true", identity=identity), null)
    assert (caught.value.step, caught.value.subject, caught.value.errno) == (
        "become user",
        "12345",
        errno.EPERM,
    )
