"""Webhooks through the real program, with receivers at their worst: supervision goes on."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import Daemon, eventually, install_plugin
from tests.webhooks.receiver import Receiver, answer, first
from tests.webhooks.samples import KEY

Start = Callable[..., Daemon]
Receivers = Callable[..., Receiver]

SLEEPER = """
[programs.web]
command = "sleep 1000"
startsecs = 0
"""


def webhook(url: str, keys: str = "", name: str = "ops") -> str:
    return f'\n[webhooks.{name}]\nurl = "{url}"\n{keys}\n'


def is_untouched(daemon: Daemon) -> None:
    """A child that is killed is back at once, and the API answers."""
    before = daemon.wait_for("web", "RUNNING")
    begin = time.monotonic()
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: daemon.process("web").pid not in (0, before.pid), patience=3)
    assert time.monotonic() - begin < 3


def test_what_happens_is_told_in_order_and_signed(daemon: Start, receiver: Receivers) -> None:
    here = receiver()
    running = daemon(SLEEPER + webhook(here.url, 'secret = "s3cret"\nheaders = { X-Team = "ops" }'))
    here.wait_for(2)
    running.ctl("stop", "web")
    here.wait_for(4)
    assert here.types == [f"PROCESS_STATE_{s}" for s in ("STARTING", "RUNNING", "STOPPING", "STOPPED")]
    serials = [each.json["serial"] for each in here.received]
    assert serials == sorted(serials)
    for each in here.received:
        assert each.headers["X-Team"] == "ops"
        assert each.headers["Content-Type"] == "application/json"
        stamp, given = each.headers["X-Kahi-Signature"].split(",")
        signed = stamp.removeprefix("t=").encode() + b"." + each.body
        assert given == "v1=" + hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert abs(time.time() - int(stamp.removeprefix("t="))) < 60
    assert len({each.headers["X-Kahi-Delivery"] for each in here.received}) == 4


def test_only_what_is_asked_for(daemon: Start, receiver: Receivers) -> None:
    here = receiver()
    daemon(
        SLEEPER
        + '[programs.bad]\ncommand = "/no/such"\n[programs.worse]\ncommand = "/no/such"\n'
        + webhook(here.url, 'events = ["process_state_fatal", "supervisor"]\nprocesses = ["b*"]')
    )
    here.wait_for(2)
    told = {(each.json["type"], each.json["payload"].get("name")) for each in here.received}
    assert told == {("PROCESS_STATE_FATAL", "bad"), ("SUPERVISOR_STATE_RUNNING", None)}


def test_the_end_is_told_too(daemon: Start, receiver: Receivers) -> None:
    here = receiver()
    running = daemon(SLEEPER + webhook(here.url, 'events = ["process_state", "supervisor_state"]'))
    running.wait_for("web", "RUNNING")
    assert running.terminate() == 0
    assert here.types[-3:] == ["SUPERVISOR_STATE_STOPPING", "PROCESS_STATE_STOPPING", "PROCESS_STATE_STOPPED"]


# Receivers that are down, slow, or hostile


@pytest.mark.fault("W1")
def test_down(daemon: Start) -> None:
    running = daemon(SLEEPER + webhook("http://127.0.0.1:1099/CANARY", "retries = 1"))
    is_untouched(running)
    eventually(
        lambda: "webhook ops: PROCESS_STATE_STARTING of web not delivered (attempts: 2)" in running.output
    )
    running.says("cannot connect: Connection refused")
    assert "CANARY" not in running.output
    begin = time.monotonic()
    assert running.terminate() == 0
    assert time.monotonic() - begin < 8


@pytest.mark.fault("W1")
def test_five_failures_open_the_circuit(daemon: Start) -> None:
    running = daemon(SLEEPER + webhook("http://127.0.0.1:1099/x", "retries = 0"))
    for _ in range(2):
        is_untouched(running)
    eventually(lambda: "5 attempts in a row failed, from now on there is one every 300 s" in running.output)
    begin = time.monotonic()
    assert running.terminate() == 0
    assert time.monotonic() - begin < 5
    assert "notices that were not delivered" in running.output


@pytest.mark.fault("W1")
def test_hanging(daemon: Start, receiver: Receivers) -> None:
    here: Receiver
    here = receiver(lambda *_: here.released.wait(60))
    running = daemon(SLEEPER + webhook(here.url, "timeout = 300"))
    here.wait_for(1)
    is_untouched(running)
    begin = time.monotonic()
    assert running.terminate() == 0
    took = time.monotonic() - begin
    assert 4.5 < took < 12
    assert re.search(r"ends with [5-9] notices that were not delivered", running.output), running.output


@pytest.mark.fault("W2")
def test_failing_for_the_moment(daemon: Start, receiver: Receivers) -> None:
    here = receiver(first(2, answer(500), answer(200)))
    running = daemon(SLEEPER + webhook(here.url, 'events = ["process_state_running"]'))
    is_untouched(running)
    here.wait_for(4)
    gaps = [
        later.time - earlier.time for earlier, later in zip(here.received, here.received[1:], strict=False)
    ]
    assert gaps[0] >= 0.85
    assert gaps[1] >= 1.7
    assert len({each.headers["X-Kahi-Delivery"] for each in here.received[:3]}) == 1
    assert "not delivered" not in running.output


@pytest.mark.fault("W2")
def test_too_many_requests(daemon: Start, receiver: Receivers) -> None:
    here = receiver(first(1, answer(429, {"Retry-After": "3"}), answer(200)))
    running = daemon(SLEEPER + webhook(here.url, 'events = ["process_state_running"]'))
    is_untouched(running)
    first_attempt, second_attempt, *_ = here.wait_for(2)
    assert second_attempt.time - first_attempt.time >= 2.9


@pytest.mark.fault("W3")
def test_redirecting(daemon: Start, receiver: Receivers) -> None:
    trap = receiver()
    here = receiver(answer(302, {"Location": trap.url}))
    running = daemon(SLEEPER + webhook(here.url))
    is_untouched(running)
    eventually(lambda: "answered 302 (redirects are not followed)" in running.output)
    assert trap.received == []


@pytest.mark.fault("W2")
def test_answering_with_megabytes(daemon: Start, receiver: Receivers) -> None:
    here = receiver(answer(200, body=b"x" * 30_000_000))
    running = daemon(SLEEPER + webhook(here.url))
    is_untouched(running)
    here.wait_for(4)
    memory = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert memory < 100_000_000


@pytest.mark.fault("W1")
def test_a_queue_that_overflows_drops_the_oldest(daemon: Start, receiver: Receivers) -> None:
    held: Receiver
    held = receiver(lambda handler, number: (held.released.wait(30), answer(200)(handler, number)))
    running = daemon(
        f'[programs.p]\ncommand = "sleep 1000"\nnumprocs = 150\nstartsecs = 0\n{webhook(held.url, "timeout = 60")}'
    )
    eventually(lambda: all(each.state == "RUNNING" for each in running.processes().values()))
    held.released.set()
    told = eventually(lambda: re.search(r"webhook ops: (\d+) notices were dropped", running.output))
    # 256 wait, and one may have been under way.
    assert len(held.received) in (256, 257)
    assert len(held.received) + int(told[1]) == 300


# Changes


def test_reload(daemon: Start, receiver: Receivers) -> None:
    old, new, third = receiver(), receiver(), receiver()
    only_stops = 'events = ["process_state_stopped"]'
    running = daemon(SLEEPER + webhook(old.url, name="a") + webhook(third.url, name="c"))
    old.wait_for(2)
    running.write_config(SLEEPER + webhook(new.url, only_stops, "b") + webhook(third.url, only_stops, "c"))
    running.signal(signal.SIGHUP)
    eventually(lambda: "reloaded" in running.output)
    running.ctl("stop", "web")
    new.wait_for(1)
    eventually(lambda: third.types[2:] == ["PROCESS_STATE_STOPPED"])
    assert new.types == ["PROCESS_STATE_STOPPED"]
    assert len(old.received) == 2


def test_a_bad_reload_changes_nothing(daemon: Start, receiver: Receivers) -> None:
    here = receiver()
    running = daemon(SLEEPER + webhook(here.url))
    here.wait_for(2)
    running.write_config(SLEEPER + webhook("ftp://x/CANARY"))
    running.signal(signal.SIGHUP)
    eventually(lambda: "[webhooks.ops] url: is no URL" in running.output)
    running.ctl("stop", "web")
    here.wait_for(4)
    assert "CANARY" not in running.output


# Secrets and costs


@pytest.mark.fault("C7")
def test_nothing_secret_is_shown(daemon: Start, kahi: Any, receiver: Receivers) -> None:
    here = receiver(first(1, answer(403, body=b"CANARY"), answer(200)))
    url = f"http://CANARY:CANARY@127.0.0.1:{here.port}/CANARY?k=CANARY"
    running = daemon(
        '[supervisor]\nlog_level = "debug"\n'
        + SLEEPER
        + webhook(url, 'secret = "CANARY"\nheaders = { Authorization-Token = "CANARY" }')
        + webhook("http://127.0.0.1:1099/CANARY", "retries = 0", "down")
    )
    here.wait_for(2)
    eventually(lambda: "webhook down: " in running.output)
    eventually(lambda: "answered 403" in running.output)
    assert "CANARY" not in running.output
    with running.client() as client:
        assert "CANARY" not in json.dumps(client.config())
    assert "CANARY" not in kahi("check", "--print", "-c", str(running.config)).stdout
    assert "CANARY" not in running.ctl("status", "--json").stdout


LISTS_MODULES = """
import pathlib, sys
from kahi.hookspecs import hookimpl

