"""Files that are broken, hostile or both: refused in words, and within moments."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi.config.config import Config
from kahi.config.loading import load
from kahi.errors import ConfigError

MEGABYTE = 1024 * 1024
PROGRAM = '[programs.a]\ncommand = "x"\n'


def lines(text: str, size: int = MEGABYTE - 100) -> str:
    """As many numbered copies of ``text`` as fit into a file."""
    found: list[str] = []
    written = 0
    while written < size:
        found.append(text.format(len(found), len(found) - 1))
        written += len(found[-1])
    return "".join(found)


BOMBS: dict[str, tuple[str, str]] = {
    "dotted key": ("a." * 400_000 + "a = 1", "kahi.toml:1: a key of more than 32 parts"),
    "dotted key in quotes": ('"a".' * 200_000 + "a = 1", "kahi.toml:1: a key of more than 32 parts"),
    "dotted key inside": ("\nx = {" + "a . " * 20_000 + "a = 1}", "kahi.toml:2: a key of more than 32 parts"),
    "dotted header": ("[" + "a." * 20_000 + "a]", "kahi.toml:1: a key of more than 32 parts"),
    "deep arrays": ("a = " + "[" * 20_000 + "]" * 20_000, "kahi.toml: is nested too deeply"),
    "arrays": ("a = " + "[" * 200 + "]" * 200, "kahi.toml:1: [a]: is nested too deeply"),
    "inline tables": ("a = " + "{a = " * 3000 + "1" + "}" * 3000, "kahi.toml: is nested too deeply"),
    "number": ("a = " + "9" * 500_000, "kahi.toml:1: a number or a key of more than 1000 characters"),
    "hexadecimal": ("a = 0x" + "f" * 900_000, "kahi.toml:1: a number or a key of more than 1000 characters"),
    "long key": (
        "\n" + "a" * 900_000 + " = 1",
        "kahi.toml:2: a number or a key of more than 1000 characters",
    ),
    "string": ('a = "' + "a" * 900_000 + '"', "kahi.toml:1: [a]: is longer than 131072 characters"),
    "programs": (lines('[programs.p{0}]\ncommand="x"\n'), "[programs]: has more than 10000 entries"),
    "tables": (lines("[t{0}]\n"), "kahi.toml: has more than 10000 entries"),
    "unknown keys": (PROGRAM + lines("k{0}=1\n"), "[programs.a]: has more than 10000 entries"),
    "exit codes": (PROGRAM + "exitcodes = [" + "0," * 300_000 + "0]", "has more than 10000 entries"),
    "wrong items": (PROGRAM + "exitcodes = [" + '"a",' * 9_000 + "0]", "[programs.a] exitcodes: is no whole"),
    "names nobody has": (
        lines('[programs.p{0}]\ncommand="x"\n', 250_000)
        + "[groups.g]\nprograms = ["
        + ",".join(f'"q{n}"' for n in range(9_000))
        + "]",
        "there may be more problems: mend these first",
    ),
    "wrong everywhere": (lines("[programs.p{0}]\ncommand=1\n", 250_000), "there may be more problems"),
    "numprocs": ('[programs.a]\ncommand = "x"\nnumprocs = 1000000000\n', "is too large (at most 10000)"),
    "processes": (
        "".join(f'[programs.a{n}]\ncommand = "x"\nnumprocs = 10000\n' for n in range(100)),
        "numprocs: makes more than 20000 processes altogether",
    ),
    "processes with long texts": (
        f'[programs.a]\ncommand = "x %(process_num)d {"y" * 100_000}"\nnumprocs = 10000\n',
        "[programs.a]: expands, with others, to more than 4194304 characters",
    ),
    "wide format": ('[programs.a]\ncommand = "%(process_num)99999999d"\n', "lacks its format"),
    "expansion": (f'[programs.a]\ncommand = "{"${BIG}" * 5_000}"\n', "becomes longer than 131072 characters"),
    "names that are the same": (
        '[programs.a]\ncommand = "x"\nprocess_name = "%(process_num)1.1s"\nnumprocs = 10000\n',
        "its process '1' is called like one of program 'a'",
    ),
    "one log": (PROGRAM + 'stdout_logfile = "/tmp/l"\nnumprocs = 10000\n', "there may be more problems"),
    "patterns": ('include = ["/*/*/*/*/*.toml"]', "has wildcards in more than 3 parts of the path"),
    "NUL": (
        '[programs.a]\ncommand = "a\\u0000b"\n',
        "kahi.toml:2: [programs.a] command: holds a NUL character",
    ),
    "NUL in a list": ('[programs.a]\ncommand = ["a", "\\u0000"]\n', "command: holds a NUL character"),
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str | bytes], Config]:
    def of(text: str | bytes) -> Config:
        path = tmp_path / "kahi.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(str(path), environ={"BIG": "z" * 100_000})

    return of


@pytest.mark.fault("C2", "C3", "E5")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs(read: Callable[[str], Config], name: str) -> None:
    text, expected = BOMBS[name]
    begin = time.thread_time()
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert time.thread_time() - begin < 5, "seconds of CPU"
    assert len(caught.value.problems) <= 101
    assert expected in str(caught.value)
    assert max(map(len, str(caught.value).splitlines())) < 400


def test_what_is_no_bomb(read: Callable[[str], Config]) -> None:
    """Much of what is allowed, in all forms of TOML's strings."""
    text = (
        PROGRAM
        + f'description = "{".".join("a" * 100)}" # {"." * 100}\n'
        + f"[programs.b]\ncommand = 'x'\ndescription = '''{'b.' * 100}\n\\'''\n"
        + f'[programs.c]\ncommand = "x"\ndescription = """x ""{"c." * 100}\\\n  \\""" "" """\n'
        + f"[programs.{'d' * 120}]\ncommand = 'x {'y' * 2000}'\n"
        + "".join(f'[programs.n{n}]\ncommand = "x"\n' for n in range(2000))
    )
    assert len(read(text).groups) == 2004


