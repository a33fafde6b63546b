"""The page of one process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from kahi.config.resolved import without_credentials
from kahi.lifecycle import State
from kahi.process import Process
from kahi_webui import views, wording
from kahi_webui.curves import Chart, polylines
from kahi_webui.pages.events import event_rows
from kahi_webui.samples import INTERVAL, KEPT
from kahi_webui.site import page
from kahi_webui.state import WebUi

LAST_WORDS: Final = 4096
"""Bytes of stderr that are shown for a process that failed."""

LAST_LINES: Final = 12
EVENTS: Final = 50


@dataclass(frozen=True, slots=True)
class Why:
    """Why a process is in a state that somebody asks about."""

    reason: str
    lines: str


class ProcessPage:
    """Routes of one process."""

    def __init__(self, site: WebUi) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The page."""
        site = self._site
        process = site.supervisor.process(request.path_params["name"])
        now = site.now()
        events = [
            event for event in site.supervisor.events.history() if getattr(event, "name", "") == process.name
        ]
        return await page(
            site,
            request,
            "process.html",
            p=views.row(process, site, now) | {"streams": streams(process)},
            now=now,
            serial=site.supervisor.events.last_serial,
            why=await self._why(process),
            critical=process.definition.critical,
            charts=self._charts(process),
            facts=_facts(process),
            environment=sorted(name for name, _ in process.definition.spawn.environment),
            events=event_rows(events[-EVENTS:]),
            stream=_talking(process),
            lines="",
        )

    async def _why(self, process: Process) -> Why | None:
        if not views.is_troubled(process):
            return None
        reason = process.spawn_error or ("" if process.exit is None else str(process.exit))
        if process.health == "unhealthy":
            monitor = process.health_monitor
            reason = f"its health check fails: {'' if monitor is None else monitor.remark}"
        stream = process.stdout if process.stderr is None else process.stderr
        piece = await stream.read(-LAST_WORDS, LAST_WORDS)
        lines = piece.data.decode("utf-8", "replace").splitlines()[-LAST_LINES:]
        return Why(reason, "\n".join(lines))

    def _charts(self, process: Process) -> list[Chart]:
        samples = self._site.samples
        cpu, memory = samples.cpu(process.name), samples.memory(process.name)
        return [
            _chart("cpu", "CPU", cpu, wording.percent, least=5),
            _chart("memory", "Memory", memory, wording.size, least=1),
            _restarts(process, self._site),
        ]


def _talking(process: Process) -> str:
    """The stream that somebody will want to read first."""
    only_stderr = process.stderr is not None and process.stderr.offset > 0 and process.stdout.offset == 0
    return "stderr" if only_stderr else "stdout"


def _chart(key: str, title: str, values: list[float | None], words: Any, *, least: float) -> Chart:
    known = [value for value in values if value is not None]
    top = max(known, default=0.0)
    now = words(values[-1] if values else None) or "–"
    return Chart(key, title, now, words(top), polylines(values, max(top * 1.15, least)))


def _restarts(process: Process, site: WebUi) -> Chart:
    """How many starts there were in each of the last 10 seconds."""
    now = site.now()
    starts = [0.0] * KEPT
    for span in site.timelines.spans(process.name, process.state.name, now):
        if span.state == State.STARTING.name:
            starts[min(KEPT - 1, max(0, KEPT - 1 - int((now - span.begin) / INTERVAL)))] += 1
    top = max(starts)
    return Chart(
        "restarts", "Restarts", str(process.restarts), f"{top:.0f} in 10 s", polylines(starts, max(top, 3))
    )


def streams(process: Process) -> list[str]:
    """Names of the streams that a process has."""
    return ["stdout"] if process.stderr is None else ["stdout", "stderr"]


def _facts(process: Process) -> list[tuple[str, str]]:
    """Everything there is to say about a process, in the order in which somebody asks."""
    definition, spawn = process.definition, process.definition.spawn
    start, stop = definition.start, definition.stop
    facts: Mapping[str, str] = {
        "Command": without_credentials(_command(spawn.command)),
        "PID": str(process.pid or ""),
        "Uptime": wording.uptime(process.uptime),
        "Restarts": f"{process.restarts} by itself, {process.starts} starts in all",
        "Last exit": "" if process.exit is None else f"{process.exit} ({_expected(process)})",
        "Ready": "yes" if process.ready else "no",
        "Health": "" if process.health == "none" else process.health,
        "Group": process.group,
        "Program": process.program,
        "Directory": spawn.directory,
        "User": spawn.user,
        "Autostart": "yes" if definition.autostart else "no",
        "Restart": {"always": "always", "never": "never", "unexpected": "after an unexpected end"}[
            start.autorestart
        ],
        "Starts in": f"{start.startsecs:g} s, {_retries(start.startretries)}",
        "Stop": f"signal {stop.signal}, SIGKILL after {stop.wait:g} s",
        "Priority": str(definition.priority),
        "Depends on": ", ".join(f"{name} ({condition})" for name, condition in definition.depends_on),
        "stdout": process.stdout.logfile or "console",
        "stderr": "with stdout" if process.stderr is None else process.stderr.logfile or "console",
        "Description": definition.description,
    }
    return [(term, value) for term, value in facts.items() if value]


def _command(words: tuple[str, ...]) -> str:
    import shlex

    return shlex.join(words)


def _expected(process: Process) -> str:
    if process.state is State.RUNNING:
        return "before the present start"
    return "expected" if process.expected_exit else "not expected"


def _retries(count: int) -> str:
    return "retried without end" if count < 0 else f"{count} retries"
