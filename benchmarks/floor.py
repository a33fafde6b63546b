"""The floor: the smallest supervisor one can write in Python, to see what is left to gain.

``python -S -E floor.py CONFIG SOCKET``. Each line of CONFIG is ``name<TAB>log file<TAB>command``, the command
split at blanks. It starts everything, appends what programs print to their log files, restarts what ends (at
most once a second), answers every connection to SOCKET with its status, and ends with SIGTERM. No options, no
rotation, no states, no errors: whatever Kahi does beyond this has its price, and the benchmarks show it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time

PIECE = 64 * 1024


class Program:
    """One program: its child, the pipe it prints into, and the file that this goes to."""

    __slots__ = ("argv", "begun", "log", "name", "pid", "pipe")

    def __init__(self, line: str) -> None:
        self.name, path, command = line.rstrip("\n").split("\t")
        self.argv = command.split()
        self.log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.pid = self.pipe = -1
        self.begun = 0.0


class Floor:
    """All programs. One thread, one poller."""

    def __init__(self, programs: list[Program], listener: socket.socket) -> None:
        self.programs = programs
        self.listener = listener
        self.by_pid: dict[int, Program] = {}
        self.by_pipe: dict[int, Program] = {}
        self.later: list[tuple[float, Program]] = []
        self.poller = select.epoll()
        self.ending = False
        self.signals, wakeup = os.pipe()
        for fd in (self.signals, wakeup):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wakeup)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, _wake)
        self.poller.register(self.signals, select.EPOLLIN)
        self.poller.register(listener.fileno(), select.EPOLLIN)

    def start(self, program: Program) -> None:
        """Spawn it, with a pipe for what it prints."""
        program.pipe, inner = os.pipe()
        actions = ((os.POSIX_SPAWN_DUP2, inner, 1), (os.POSIX_SPAWN_DUP2, inner, 2))
        program.pid = os.posix_spawnp(
            program.argv[0],
            program.argv,
            os.environ,
            file_actions=actions,
            setsid=True,
            setsigdef=(signal.SIGPIPE,),
        )
        os.close(inner)
        program.begun = time.monotonic()
        self.by_pid[program.pid] = self.by_pipe[program.pipe] = program
        self.poller.register(program.pipe, select.EPOLLIN)

    def run(self) -> None:
        """Until SIGTERM has ended everything."""
        for program in self.programs:
            self.start(program)
        while self.by_pid or not self.ending:
            patience = max(0.0, self.later[0][0] - time.monotonic()) if self.later else -1
            for fd, _ in self.poller.poll(patience):
                if fd in self.by_pipe:
                    self.read(fd)
                elif fd == self.signals:
                    self.take_signals()
                else:
                    self.answer()
            while self.later and self.later[0][0] <= time.monotonic():
                self.start(self.later.pop(0)[1])
        while self.by_pipe:
            self.read(next(iter(self.by_pipe)))

    def read(self, pipe: int) -> None:
        """What a program has printed."""
        data = os.read(pipe, PIECE)
        if data:
            os.write(self.by_pipe[pipe].log, data)
        else:
            self.poller.unregister(pipe)
            del self.by_pipe[pipe]
            os.close(pipe)

    def take_signals(self) -> None:
        """Collect what has ended, or end everything."""
        if signal.SIGTERM in os.read(self.signals, 4096):
            self.ending = True
            self.later.clear()
            for pid in self.by_pid:
                os.kill(pid, signal.SIGTERM)
        while self.by_pid:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            program = self.by_pid.pop(pid)
            program.pid = -1
            if not self.ending:
                self.later.append((max(program.begun + 1, time.monotonic()), program))
        self.later.sort(key=lambda entry: entry[0])

    def answer(self) -> None:
        """The status of everything, whatever was asked."""
        import json

        connection, _ = self.listener.accept()
        connection.recv(PIECE)
        found = [{"name": each.name, "pid": each.pid, "begun": each.begun} for each in self.programs]
        body = json.dumps(found).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        connection.close()


def _wake(number: int, frame: object) -> None:
    """Nothing: the number comes out of the pipe."""


def main() -> None:
    """Read the configuration, listen, and run."""
    config, place = sys.argv[1:]
    with open(config, encoding="utf-8") as file:
        programs = [Program(line) for line in file]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen(128)
    Floor(programs, listener).run()


if __name__ == "__main__":
    main()
