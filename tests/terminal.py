"""Driving programs on a terminal of their own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import termios
import threading
import time
from collections.abc import Sequence

from tests.support import PATIENCE, ROOT

_ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][0-9A-B]|[=>])")


class Terminal:
    """A program with a pseudo-terminal as its stdin, stdout and stderr.

    Args:
        size: columns and lines.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: dict[str, str] | None = None,
        size: tuple[int, int] = (120, 30),
    ) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(ROOT)
                os.environ.pop("NO_COLOR", None)
                os.environ.update({"TERM": "xterm-256color", **(environ or {})})
                os.execvp(command[0], list(command))
            finally:
                os._exit(127)
        self.resize(*size)
        self._text = ""
        self._seen = 0
        self._code: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            if not data:
                return
            self._text += data.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """Everything that was shown so far, escape sequences too."""
        return self._text

    @property
    def plain(self) -> str:
        """Everything that was shown so far, without escape sequences."""
        return _ESCAPE.sub("", self._text)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as dragging a window does."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def send(self, text: str) -> None:
        """Type."""
        os.write(self.fd, text.encode())

    def wait_for(self, pattern: str) -> str:
        """Wait until something new that matches is shown; returns all new text up to there, plain."""
        deadline = time.monotonic() + PATIENCE
        while True:
            plain = self.plain
            found = re.compile(pattern, re.DOTALL).search(plain, self._seen)
            if found:
                new = plain[self._seen : found.end()]
                self._seen = found.end()
                return new
            assert time.monotonic() < deadline, f"not shown: {pattern!r}; shown: {plain[self._seen :]!r}"
            time.sleep(0.02)

    def is_cooked(self) -> bool:
        """Whether the terminal echoes, edits lines and makes signals of Ctrl-C."""
        flags = termios.tcgetattr(self.fd)[3]
        return all(flags & flag for flag in (termios.ECHO, termios.ICANON, termios.ISIG))

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for the end; returns the exit code, or 128 and the signal."""
        deadline = time.monotonic() + PATIENCE
        while self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._code = code if code >= 0 else 128 - code
                self._reader.join(1)
                break
            assert time.monotonic() < deadline, f"still runs; shown: {self.plain!r}"
            time.sleep(0.02)
        return self._code

    def end(self) -> None:
        """Make sure that nothing of it is left."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._code = 137
        os.close(self.fd)
