"""The proof: supervisord under the source and Kahi under the result start the same."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kahi.plugins import PluginManager
from kahi_migrate.migration import migrate
from kahi_migrate.supervisord.configuration import read
from kahi_migrate.supervisord.logs import DEVICES
from kahi_migrate.supervisord.resolve import resolve
from kahi_migrate.supervisord.resolved import Log
from tests.migrate.running import CORPUS, Seen, Site, kahi, make_site, processes, supervisord
from tests.support import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]

SILENT = "; silent: yes"
ROOT_ONLY = "; root: yes"
SOURCES = sorted(CORPUS.iterdir())


def main_file(source: Path) -> Path:
    """The file that supervisord is given."""
    return source / "supervisord.conf" if source.is_dir() else source


def parameters() -> Iterator[object]:
    for source in SOURCES:
        needs_root = ROOT_ONLY in main_file(source).read_text(encoding="utf-8")
        yield pytest.param(source, id=source.stem, marks=[pytest.mark.needs_root] if needs_root else [])


def started_groups(seen: list[Seen]) -> list[str]:
    """Groups in the order in which they were started."""
    return list(dict.fromkeys(each.group for each in seen))


def comparable(seen: Seen, *, with_url: bool) -> tuple[object, ...]:
    """All that has to be the same; the URL of the server only where both have the socket."""
    environment = {
        key: value for key, value in seen.environment.items() if with_url or key != "SUPERVISOR_SERVER_URL"
    }
    return seen.argv, seen.directory, environment, seen.identity, seen.umask


@pytest.mark.parametrize("source", list(parameters()))
def test_the_same_runs_under_both(source: Path, short_tmp: Path) -> None:
    text = main_file(source).read_text(encoding="utf-8")
    count = int(re.findall(r"^; processes: (\d+)", text)[0])
    background = "nodaemon" not in text
    with_url = "[unix_http_server]" in text
    site = make_site(short_tmp, source)
    with supervisord(site) as daemon:
        before = processes(daemon, count)
        logs = {} if SILENT in text else complete_logs(site)
    site.remove_logs()
    plugins = PluginManager()
    plugins.discover()
    plugins.declare_sections()
    done = migrate(str(site.supervisord_conf), plugins, site.environ)
    site.kahi_toml.write_text(done.text, encoding="utf-8")
    with kahi(site, background=background) as daemon:
        after = processes(daemon, count)
        eventually(lambda: site.logs() == logs or None, f"the same logs: {logs}; {site.logs()}")
    assert {each.name for each in after} == {each.name for each in before}
    by_name = {each.name: each for each in after}
    for each in before:
        assert comparable(by_name[each.name], with_url=with_url) == comparable(each, with_url=with_url), (
            each.name
        )
        assert by_name[each.name].group == each.group
    assert started_groups(after) == started_groups(before)


def complete_logs(site: Site) -> dict[str, list[str]]:
    """The logs of supervisord, once every line that goes into a file is there."""
    resolved = resolve(read(str(site.supervisord_conf), site.environ), site.environ)
    expected = 0
    for program in (program for group in resolved.groups for program in group.programs):
        for process in program.processes if program.policy.autostart else ():
            stdout = _is_file(process.stdout)
            expected += 0 if program.kind == "eventlistener" else stdout
            expected += stdout if program.policy.redirect_stderr else _is_file(process.stderr)

    def complete() -> dict[str, list[str]] | None:
        logs = site.logs()
        return logs if sum(map(len, logs.values())) == expected else None

    return eventually(complete, f"{expected} lines stand in logs") if expected else site.logs()


def _is_file(log: Log) -> bool:
    return log.path is not None and log.path not in DEVICES