def test_forms_of_text_files(read: Callable[[str | bytes], Config]) -> None:
    for data in (PROGRAM.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + PROGRAM.encode()):
        assert list(read(data).groups) == ["a"]
    for data, expected in (
        (b'[programs.a]\ncommand = "\xff"\n', ":2: is not UTF-8"),
        (b'[programs.a]\ncommand = "a\0b"\n', ":2: is not TOML: Illegal character"),
        (b"[programs.a]\rcommand = 1\n", ":1: is not TOML"),
        (PROGRAM.encode("utf-16"), ":1: is not UTF-8"),
        (b"\x7fELF\x02\x01\x01\0\0", ":1: is not TOML"),
    ):
        with pytest.raises(ConfigError) as caught:
            read(data)
        assert expected in str(caught.value)


@pytest.mark.fault("C1")
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero"), Path("/dev/null")):
        for text in (f'include = ["{path}"]', f"{PROGRAM}environment_file = ['{path}']"):
            (tmp_path / "kahi.toml").write_text(text)
            with pytest.raises(ConfigError, match="is not a regular file"):
                load(str(tmp_path / "kahi.toml"), environ={})


def test_environment_files(tmp_path: Path, read: Callable[[str], Config]) -> None:
    text = f"{PROGRAM}environment_file = ['env']\n"
    for data, expected in (
        (b"A=\xff\n", "environment_file: env: is not UTF-8"),
        (b"A=\0\n", "'A' can be no variable"),
        (b"what is this\n", "environment_file: env: line 1 is no assignment"),
        (b"A=1\n" * 400_000, "environment_file: env: is larger than 1048576 bytes"),
    ):
        (tmp_path / "env").write_bytes(data)
        with pytest.raises(ConfigError) as caught:
            read(text)
        assert expected in str(caught.value)


@pytest.mark.fault("C1")
def test_includes_without_end(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    main = tmp_path / "kahi.toml"
    main.write_text('include = ["conf.d/*.toml"]')
    for number in range(1200):
        (tmp_path / "conf.d" / f"{number:04}.toml").write_text(f'[programs.p{number}]\ncommand = "x"\n')
    with pytest.raises(ConfigError) as caught:
        load(str(main), environ={})
    assert [problem.message for problem in caught.value.problems] == ["more than 1000 files"]
    for number in range(1200):
        (tmp_path / "conf.d" / f"{number:04}.toml").unlink()
    for number in range(10):
        (tmp_path / "conf.d" / f"{number}.toml").write_text("#" * (MEGABYTE - 1))
    with pytest.raises(ConfigError, match="more than 8388608 bytes in all files"):
        load(str(main), environ={})
    for number in range(10):
        (tmp_path / "conf.d" / f"{number}.toml").write_text(f'include = ["{number + 1}.toml"]')
    with pytest.raises(ConfigError, match="more than 8 files deep"):
        load(str(main), environ={})


@pytest.mark.fault("C1")
def test_a_file_under_two_names_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "kahi.toml").write_text('include = ["conf.d/*.toml", "conf.d/b.toml"]')
    (tmp_path / "conf.d" / "a.toml").write_text(PROGRAM)
    (tmp_path / "conf.d" / "b.toml").symlink_to("a.toml")
    assert list(load(str(tmp_path / "kahi.toml"), environ={}).groups) == ["a"]
    (tmp_path / "conf.d" / "c.toml").symlink_to("../kahi.toml")
    with pytest.raises(ConfigError, match=r"files include each other: .*kahi.toml -> .*c.toml"):
        load(str(tmp_path / "kahi.toml"), environ={})


@pytest.mark.fault("C6")
@pytest.mark.needs_root
def test_root_uses_no_file_that_everybody_may_write(tmp_path: Path) -> None:
    main = tmp_path / "kahi.toml"
    main.write_text(PROGRAM)
    tmp_path.chmod(0o777)
    (warning,) = load(str(main), environ={}).warnings
    assert warning.message == f"everybody may write to its directory {tmp_path} (chmod o-w)"
    tmp_path.chmod(0o1777)
    assert load(str(main), environ={}).warnings == ()
    main.chmod(0o666)
    with pytest.raises(ConfigError, match="everybody may write to it, so root does not use it"):
        load(str(main), environ={})


def test_problems_of_many_processes_are_told_once(read: Callable[[str], Config]) -> None:
    config = read(
        '[programs.a]\ncommand = "x %(process_num)d"\nnumprocs = 50\nautostrat = true\nrestrat_delay = 1\n'
    )
    assert [warning.message for warning in config.warnings] == [
        "is no known key (did you mean 'autostart'?)",
        "is no known key (did you mean 'restart_delay'?)",
    ]
    many = read(PROGRAM + lines("k{0}=1\n", 20_000)).warnings
    assert len(many) == 101
    assert many[-1].message.startswith("there are ")
