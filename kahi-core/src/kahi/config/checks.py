"""What has to hold between programs: unique names, possible dependencies, logs of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from kahi.config.models import SupervisorSettings
from kahi.config.place import Place
from kahi.config.programs import SPECIAL_LOGS
from kahi.config.report import Report
from kahi.definition import GroupDefinition, ProcessDefinition, StreamSettings


def check_processes(
    groups: Mapping[str, GroupDefinition],
    programs: Mapping[str, Place],
    settings: SupervisorSettings,
    report: Report,
) -> None:
    """Report what is wrong between processes; ``programs`` tells where each program stands."""
    processes = [process for group in groups.values() for process in group.processes]
    _check_names(processes, programs, report)
    _check_logs(processes, programs, settings, report)
    _check_dependencies(processes, programs, report)


def _check_names(processes: list[ProcessDefinition], programs: Mapping[str, Place], report: Report) -> None:
    owner: dict[str, str] = {}
    for process in processes:
        if process.name in owner:
            programs[process.program].error(
                report,
                "",
                f"its process {process.name!r} is called like one of program {owner[process.name]!r}",
            )
        owner[process.name] = process.program


def _check_logs(
    processes: list[ProcessDefinition],
    programs: Mapping[str, Place],
    settings: SupervisorSettings,
    report: Report,
) -> None:
    """Two writers would destroy each other's log, at the latest when it is rotated."""
    users: dict[str, tuple[str, int]] = {}
    logs: list[tuple[ProcessDefinition, str, str, str]] = []
    if settings.logfile not in SPECIAL_LOGS:
        own = os.path.realpath(os.path.join(settings.directory, settings.logfile))
        users[own] = ("the daemon itself", settings.logfile_backups)
    for process in processes:
        for key, stream in _logged(process):
            real = os.path.realpath(stream.logfile)
            logs.append((process, key, stream.logfile, real))
            if real in users:
                message = f"is the log of {users[real][0]} already; each stream needs a file of its own"
                programs[process.program].error(report, key, f"{stream.logfile} {message}")
            users[real] = (f"process {process.name!r}", stream.backups)
    for process, key, logfile, real in logs:
        base, _, number = real.rpartition(".")
        if number.isdecimal() and base in users and 1 <= int(number) <= users[base][1]:
            message = f"is what a rotated log of {users[base][0]} is called"
            programs[process.program].error(report, key, f"{logfile} {message}")


def _logged(process: ProcessDefinition) -> Iterator[tuple[str, StreamSettings]]:
    if process.stdout.logfile not in SPECIAL_LOGS:
        yield "stdout_logfile", process.stdout
    if process.stderr is not None and process.stderr.logfile not in SPECIAL_LOGS:
        yield "stderr_logfile", process.stderr


def _check_dependencies(
    processes: list[ProcessDefinition], programs: Mapping[str, Place], report: Report
) -> None:
    known = {process.name: process.program for process in processes}
    known |= {program: program for program in programs}
    needs: dict[str, set[str]] = {}
    for process in processes:
        for name, _ in process.depends_on:
            if name not in known:
                message = f"there is no program or process {name!r}{report.nearest(name, known)}"
                programs[process.program].error(report, "depends_on", message)
            else:
                needs.setdefault(process.program, set()).add(known[name])
    for circle in _circles(needs):
        programs[circle[0]].error(report, "depends_on", f"is a circle: {' -> '.join(circle)}")


def _circles(needs: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """One path for each circle of programs that need each other."""
    done: set[str] = set()
    for first in sorted(needs):
        path: list[str] = []
        pending = [(first, iter(sorted(needs.get(first, ()))))]
        path.append(first)
        while pending:
            name, rest = pending[-1]
            following = next(rest, None)
            if following is None:
                pending.pop()
                path.pop()
                done.add(name)
            elif following in path:
                yield [*path[path.index(following) :], following]
                return
            elif following not in done:
                path.append(following)
                pending.append((following, iter(sorted(needs.get(following, ())))))
