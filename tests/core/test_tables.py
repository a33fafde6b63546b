"""Tables of health checks and of event listeners: what they may hold, and what comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kahi.config.config import Config
from kahi.config.difference import diff
from kahi.config.loading import load
from kahi.config.resolved import resolved
from kahi.config.sample import sample
from kahi.definition import HealthSettings, ListenerSettings
from kahi.errors import ConfigError


def read(tmp_path: Path, text: str, **kinds: Any) -> Config:
    """The configuration that a text stands for."""
    path = tmp_path / "kahi.toml"
    path.write_text(text, encoding="utf-8")
    return load(str(path), environ={"PORT": "8080"}, health_kinds=kinds)


def health(tmp_path: Path, table: str, **kinds: Any) -> HealthSettings | None:
    """What a health table comes to."""
    text = f'[programs.web]\ncommand = "sleep 9"\nnumprocs = 2\n[programs.web.health]\n{table}\n'
    process = read(tmp_path, text, **kinds).process("web_1")
    assert process is not None
    return process.health


def refusal(tmp_path: Path, text: str, **kinds: Any) -> list[str]:
    """What is wrong with a configuration, without the place."""
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text, **kinds)
    return [f"{problem.where}: {problem.message}" for problem in error.value.problems]


class Odd:
    """A kind of a plugin."""

    def __init__(self, value: Any) -> None:
        if value == "crash":
            raise ZeroDivisionError
        if not isinstance(value, str):
            raise ValueError("is no text")

    async def check(self, process: object) -> None: ...


class TestHealth:
    """``[programs.NAME.health]``"""

    @pytest.mark.parametrize(
        ("table", "kind", "target"),
        [
            ('http = "http://localhost:${PORT}/%(process_num)d"', "http", "http://localhost:8080/1"),
            ('tcp = "[::1]:80%(process_num)02d"', "tcp", "[::1]:8001"),
            ("exec = \"sh -c 'exit 0'\"", "exec", ("sh", "-c", "exit 0")),
            ('exec = ["a b", "%(process_num)d"]', "exec", ("a b", "1")),
            ("notify = true", "notify", True),
            ('odd = "x%(process_num)d"', "odd", "x1"),
        ],
    )
    def test_every_kind(self, tmp_path: Path, table: str, kind: str, target: Any) -> None:
        found = health(tmp_path, table, odd=Odd)
        assert found == HealthSettings(kind, target)

    def test_the_defaults_are_those_of_the_specification(self) -> None:
        found = HealthSettings("tcp", "x:1")
        assert (found.interval, found.timeout, found.retries, found.start_period) == (10, 3, 3, 0)
        assert found.on_failure == "restart"

    @pytest.mark.parametrize(
        ("text", "action"),
        [("restart", "restart"), ("none", "none"), ("signal:HUP", 1), ("signal:SIGUSR1", 10)],
    )
    def test_what_follows(self, tmp_path: Path, text: str, action: Any) -> None:
        found = health(
            tmp_path, f'tcp = "x:1"\non_failure = "{text}"\ninterval = 1\ntimeout = 0.5\nretries = 1'
        )
        assert found is not None
        assert found.on_failure == action
        assert (found.interval, found.timeout, found.retries) == (1, 0.5, 1)

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ("interval = 3", "health: needs one of http, tcp, exec, notify, odd; there is none"),
            ("notify = false", "health: needs one of http, tcp, exec, notify, odd; there is none"),
            (
                'tcp = "x:1"\nnotify = true',
                "health: needs one of http, tcp, exec, notify, odd; not tcp and notify at once",
            ),
            ('tcp = "x:1"\nexpect = "y"', "health.expect: is for http only"),
            ('http = ""', "health.http: is empty"),
            ('http = "ftp://x"', 'health.http: is no URL (allowed: "http://host:port/path", "https://…")'),
            ('http = "http://"', 'health.http: is no URL (allowed: "http://host:port/path", "https://…")'),
            ('http = "http://x:99999/"', "health.http: is no URL: Port out of range 0-65535"),
            ('http = "http://a..b/"', "health.http: is no URL: "),
            ('http = "http://x/a b"', "health.http: a URL holds no blanks"),
            (
                'http = "http://x/\\n"',
                'health.http: is no URL (allowed: "http://host:port/path", "https://…")',
            ),
            ('tcp = ""', "health.tcp: is empty"),
            ('tcp = "localhost"', 'health.tcp: is no address (allowed: "host:port")'),
            ('tcp = ":80"', 'health.tcp: is no address (allowed: "host:port")'),
            ('tcp = "x:0"', 'health.tcp: is no address (allowed: "host:port")'),
            ('tcp = "[]:80"', 'health.tcp: is no address (allowed: "host:port")'),
            ('tcp = "a..b:80"', 'health.tcp: is no address (allowed: "host:port")'),
            ('tcp = "::1:80"', "health.tcp: an IPv6 address stands in brackets: [::1]:5432"),
            ("exec = []", "health.exec: is empty"),
            ('exec = "sh -c \'x"', "health.exec: No closing quotation"),
            ("exec = 3", "health.exec: is neither text nor a list"),
            ("odd = 3", "health.odd: is no text"),
            ('odd = "crash"', "health.odd: cannot be used: ZeroDivisionError()"),
            ('tcp = "x:1"\ninterval = 0', "health.interval: is too small (at least 0.1)"),
            ('tcp = "x:1"\ntimeout = 0', "health.timeout: is too small (at least 0.1)"),
            ('tcp = "x:1"\nretries = 0', "health.retries: is too small (at least 1)"),
            ('tcp = "x:1"\nstart_period = -1', "health.start_period: is too small (at least 0)"),
            (
                'tcp = "x:1"\non_failure = "stop"',
                'health.on_failure: is not allowed (allowed: "restart", "none", "signal:NAME")',
            ),
            ('tcp = "x:1"\non_failure = "signal:HOP"', "health.on_failure: 'HOP' is no signal"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, table: str, message: str) -> None:
        text = f'[programs.web]\ncommand = "sleep 9"\n[programs.web.health]\n{table}\n'
        (found,) = refusal(tmp_path, text, odd=Odd)
        assert found.startswith(f"[programs.web] {message}")

    def test_unknown_keys_are_told_and_those_of_plugins_are_known(self, tmp_path: Path) -> None:
        text = '[programs.web]\ncommand = "sleep 9"\nhealth = { odd = "x", intervall = 3 }\n'
        (warning,) = read(tmp_path, text, odd=Odd).warnings
        assert "intervall" in str(warning)
        assert "did you mean 'interval'?" in str(warning)

    def test_it_is_shown_and_its_credentials_are_not(self, tmp_path: Path) -> None:
        table = 'http = "http://me:secret@x/"\nexpect = "y"\non_failure = "signal:HUP"'
        text = f'[programs.web]\ncommand = "sleep 9"\n[programs.web.health]\n{table}\n'
        shown = resolved(read(tmp_path, text))["groups"][0]["processes"][0]["health"]
        assert shown["http"] == "http://********@x/"
        assert shown["on_failure"] == "signal:SIGHUP"
        assert shown["expect"] == "y"

    @pytest.mark.parametrize(
        ("before", "after", "needs_restart"),
        [
            ("", 'tcp = "x:1"', False),
            ('tcp = "x:1"', 'http = "http://x/"', False),
            ('tcp = "x:1"', 'tcp = "x:1"\nretries = 5', False),
            ('tcp = "x:1"', "", False),
            ("notify = true", 'tcp = "x:1"', False),
            ("notify = true", "notify = true\nretries = 5", False),
            ('tcp = "x:1"', "notify = true", True),
            ("", "notify = true", True),
        ],
    )
    def test_only_a_new_place_to_notify_needs_a_restart(
        self, tmp_path: Path, before: str, after: str, needs_restart: bool
    ) -> None:
        def config(table: str) -> Config:
            inner = f"[programs.web.health]\n{table}\n" if table else ""
            return read(tmp_path, f'[programs.web]\ncommand = "sleep 9"\n{inner}')

        (change,) = diff(config(before), config(after)).changed
        assert dict(change.restarted if needs_restart else change.live) == {"web": ("health",)}


class TestListeners:
    """``[eventlisteners.NAME]``"""

    def test_a_pool_is_a_group_that_starts_first(self, tmp_path: Path) -> None:
        text = (
            '[eventlisteners.mail]\ncommand = "cat"\nnumprocs = 2\nevents = ["process_state", "TICK_60", "NOTIFY_SENT"]\n'
            '[eventlisteners.late]\ncommand = "cat"\npriority = 5\nevents = ["EVENT"]\nbuffer_size = 3\n'
        )
        config = read(tmp_path, text)
        assert {name: group.priority for name, group in config.groups.items()} == {"late": 5, "mail": -1}
        assert [process.name for process in config.groups["mail"].processes] == ["mail_0", "mail_1"]
        mail, late = config.process("mail_0"), config.process("late")
        assert mail is not None
        assert late is not None
        assert mail.listener == ListenerSettings(("PROCESS_STATE", "TICK_60", "NOTIFY_SENT"), 10)
        assert (mail.priority, mail.stdout.logfile) == (999, "/dev/null")
        assert late.listener == ListenerSettings(("EVENT",), 3)
        shown = resolved(config)["groups"][1]["processes"][0]
        assert shown["events"] == ["PROCESS_STATE", "TICK_60", "NOTIFY_SENT"]

    @pytest.mark.parametrize(
        ("keys", "message"),
        [
            ('events = ["TICK_6"]', "events: there is no event 'TICK_6' (did you mean 'TICK_60'?)"),
            ('events = ["PROCES_STATE"]', "events: there is no event 'PROCES_STATE' (did you mean"),
            ('events = ["process_other"]', "events: there is no event 'PROCESS_OTHER'"),
            ('events = ["a b"]', "events: there is no event 'A B'"),
            ('events = [""]', "events: there is no event ''"),
            ("buffer_size = 0", "buffer_size: is too small (at least 1)"),
            ('stdin = "null"', "stdin: a listener gets events on its stdin"),
            ("redirect_stderr = true", "redirect_stderr: would mix stderr into the protocol"),
            ('stdout_logfile = "x.log"', "stdout_logfile: the stdout of a listener is its protocol"),
            (
                "stdout_events_enabled = true",
                "stdout_events_enabled: the stdout of a listener is its protocol",
            ),
            (
                "stdout_capture_maxbytes = 9",
                "stdout_capture_maxbytes: the stdout of a listener is its protocol",
            ),
            ("stdout_syslog = true", "stdout_syslog: the stdout of a listener is its protocol"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, keys: str, message: str) -> None:
        events = "" if "events = [" in keys else 'events = ["EVENT"]\n'
        (found,) = refusal(tmp_path, f'[eventlisteners.mail]\ncommand = "cat"\n{events}{keys}\n')
        assert found.startswith(f"[eventlisteners.mail] {message}")

    def test_no_events_are_odd_and_no_member_of_a_group(self, tmp_path: Path) -> None:
        (warning,) = read(tmp_path, '[eventlisteners.mail]\ncommand = "cat"\n').warnings
        assert "is empty: no event ever comes" in str(warning)
        text = '[eventlisteners.mail]\ncommand = "cat"\nevents = ["EVENT"]\n[groups.g]\nprograms = ["mail"]\n'
        assert refusal(tmp_path, text) == [
            "[groups.g] programs: 'mail' is a pool of listeners, and so a group itself"
        ]

    @pytest.mark.parametrize(
        ("before", "after", "restarted", "live"),
        [
            ('events = ["TICK"]', 'events = ["EVENT"]', (), ("listener",)),
            ('events = ["TICK"]', 'events = ["TICK"]\nbuffer_size = 3', (), ("listener",)),
            ('events = ["TICK"]', 'events = ["TICK"]\nstderr_logfile = "/tmp/x"', ("stderr_logfile",), ()),
        ],
    )
    def test_what_is_wanted_changes_live(
        self, tmp_path: Path, before: str, after: str, restarted: tuple[str, ...], live: tuple[str, ...]
    ) -> None:
        first, second = (
            read(tmp_path, f'[eventlisteners.mail]\ncommand = "cat"\n{keys}\n') for keys in (before, after)
        )
        (change,) = diff(first, second).changed
        assert change.restarted.get("mail", ()) == restarted
        assert change.live.get("mail", ()) == live

    def test_a_program_that_becomes_a_listener_is_restarted(self, tmp_path: Path) -> None:
        program = read(tmp_path, '[programs.x]\ncommand = "cat"\nstdout_logfile = "/dev/null"\n')
        listener = read(tmp_path, '[eventlisteners.x]\ncommand = "cat"\nevents = ["EVENT"]\n')
        (change,) = diff(program, listener).changed
        assert "listener" in change.restarted["x"]


def test_the_sample_shows_both() -> None:
    text = sample()
    assert "# [programs.example.health]" in text
    assert "# [eventlisteners.listener]" in text
