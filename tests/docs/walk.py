"""Doing what a page says, from top to bottom, in a directory of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.docs.blocks import Block
from tests.support import PATIENCE, eventually, free_port

PROGRAMS = Path(sys.executable).parent

ENDLESS = re.compile(r" -f\b")
"""What a person ends by Ctrl-C."""

SETTLES = ("kahi ctl status", "curl")
"""What a person types again when they were too quick."""

INTERRUPTED = 130
REFUSED = 1


def general(text: str) -> str:
    """What was printed, without what is different each time: numbers, dates, the width of columns."""
    text = re.sub(r"\b[A-Z][a-z]{2} \d+ \d\d:\d\d:\d\d", "DATE", text)
    return re.sub(r" +", " ", re.sub(r"\d+", "N", text))


class Walk:
    """What somebody does who reads a page.

    Args:
        directory: where it is done.
        ports: those that the page names; others take their place.
        skip: beginnings of lines that are not done.
    """

    def __init__(self, directory: Path, ports: Iterable[int] = (), skip: Sequence[str] = ()) -> None:
        self.directory = directory
        self.ports = {str(port): str(free_port()) for port in ports}
        self.skip = tuple(skip)
        self.exports: list[str] = []
        self.daemon: subprocess.Popen[bytes] | None = None
        self.done: list[str] = []
        names = {name: value for name, value in os.environ.items() if not name.startswith("KAHI")}
        self.environ = {**names, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}

    def follow(self, blocks: Iterable[Block]) -> None:
        """Do what the blocks say."""
        for block in blocks:
            if block.title:
                (self.directory / block.title).write_text(self._own(block.text), encoding="utf-8")
            elif block.language == "sh":
                for line in block.text.splitlines():
                    self._type(self._own(line), None)
            elif block.language == "console":
                for step in re.findall(r"^\$ .*\n(?:[^$].*\n)*", block.text, re.MULTILINE):
                    line, _, shown = step.removeprefix("$ ").partition("\n")
                    self._type(self._own(line), shown)

    def end(self) -> None:
        """Leave nothing behind."""
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(PATIENCE)

    def _own(self, text: str) -> str:
        for port, other in self.ports.items():
            text = text.replace(port, other)
        return text

    def _type(self, line: str, shown: str | None) -> None:
        if line.startswith(self.skip):
            return
        self.done.append(line)
        if line.startswith("export "):
            self.exports.append(line)
        elif line == "kahi daemon":
            self._start()
        elif ENDLESS.search(line):
            assert self.run(f"timeout -s INT 2 {line}").stdout
        elif shown is None:
            done = self.run(line)
            assert done.returncode == 0, f"{line}: {done.stdout}"
        else:
            self._compare(line, shown)

    def _compare(self, line: str, shown: str) -> None:
        """Run a line until it prints what is shown; at once, unless it asks how something is."""
        printed: list[str] = []

        def is_as_shown() -> bool:
            text = self.run(line).stdout.replace(f"{self.directory}/", "")
            printed[:] = [text]
            return general(text) == general(shown)

        if line.startswith(SETTLES):
            eventually(is_as_shown, f"{line!r} prints {shown!r}")
        else:
            assert is_as_shown(), f"{line}: {printed[0]!r} in place of {shown!r}"
        if ": " in shown and re.match(r"\S+:\d+: ", shown):
            assert self.run(line).returncode == REFUSED

    def _start(self) -> None:
        self.end()
        with (self.directory / "terminal").open("ab") as terminal:
            self.daemon = subprocess.Popen(
                ["sh", "-c", "; ".join([*self.exports, "exec kahi daemon"])],
                cwd=self.directory,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
            )
        eventually(self._is_ready, "the daemon is up")

    def _is_ready(self) -> bool:
        assert self.daemon is not None
        assert self.daemon.poll() is None, (self.directory / "terminal").read_text(encoding="utf-8")
        return self.run("kahi ctl ready").returncode == 0

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell; what it prints on stderr is among what it prints."""
        return subprocess.run(
            ["bash", "-c", "; ".join([*self.exports, line])],
            cwd=self.directory,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
