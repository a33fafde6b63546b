"""What supervisord would do with a configuration, compared with what its own code makes of it."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from supervisor import options as supervisor_options
from supervisor.datatypes import Automatic, RestartUnconditionally, RestartWhenExitUnexpected

from kahi.errors import ConfigError
from kahi_migrate.supervisord.configuration import read
from kahi_migrate.supervisord.resolve import resolve
from kahi_migrate.supervisord.resolved import Log, Resolved
from kahi_migrate.supervisord.values import LEVELS
from tests.migrate.generated import ENVIRON, Files, configurations

AUTORESTART = {False: "never", RestartUnconditionally: "always", RestartWhenExitUnexpected: "unexpected"}
LOG_KEYS = {
    "logfile": "path",
    "logfile_maxbytes": "maxbytes",
    "logfile_backups": "backups",
    "capture_maxbytes": "capture_maxbytes",
    "events_enabled": "events_enabled",
    "syslog": "syslog",
}
POLICY_KEYS = (
    "umask",
    "priority",
    "autostart",
    "startsecs",
    "startretries",
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "redirect_stderr",
    "serverurl",
)


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """A directory that is the working directory as well."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        yield Path(name)
        os.chdir(before)


@settings(max_examples=150, deadline=None)
@given(configurations(wrong=True))
def test_processes_are_those_of_supervisord(site: Path, files: Files) -> None:
    path = files.write(site)
    theirs = by_supervisord(path)
    ours = by_us(path)
    assert ours == theirs


def by_supervisord(path: Path) -> dict[str, Any] | None:
    """What supervisord's own code makes of it, None when it refuses."""
    with mock.patch.dict(os.environ, ENVIRON, clear=True):
        options = supervisor_options.ServerOptions()
    options.poller.close()
    options.configfile = str(path)
    options.here = str(path.parent)
    try:
        section = options.read_config(str(path))
    except ValueError:
        return None
    groups = [
        (group.name, group.priority, [_their_process(process) for process in group.process_configs])
        for group in section.process_group_configs
    ]
    return {
        "groups": groups,
        "minfds": section.minfds,
        "umask": section.umask,
        "loglevel": section.loglevel,
        "nodaemon": section.nodaemon,
        "environment": section.environment,
        "logfile_maxbytes": section.logfile_maxbytes,
        "strip_ansi": section.strip_ansi,
        "servers": sorted(server["section"] for server in section.server_configs),
    }


def _their_process(process: Any) -> dict[str, Any]:
    found = {
        key: getattr(process, key) for key in ("name", "command", "directory", "environment", *POLICY_KEYS)
    }
    found |= {"uid": process.uid, "exitcodes": list(process.exitcodes)}
    found["autorestart"] = AUTORESTART[process.autorestart]
    for stream in ("stdout", "stderr"):
        for key in LOG_KEYS:
            value = getattr(process, f"{stream}_{key}")
            found[f"{stream}_{key}"] = "AUTO" if value is Automatic else value if value != "" else None
    return found


def by_us(path: Path) -> dict[str, Any] | None:
    """What we make of it, None when we would refuse."""
    try:
        configuration = read(str(path), ENVIRON)
    except ConfigError:
        return None
    resolved = resolve(configuration, ENVIRON)
    if resolved.problems:
        assert all(problem.line for problem in resolved.problems)
        return None
    assert not resolved.unset
    daemon = resolved.daemon
    return {
        "groups": [
            (group.name, group.priority, list(_our_processes(resolved, group.section)))
            for group in resolved.groups
        ],
        "minfds": daemon.minfds,
        "umask": daemon.umask,
        "loglevel": LEVELS[daemon.loglevel],
        "nodaemon": daemon.nodaemon,
        "environment": daemon.environment,
        "logfile_maxbytes": daemon.logfile_maxbytes,
        "strip_ansi": daemon.strip_ansi,
        "servers": sorted(server.section for server in resolved.servers),
    }


def _our_processes(resolved: Resolved, section: str) -> Iterator[dict[str, Any]]:
    group = next(group for group in resolved.groups if group.section == section)
    for program in group.programs:
        policy = program.policy
        for process in program.processes:
            found: dict[str, Any] = {key: getattr(policy, key) for key in POLICY_KEYS}
            found |= {key: getattr(process, key) for key in ("name", "command", "directory")}
            found["environment"] = {**resolved.daemon.environment, **process.environment}
            user = policy.user
            found["uid"] = (
                user if user is None else int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
            )
            found |= {"exitcodes": list(policy.exitcodes), "autorestart": policy.autorestart}
            yield found | _our_log("stdout", process.stdout) | _our_log("stderr", process.stderr)


def _our_log(stream: str, log: Log) -> dict[str, Any]:
    return {f"{stream}_{key}": getattr(log, attribute) for key, attribute in LOG_KEYS.items()}
