"""systemd: a unit for each workload, and a target that holds them together."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from typing import Final

from kahi.config.values import parse_socket
from kahi.definition import UNLIMITED, ProcessDefinition, SocketSettings, StreamSettings
from kahi.lifecycle import backoff_delay
from kahi_migrate.export.naming import safe_names, seconds
from kahi_migrate.export.text import Text, variables, write
from kahi_migrate.export.workload import Workload, Workloads
from kahi_migrate.target import Output, TargetFormat

_RESTART: Final[Mapping[str, str]] = {"always": "always", "never": "no", "unexpected": "on-failure"}
_NOWHERE: Final = "/dev/null"
GROWING: Final = 1000
"""Retries of which each may wait longer than the one before."""

Lines = Iterator[str]


class _Names:
    """What the units are called."""

    def __init__(self, workloads: Workloads) -> None:
        names = [workloads.name, *(workload.name for workload in workloads)]
        safe = safe_names(names, r"[^A-Za-z0-9_.-]+", 200)
        self.whole = safe[workloads.name]
        self.target = f"{self.whole}.target"
        self._names = safe

    def of(self, workload: Workload) -> str:
        """The name of its units, without what kind they are."""
        return self._names[workload.name]

    def started(self, workload: Workload) -> list[str]:
        """The units that start it."""
        name = self.of(workload)
        if workload.definition.socket is not None:
            return [f"{name}.socket"]
        if _is_template(workload):
            return [f"{name}@{number}.service" for number in range(workload.replicas)]
        return [f"{name}.service"]


def write_units(workloads: Workloads) -> list[Output]:
    """A file for each unit, and the target."""
    names = _Names(workloads)
    outputs = [_output(names.target, _target(workloads, names))]
    for workload in workloads:
        if workload.definition.socket is not None:
            lines = _socket(workload, workload.definition.socket)
            outputs.append(_output(f"{names.of(workload)}.socket", lines))
        at = "@" if _is_template(workload) else ""
        lines = _service(workloads, workload, names)
        outputs.append(_output(f"{names.of(workload)}{at}.service", lines))
    return outputs


def _output(name: str, lines: Lines) -> Output:
    return Output(name, "\n".join(lines) + "\n")


def _target(workloads: Workloads, names: _Names) -> Lines:
    yield "[Unit]"
    yield f"Description=Programs of {_plain(workloads.name)}"
    for workload in workloads:
        if workload.definition.autostart:
            yield from (f"Wants={unit}" for unit in names.started(workload))
    yield from ("", "[Install]", "WantedBy=multi-user.target")


def _service(workloads: Workloads, workload: Workload, names: _Names) -> Lines:
    definition = workload.definition
    _say_what_is_lost(workloads, workload)
    yield "[Unit]"
    yield f"Description={_plain(definition.description or workload.name)}"
    yield f"PartOf={names.target}"
    yield from _dependencies(workloads, workload, names)
    yield from _start_limit(definition)
    yield ""
    yield "[Service]"
    health = definition.health
    kind = (
        "oneshot" if definition.start.oneshot else "notify" if health and health.kind == "notify" else "exec"
    )
    yield f"Type={kind}"
    if kind == "notify":
        yield "NotifyAccess=all"
    yield f"ExecStart={' '.join(_word(word) for word in workload.argv)}"
    if variables([workload.directory]):
        workloads.warn(workload, "directory", "left out: systemd expands no variables there")
    elif workload.directory:
        yield f"WorkingDirectory={_plain(_text(workload.directory))}"
    yield from _environment(workloads, workload, names)
    yield from _identity(definition)
    yield from _limits(definition)
    yield from _restart(definition)
    yield from _stop(definition)
    yield f"StandardInput={'socket' if definition.socket is not None else 'null'}"
    yield f"StandardOutput={_stream(definition.stdout)}"
    yield f"StandardError={'inherit' if definition.stderr is None else _stream(definition.stderr)}"
    if definition.autostart:
        yield from ("", "[Install]", f"WantedBy={names.target}")


def _socket(workload: Workload, socket: SocketSettings) -> Lines:
    place, port = parse_socket(socket.url)
    yield "[Unit]"
    yield f"Description=Socket of {workload.name}"
    yield ""
    yield "[Socket]"
    yield f"ListenStream={_plain(place) if port < 0 else f'{place}:{port}'}"
    if port < 0:
        yield f"SocketMode={socket.mode:04o}"
        user, _, group = socket.owner.partition(":")
        if user:
            yield f"SocketUser={user}"
        if group:
            yield f"SocketGroup={group}"
    if socket.backlog:
        yield f"Backlog={socket.backlog}"
    yield from ("", "[Install]", "WantedBy=sockets.target")


def _dependencies(workloads: Workloads, workload: Workload, names: _Names) -> Lines:
    for name, state in workload.depends_on:
        for other in workloads:
            if other.name == name:
                yield from (f"{verb}={unit}" for unit in names.started(other) for verb in ("Wants", "After"))
        if state == "healthy":
            workloads.warn(
                workload, "depends_on", f"{name} is waited for until it is started, not until it is healthy"
            )


def _start_limit(definition: ProcessDefinition) -> Lines:
    retries = definition.start.startretries
    if retries < 0:
        yield "StartLimitIntervalSec=0"
    else:
        # Long enough for all retries with their delays, which grow no more after so many.
        growing = min(retries, GROWING)
        delays = [backoff_delay(definition.start.backoff, n + 1, 0.0) for n in range(growing)]
        delay = sum(delays) + (retries - growing) * (delays[-1] if delays else 0.0)
        yield f"StartLimitIntervalSec={round(delay + definition.start.startsecs * (retries + 1)) + 1}"
        yield f"StartLimitBurst={retries + 1}"


def _environment(workloads: Workloads, workload: Workload, names: _Names) -> Lines:
    secrets = f"/etc/{names.whole}/{names.of(workload)}.env"
    outside = [key for key, text in workload.environment.items() if text is None or variables([text])]
    outside += [name for name in variables(workload.argv) if name not in outside]
    for key, text in workload.environment.items():
        if key not in outside and text is not None:
            yield f"Environment={_quoted(f'{key}={_text(text)}').replace('%', '%%')}"
    for file in workload.environment_files:
        optional, name = ("-", file[1:]) if file.startswith("-") else ("", file)
        yield f"EnvironmentFile={optional}{_plain(os.path.join(workload.home, name))}"
    if outside:
        yield f"EnvironmentFile={_plain(secrets)}"
        for key in outside:
            workloads.warn(workload, "", f"the value of {key} is not written out: put {key}=… into {secrets}")


def _identity(definition: ProcessDefinition) -> Lines:
    user, _, group = definition.spawn.user.partition(":")
    if user:
        yield f"User={user}"
    if group:
        yield f"Group={group}"
    if definition.spawn.umask is not None:
        yield f"UMask={definition.spawn.umask:04o}"
    if definition.spawn.nice:
        yield f"Nice={definition.spawn.nice}"
    if definition.spawn.oom_score_adj is not None:
        yield f"OOMScoreAdjust={definition.spawn.oom_score_adj}"
    if definition.spawn.no_new_privs:
        yield "NoNewPrivileges=yes"


def _limits(definition: ProcessDefinition) -> Lines:
    for limit in definition.spawn.rlimits:
        soft, hard = ("infinity" if value == UNLIMITED else value for value in (limit.soft, limit.hard))
        yield f"Limit{limit.name.upper()}={soft}:{hard}"
    if definition.max_memory:
        yield f"MemoryMax={definition.max_memory}"


def _restart(definition: ProcessDefinition) -> Lines:
    start = definition.start
    codes = " ".join(map(str, sorted(start.exitcodes)))
    if start.oneshot:
        yield "Restart=on-failure" if start.startretries else "Restart=no"
    elif start.autorestart == "unexpected" and 0 not in start.exitcodes:
        # An end with 0 is unexpected as well.
        yield "Restart=always"
        if codes:
            yield f"RestartPreventExitStatus={codes}"
    else:
        yield f"Restart={_RESTART[start.autorestart]}"
    if start.exitcodes - {0}:
        yield f"SuccessExitStatus={codes}"
    yield f"RestartSec={seconds(max(1, start.restart_delay))}"


def _stop(definition: ProcessDefinition) -> Lines:
    stop = definition.stop
    yield f"KillSignal={signal.Signals(stop.signal).name}"
    yield f"TimeoutStopSec={seconds(stop.wait)}"
    yield f"KillMode={'control-group' if stop.as_group else 'mixed' if stop.kill_as_group else 'process'}"


def _stream(settings: StreamSettings) -> str:
    if settings.logfile in ("", "AUTO", "/dev/stdout", "/dev/stderr"):
        return "journal"
    return "null" if settings.logfile == _NOWHERE else f"append:{_plain(settings.logfile)}"


def _say_what_is_lost(workloads: Workloads, workload: Workload) -> None:
    definition = workload.definition
    health = definition.health
    if health is not None and health.kind != "notify":
        workloads.warn(workload, "health", "left out: systemd does not ask; it can be told (health.notify)")
    if workload.replicas > 1 and definition.socket is not None:
        workloads.warn(workload, "numprocs", "one process gets the socket: systemd hands it to one unit only")
    for stream in ("stdout", "stderr"):
        workloads.lost(
            workload,
            f"{stream}_logfile_maxbytes",
            f"{stream}_logfile_backups",
            reason="logrotate has to do it",
        )
    workloads.lost(workload, "critical", reason="no unit ends the target with it")
    program = workload.argv[0][0] if workload.argv[0] else ""
    if not (isinstance(program, str) and program.startswith("/")):
        workloads.note(workload, "command", "systemd looks for the program on a PATH of its own")


def _is_template(workload: Workload) -> bool:
    return workload.replicas > 1 and workload.definition.socket is None


def _plain(text: str) -> str:
    """A value in which only the percent sign means something."""
    return " ".join(text.replace("%", "%%").split("\n"))


def _word(word: Text) -> str:
    """A word of a command line."""
    text = write(word, lambda part: part.replace("$", "$$").replace("%", "%%"), lambda name: f"${{{name}}}")
    return _quoted(text)


def _quoted(text: str) -> str:
    if text and re.fullmatch(r"[^\s\"'\\;]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _text(text: Text) -> str:
    return write(text, str, lambda name: f"${{{name}}}")


SYSTEMD = TargetFormat("systemd", "units for systemd", write_units)
