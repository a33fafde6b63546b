"""The client: one method for each thing the API does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self
from urllib.parse import quote

from kahi_api.client.errors import ApiError, ConnectionLost
from kahi_api.client.http import Connection, Response
from kahi_api.client.sse import ServerEvent, events


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the daemon describes it; times are RFC 3339, ``uptime`` whole seconds."""

    name: str
    group: str
    state: str
    statecode: int
    pid: int
    uptime: int
    description: str
    exitstatus: int
    program: str = ""
    exit_signal: str | None = None
    spawn_error: str = ""
    started_at: str | None = None
    stopped_at: str | None = None
    restarts: int = 0
    ready: bool = False
    health: str = "none"
    priority: int = 999
    stdout_logfile: str = ""
    stderr_logfile: str = ""
    memory_bytes: int | None = None
    cpu_percent: float | None = None
    oneshot: bool = False
    expected_exit: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one process in an operation; ``error`` is "" when it is as was asked."""

    name: str
    ok: bool
    state: str
    error: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class LogPiece:
    """A piece of a log; ``offset`` is that after its last byte."""

    data: bytes
    offset: int


class Client:
    """Talks to one daemon. Not for several threads at once.

    Every method raises `CannotConnect` when nobody is there, `ConnectionLost` when an answer breaks
    off, and `ApiError` when the daemon refuses.

    Args:
        socket: path of the daemon's Unix socket.
        timeout: seconds to wait for an answer; None without end, which a stop may well take.
    """

    def __init__(self, socket: str, *, timeout: float | None = None) -> None:
        self.socket = socket
        self._connection = Connection(socket, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def raw_processes(self) -> list[dict[str, Any]]:
        """All processes, just as the daemon sent them."""
        return self._json("GET", "/api/v1/processes")

    def processes(self) -> list[Process]:
        """All processes in name order."""
        return [_process(entry) for entry in self.raw_processes()]

    def process(self, name: str) -> Process:
        """One process."""
        return _process(self._json("GET", _path(name)))

    def start(self, name: str, *, wait: bool = True) -> Process:
        """Start one process; with ``wait`` until its first attempt is decided."""
        return self._operate(name, "start", wait)

    def stop(self, name: str, *, wait: bool = True) -> Process:
        """Stop one process; with ``wait`` until it is gone."""
        return self._operate(name, "stop", wait)

    def restart(self, name: str, *, wait: bool = True) -> Process:
        """Stop and start one process; one that is not running is started."""
        return self._operate(name, "restart", wait)

    def act(self, action: str, targets: Sequence[str], *, wait: bool = True) -> list[Result]:
        """One ordered operation on everything that ``targets`` name.

        Args:
            action: ``start``, ``stop`` or ``restart``.
            targets: names, ``group:*``, glob patterns, ``all``.
        """
        answer = self._json(
            "POST", f"/api/v1/actions?wait={_word(wait)}", {"action": action, "targets": list(targets)}
        )
        return [Result(**_known(Result, entry)) for entry in answer]

    def log(
        self, name: str, stream: str = "stdout", *, offset: int | None = None, length: int = 1600
    ) -> LogPiece:
        """A piece of a log; the last ``length`` bytes without an ``offset``."""
        query = f"?length={length}" + ("" if offset is None else f"&offset={offset}")
        response = self._checked(
            self._connection.request("GET", f"{_path(name)}/log/{quote(stream, safe='')}{query}")
        )
        return LogPiece(response.body, int(response.headers.get("x-log-offset", "0")))

    def follow_log(self, name: str, stream: str = "stdout", *, offset: int) -> Iterator[ServerEvent | None]:
        """What a log grows by, from ``offset`` on; ends only when the daemon does.

        None is given now and then while nothing is printed.
        """
        yield from self._events(f"{_path(name)}/log/{quote(stream, safe='')}/stream", last=str(offset))

    def groups(self) -> list[dict[str, Any]]:
        """Active groups: name, priority, names of processes."""
        return self._json("GET", "/api/v1/groups")

    def add_group(self, name: str) -> None:
        """Make a group of the configuration active."""
        self._json("POST", "/api/v1/groups", {"name": name})

    def remove_group(self, name: str) -> None:
        """Make a group inactive; it must be down."""
        self._json("DELETE", f"/api/v1/groups/{quote(name, safe='')}")

    def config(self) -> dict[str, Any]:
        """The resolved configuration, without secrets."""
        return self._json("GET", "/api/v1/config")

    def reread(self) -> dict[str, Any]:
        """What an update would do: lists ``added``, ``changed``, ``removed``, ``warnings``."""
        return self._json("POST", "/api/v1/config/reread")

    def update(self, groups: Sequence[str] | None = None) -> dict[str, Any]:
        """Take over what changed in the configuration, or only what concerns ``groups``."""
        return self._json(
            "POST", "/api/v1/config/update", None if groups is None else {"groups": list(groups)}
        )

    def version(self) -> dict[str, Any]:
        """Version, pid and plugins of the daemon."""
        return self._json("GET", "/api/v1/version")

    def health(self) -> str:
        """``ok``, or what is wrong with the daemon."""
        response = self._connection.request("GET", "/healthz")
        return str(json.loads(response.body).get("status", ""))

    def shutdown(self) -> None:
        """Have the daemon stop everything and end; returns at once."""
        self._json("POST", "/api/v1/shutdown")

    def _operate(self, name: str, action: str, wait: bool) -> Process:
        return _process(self._json("POST", f"{_path(name)}/{action}?wait={_word(wait)}"))

    def _json(self, method: str, target: str, body: object = None) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        return _decoded(self._checked(self._connection.request(method, target, data)))

    def _checked(self, response: Response) -> Response:
        if response.status >= 400:
            raise _error(response.status, response.body)
        return response

    def _events(self, target: str, *, last: str = "") -> Iterator[ServerEvent | None]:
        connection = Connection(self.socket)
        try:
            status, _, chunks = connection.stream(target, {"Last-Event-ID": last} if last else {})
            if status >= 400:
                raise _error(status, b"".join(chunks))
            yield from events(chunks)
        finally:
            connection.close()


def _path(name: str) -> str:
    return f"/api/v1/processes/{quote(name, safe='')}"


def _word(value: bool) -> str:
    return "true" if value else "false"


def _decoded(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except ValueError:
        raise ConnectionLost("the daemon answered something that is no JSON") from None


def _error(status: int, body: bytes) -> ApiError:
    try:
        answer = json.loads(body)
        return ApiError(status, str(answer["code"]), str(answer["error"]))
    except (ValueError, KeyError, TypeError):
        return ApiError(status, "SERVER_ERROR", f"the daemon answered {status}")


def _process(entry: dict[str, Any]) -> Process:
    return Process(**_known(Process, entry))


def _known(kind: type[Process | Result], entry: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that a newer daemon may have added."""
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in entry.items() if key in names}
