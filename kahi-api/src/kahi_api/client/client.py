"""The client: one method for each thing the API does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kahi_api.client.address import parse_address
from kahi_api.client.session import Session, basic_authorization

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any, Self

    from kahi_api.client.following import Waiting
    from kahi_api.client.objects import Changes, Event, Group, LogPiece, Process, Readiness, Result, Version
    from kahi_api.client.sse import ServerEvent


class Client:
    """Talks to one daemon. Not for several threads at once, but for `close`.

    Every method raises `CannotConnect` when nobody is there, `ConnectionLost` when an answer breaks
    off, and `ApiError` when the daemon refuses.

    Args:
        address: path of the daemon's Unix socket, ``http://HOST:PORT`` or ``https://HOST:PORT``.
        username: for Basic authentication, which TCP asks for.
        timeout: seconds to wait for an answer; None without end, which a stop may well take.
        tls: for https; without it certificates are checked against what the system trusts.
    """

    def __init__(
        self,
        address: str,
        *,
        username: str = "",
        password: str = "",
        timeout: float | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        headers = basic_authorization(username, password) if username or password else {}
        self._session = Session(parse_address(address, tls), headers, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Where the daemon is."""
        return str(self._session.address)

    def close(self) -> None:
        """Close the connection, and end what is followed, in another thread too."""
        self._session.close()

    # Processes

    def raw_processes(self) -> list[dict[str, Any]]:
        """All processes, just as the daemon sent them."""
        return self._session.json("GET", "/api/v1/processes")

    def processes(self, *, group: str = "", state: str = "") -> list[Process]:
        """All processes in name order, or those of a group or in a state."""
        from kahi_api.client.objects import Process, made

        query = _query(group=group, state=state)
        return [made(Process, entry) for entry in self._session.json("GET", f"/api/v1/processes{query}")]

    def process(self, name: str) -> Process:
        """One process."""
        from kahi_api.client.objects import Process, made

        return made(Process, self._session.json("GET", _path(name)))

    def start(self, name: str, *, wait: bool = True) -> Process:
        """Start one process; with ``wait`` until its first attempt is decided."""
        return self._operate(name, "start", wait)

    def stop(self, name: str, *, wait: bool = True) -> Process:
        """Stop one process; with ``wait`` until it is gone."""
        return self._operate(name, "stop", wait)

    def restart(self, name: str, *, wait: bool = True) -> Process:
        """Stop and start one process; one that is not running is started."""
        return self._operate(name, "restart", wait)

    def act(
        self, action: str, targets: Sequence[str], *, wait: bool = True, signal: str = ""
    ) -> list[Result]:
        """One ordered operation on everything that ``targets`` name.

        Args:
            action: ``start``, ``stop``, ``restart``, ``signal`` or ``clear``.
            targets: names, ``group:*``, glob patterns, ``all``.
            signal: the one to send, by name or number.
        """
        from kahi_api.client.objects import Result, made

        body = {"action": action, "targets": list(targets)}
        if signal:
            body["signal"] = signal
        answer = self._session.json("POST", f"/api/v1/actions?wait={_word(wait)}", body)
        return [made(Result, entry) for entry in answer]

    def signal(self, name: str, signal: str) -> None:
        """Send a signal to one process."""
        self._session.json("POST", f"{_path(name)}/signal", {"signal": signal})

    # Input and output

    def send(self, name: str, data: bytes, *, end: bool = False) -> None:
        """Write to a process's standard input; ``end`` closes it, where the configuration allows."""
        import binascii

        body: dict[str, Any] = {"data_base64": binascii.b2a_base64(data, newline=False).decode()}
        if end:
            body["end"] = True
        self._session.json("POST", f"{_path(name)}/stdin", body)

    def log(
        self, name: str, stream: str = "stdout", *, offset: int | None = None, length: int = 1600
    ) -> LogPiece:
        """A piece of a log; the last ``length`` bytes without an ``offset``."""
        return self._log(f"{_path(name)}/log/{_quoted(stream)}", offset, length)

    def follow_log(
        self, name: str, stream: str = "stdout", *, offset: int, waiting: Waiting | None = None
    ) -> Iterator[LogPiece]:
        """What a log grows by, from ``offset`` on, over all restarts of the process.

        Args:
            waiting: called when the daemon goes away; it is then waited for, and the log goes on
                where it was. None raises `ConnectionLost`.
        """
        path = f"{_path(name)}/log/{_quoted(stream)}/stream"
        daemon = self.version().pid if waiting else 0

        def again(last: str) -> str:
            nonlocal daemon
            pid = self.version().pid
            if pid == daemon:
                return last
            is_file = self._is_in_a_file(name, stream)
            daemon = pid
            # What is kept in memory is of the new daemon's time altogether.
            return last if is_file else "0"

        yield from _pieces(self._session.follow(path, str(offset), waiting, again), offset)

    def clear_log(self, name: str, stream: str = "stdout") -> None:
        """Empty a log."""
        self._session.json("DELETE", f"{_path(name)}/log/{_quoted(stream)}")

    def attach(self, name: str) -> Iterator[LogPiece | Event]:
        """Both streams of a process as they grow, and its changes of state.

        Nobody else can be attached to the process until the iterator, or the client, is closed.

        Raises:
            ApiError: at once, when somebody else is attached, or the process takes no input.
        """
        return _attached(self._session.events(f"{_path(name)}/attach"))

    # Groups and configuration

    def groups(self) -> list[Group]:
        """Active groups in name order."""
        from kahi_api.client.objects import Group, made

        return [made(Group, entry) for entry in self._session.json("GET", "/api/v1/groups")]

    def add_group(self, name: str) -> None:
        """Make a group of the configuration active."""
        self._session.json("POST", "/api/v1/groups", {"name": name})

    def remove_group(self, name: str) -> None:
        """Make a group inactive; it must be down."""
        self._session.json("DELETE", f"/api/v1/groups/{_quoted(name)}")

    def config(self) -> dict[str, Any]:
        """The resolved configuration, without secrets."""
        return self._session.json("GET", "/api/v1/config")

    def reread(self) -> Changes:
        """What an update would do."""
        return self._changes("reread", None)

    def update(self, groups: Sequence[str] | None = None) -> Changes:
        """Take over what changed in the configuration, or only what concerns ``groups``."""
        return self._changes("update", None if groups is None else {"groups": list(groups)})

    # The daemon

    def version(self) -> Version:
        """Version, pid and plugins of the daemon."""
        from kahi_api.client.objects import Version, made

        return made(Version, self._session.json("GET", "/api/v1/version"))

    def health(self) -> str:
        """``ok``, or what is wrong with the daemon."""
        return str(self._session.probe("/healthz").get("status", ""))

    def ready(self, processes: Sequence[str] = ()) -> Readiness:
        """Whether everything that starts by itself is up, or these processes are."""
        from kahi_api.client.objects import Readiness

        answer = self._session.probe(f"/readyz{_query(process=','.join(processes))}")
        return Readiness(
            answer.get("status") == "ready", list(answer.get("pending", ())), list(answer.get("failing", ()))
        )

    def daemon_log(self, *, offset: int | None = None, length: int = 1600) -> LogPiece:
        """A piece of the daemon's own log; its end without an ``offset``."""
        return self._log("/api/v1/log", offset, length)

    def follow_daemon_log(self, *, offset: int, waiting: Waiting | None = None) -> Iterator[LogPiece]:
        """What the daemon's own log grows by; see `follow_log`."""
        yield from _pieces(self._session.follow("/api/v1/log/stream", str(offset), waiting), offset)

    def reopen_logs(self) -> None:
        """Have all log files opened anew, as after somebody moved them."""
        self._session.json("POST", "/api/v1/logs/reopen")

    def send_event(self, kind: str, data: str = "") -> int:
        """Publish a ``REMOTE_COMMUNICATION`` event for listeners and plugins; returns its serial."""
        return int(self._session.json("POST", "/api/v1/events", {"type": kind, "data": data})["serial"])

    def events(self, *, since: int = 0, limit: int | None = None) -> list[Event]:
        """What happened recently, oldest first; with a serial above ``since``, the newest ``limit``."""
        from kahi_api.client.objects import Event

        query = _query(since=str(since) if since else "", limit="" if limit is None else str(limit))
        return [
            Event(str(entry["type"]), int(entry["serial"]), entry)
            for entry in self._session.json("GET", f"/api/v1/events{query}")
        ]

    def follow_events(
        self,
        types: Sequence[str] = (),
        *,
        process: str = "",
        since: int | None = None,
        waiting: Waiting | None = None,
    ) -> Iterator[Event]:
        """What happens from now on, or since the event with a serial.

        Args:
            types: of events, or what their types begin with; all without.
            waiting: called when the daemon goes away; see `follow_log`.
        """
        from kahi_api.client.following import happened

        path = f"/api/v1/events/stream{_query(types=','.join(types), process=process)}"
        for event in self._session.follow(path, "" if since is None else str(since), waiting):
            yield happened(event)

    def shutdown(self) -> None:
        """Have the daemon stop everything and end; returns at once."""
        self._session.json("POST", "/api/v1/shutdown")

    def _is_in_a_file(self, name: str, stream: str) -> bool:
        """Whether a log outlives the daemon."""
        process = self.process(name)
        path = process.stderr_logfile if stream == "stderr" else process.stdout_logfile
        if stream == "stderr" and not path and process.stdout_logfile and self._redirects_stderr(name):
            path = process.stdout_logfile
        return bool(path) and not path.startswith("/dev/")

    def _redirects_stderr(self, name: str) -> bool:
        members = (member for group in self.config()["groups"] for member in group["processes"])
        return any(member["redirect_stderr"] for member in members if member["name"] == name)

    def _operate(self, name: str, action: str, wait: bool) -> Process:
        from kahi_api.client.objects import Process, made

        return made(Process, self._session.json("POST", f"{_path(name)}/{action}?wait={_word(wait)}"))

    def _changes(self, word: str, body: object) -> Changes:
        from kahi_api.client.objects import Changes, made

        return made(Changes, self._session.json("POST", f"/api/v1/config/{word}", body))

    def _log(self, path: str, offset: int | None, length: int) -> LogPiece:
        from kahi_api.client.objects import LogPiece

        query = _query(length=str(length), offset="" if offset is None else str(offset))
        response = self._session.request("GET", path + query)
        headers = response.headers
        return LogPiece(
            response.body, int(headers.get("x-log-offset", "0")), int(headers.get("x-log-missed", "0"))
        )


def _attached(stream: Iterator[ServerEvent | None]) -> Iterator[LogPiece | Event]:
    from kahi_api.client.following import happened, log_piece

    for event in stream:
        if event is not None:
            yield happened(event) if event.type.isupper() else log_piece(event, 0)


def _pieces(stream: Iterator[ServerEvent], offset: int) -> Iterator[LogPiece]:
    from kahi_api.client.following import log_piece

    for event in stream:
        piece = log_piece(event, offset)
        offset = piece.offset
        yield piece


def _path(name: str) -> str:
    return f"/api/v1/processes/{_quoted(name)}"


def _quoted(text: str) -> str:
    if text.isascii() and text.replace("-", "_").replace(".", "_").isidentifier():
        return text
    from urllib.parse import quote

    return quote(text, safe="", errors="surrogateescape")


def _query(**values: str) -> str:
    pairs = [f"{name}={_quoted(value)}" for name, value in values.items() if value]
    return f"?{'&'.join(pairs)}" if pairs else ""


def _word(value: bool) -> str:
    return "true" if value else "false"