@hookimpl
def kahi_event(event):
    if event.type == "SUPERVISOR_STATE_STOPPING":
        pathlib.Path("modules").write_text(" ".join(sys.modules))
"""


@pytest.mark.parametrize("used", [True, False])
def test_who_has_no_webhooks_pays_nothing(
    daemon: Start, receiver: Receivers, short_tmp: Path, used: bool
) -> None:
    here = receiver()
    environ = install_plugin(short_tmp, "lister", LISTS_MODULES)
    running = daemon(SLEEPER + (webhook(here.url) if used else ""), environ=environ)
    if used:
        here.wait_for(2)
    assert running.terminate() == 0
    modules = (short_tmp / "modules").read_text(encoding="utf-8").split()
    assert ("httpx2" in modules) is used
    assert ("tenacity" in modules) is used
    assert ("kahi_webhooks.templates.slack" in modules) is used


# PagerDuty


def test_pagerduty_follows_a_process(daemon: Start, receiver: Receivers) -> None:
    here = receiver(answer(202))
    keys = f'template = "pagerduty"\nrouting_key = "{KEY}"'
    running = daemon(SLEEPER + webhook(here.url, keys))
    is_untouched(running)
    trigger, resolve = (each.json for each in here.wait_for(2)[:2])
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert trigger["payload"]["summary"].startswith("web ended")
    assert trigger["payload"]["severity"] == "error"
    assert KEY not in running.output
    with running.client() as client:
        assert KEY not in json.dumps(client.config())


# Trying out

Run = Callable[..., subprocess.CompletedProcess[str]]


def config(directory: Path, toml: str) -> str:
    path = directory / "kahi.toml"
    path.write_text(SLEEPER + toml, encoding="utf-8")
    return str(path)


def test_trying_out(kahi: Run, tmp_path: Path, receiver: Receivers) -> None:
    here = receiver(answer(204, body=b""))
    done = kahi("webhook", "test", "ops", "-c", config(tmp_path, webhook(here.url, 'template = "slack"')))
    assert done.returncode == 0
    assert done.stdout.startswith(f"ops: http://127.0.0.1:{here.port} answered 204 after ")
    assert "This is a test of the webhook ops" in here.received[0].json["text"]


def test_trying_out_pagerduty_leaves_nothing_open(kahi: Run, tmp_path: Path, receiver: Receivers) -> None:
    here = receiver(answer(202))
    keys = f'template = "pagerduty"\nrouting_key = "{KEY}"'
    assert kahi("webhook", "test", "ops", "-c", config(tmp_path, webhook(here.url, keys))).returncode == 0
    assert [each.json["event_action"] for each in here.received] == ["trigger", "resolve"]


def test_trying_out_what_does_not_work(kahi: Run, tmp_path: Path, receiver: Receivers) -> None:
    here = receiver(answer(404, body=b"no_team\x1b[31m"))
    done = kahi("webhook", "test", "ops", "-c", config(tmp_path, webhook(here.url)))
    assert done.returncode == 1
    assert done.stderr == f"kahi: ops: http://127.0.0.1:{here.port} answered 404, and said: no_team [31m\n"


def test_trying_out_what_is_not_there(kahi: Run, tmp_path: Path) -> None:
    path = config(tmp_path, webhook("https://hooks.example.org/x"))
    done = kahi("webhook", "test", "opps", "-c", path)
    assert done.returncode == 1
    assert done.stderr == f"kahi: no such webhook: opps (in {path}: ops)\n"
    done = kahi("webhook", "test", "ops", "-c", path, environ={"KAHI_DISABLE_PLUGINS": "webhooks"})
    assert done.returncode == 1
    assert "the plugin webhooks is disabled" in done.stderr


def test_http_to_other_machines_has_to_be_allowed(kahi: Run, tmp_path: Path) -> None:
    path = config(tmp_path, webhook("http://hooks.kahi.invalid/x"))
    refused = kahi("webhook", "test", "ops", "-c", path)
    assert "url has to begin with https://" in refused.stderr
    path = config(tmp_path, webhook("http://hooks.kahi.invalid/x", "allow_insecure = true"))
    tried = kahi("webhook", "test", "ops", "-c", path)
    assert tried.returncode == 1
    assert "hooks.kahi.invalid" in tried.stderr
    assert "https://" not in tried.stderr
