"""Readers that follow logs and events, and what each of them costs."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Generator
from pathlib import Path

from benchmarks import machine
from benchmarks.measures.restarting import PROGRAMS
from benchmarks.subjects import Program, Subject, Unable, exchange
from benchmarks.workshop import MEMORY, Gate, Workshop, now, register

SECONDS = 5.0
RATE = 200
"""Lines a second: more often than a reader is written to, so that each is written to all the time."""


def log_readers(subject: Subject, workshop: Workshop, count: int) -> dict[str, float]:
    """200 lines a second, and ``count`` clients that follow the log: the daemon's CPU each second."""
    gate = Gate(workshop.directory)
    log = MEMORY / f"{workshop.directory.name}-log"
    command = f"{workshop.child} number {gate.path} {RATE}"
    try:
        with workshop.running(subject, [Program("numbers", command, logfile=str(log))]) as daemon:
            daemon.wait_until_it_answers()
            gate.open()
            path = "/api/v1/processes/numbers/log/stdout/stream"
            with _readers(_socket_of(subject, daemon.directory), path, count):
                time.sleep(1)
                clock, begin = machine.Clock(daemon.own()), now()
                time.sleep(SECONDS)
                return {"CPU of log readers": clock.seconds() / (now() - begin)}
    finally:
        log.unlink(missing_ok=True)


def event_readers(subject: Subject, workshop: Workshop, count: int) -> dict[str, float]:
    """100 programs fail each 1.1 s, and ``count`` clients follow the events: the daemon's CPU each second."""
    with register(workshop) as children:
        children.keep_open()
        command = f"{workshop.child} crash {children.path} 1.1"
        programs = [Program(f"p{number}", command) for number in range(PROGRAMS)]
        with workshop.running(subject, programs) as daemon:
            daemon.wait_until_it_answers()
            with _readers(_socket_of(subject, daemon.directory), "/api/v1/events/stream", count):
                time.sleep(1.5)
                clock, begin = machine.Clock(daemon.own()), now()
                while now() < begin + SECONDS:
                    children.read()
                return {"CPU of event readers": clock.seconds() / (now() - begin)}


def _socket_of(subject: Subject, directory: Path) -> Path:
    if subject.name != "kahi":
        raise Unable
    return directory / "k.sock"


@contextlib.contextmanager
def _readers(path: Path, resource: str, count: int) -> Generator[None]:
    """Clients that read what comes, and throw it away."""
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            stack.callback(end.close)
        selector.register(theirs, selectors.EVENT_READ)
        for _ in range(count):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(path))
            client.sendall(exchange.get(resource))
            if b" 200 " not in client.recv(4096):
                raise RuntimeError(f"{resource} is not served")
            selector.register(client, selectors.EVENT_READ)
        thread = threading.Thread(target=_read, args=(selector, theirs))
        thread.start()
        try:
            yield
        finally:
            ours.send(b".")
            thread.join()


def _read(selector: selectors.BaseSelector, last: socket.socket) -> None:
    while True:
        for key, _ in selector.select():
            assert isinstance(key.fileobj, socket.socket)
            if key.fileobj is last:
                return
            if not key.fileobj.recv(256 * 1024):
                selector.unregister(key.fileobj)
