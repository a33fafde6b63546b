"""What is no request, sent to the real daemon."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from kahi_api import limits
from tests.api.raw import connect
from tests.fuzz.mutation import mutated
from tests.support import Daemon, eventually

INPUTS = 200


def inputs(count: int) -> list[bytes]:
    """As many mutations of requests, always the same."""
    found: list[bytes] = []

    def keep(data: bytes) -> None:
        found.append(data)

    feed = given(mutated("http", b"\r\n\r\n", b"/api/v1/processes", b"Content-Length: "))(keep)
    settings(max_examples=count, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))(feed)()
    return found


class Client:
    """Sends something and keeps what is answered."""

    def __init__(self, running: Daemon, data: bytes, *, ends: bool) -> None:
        self.data = data
        self.answer = b""
        self.is_over = False
        self._connection = connect(running.socket)
        with contextlib.suppress(OSError):
            self._connection.sendall(data)
            if ends:
                self._connection.shutdown(socket.SHUT_WR)
        self._connection.setblocking(False)

    def look(self) -> bool:
        """Whether the daemon has closed the connection."""
        with contextlib.suppress(BlockingIOError):
            try:
                while piece := self._connection.recv(65536):
                    self.answer += piece
                self.is_over = True
            except ConnectionError:
                self.is_over = True
        return self.is_over

    def close(self) -> None:
        """Close."""
        self._connection.close()


@pytest.mark.slow
def test_the_daemon_answers_or_closes_in_time_and_says_nothing(daemon: Callable[..., Daemon]) -> None:
    running = daemon('[programs.sleeper]\ncommand = "sleep 3600"\nstartsecs = 0\n')
    pid = running.wait_for("sleeper", "RUNNING").pid
    begin = time.monotonic()
    ending = [Client(running, data, ends=True) for data in inputs(INPUTS)]
    staying = [Client(running, data, ends=False) for data in inputs(INPUTS)]
    eventually(lambda: all(each.look() for each in ending), "all that are at their end are closed")

    def settled() -> bool:
        # Who was answered may ask again, and has time for that.
        return all(each.look() or each.answer for each in staying)

    eventually(settled, "all others are answered or closed", limits.HEAD_TIME + limits.BODY_TIME + 10)
    assert time.monotonic() - begin < limits.HEAD_TIME + limits.BODY_TIME + 20
    for each in (*ending, *staying):
        assert each.answer.startswith(b"HTTP/1.1 ") or not each.answer, each.answer
        assert b"HTTP/1.1 500" not in each.answer, each.data
        each.close()
    assert "Traceback" not in running.output
    assert '"level": "error"' not in running.output
    assert running.process("sleeper").pid == pid
    assert running.terminate() == 0
