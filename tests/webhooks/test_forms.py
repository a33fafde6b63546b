"""Every form of body keeps to what its service has published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kahi_webhooks.notice import TEST, TEST_OVER, trial_notice
from kahi_webhooks.templates import FORMS, make_form
from tests.webhooks.samples import (
    CRASHED,
    ENDED,
    EVENTS,
    FATAL,
    HOSTILE,
    KEY,
    ORIGIN,
    RUNNING,
    SOON,
    WHEN,
    notice,
    state,
)

FORMATS = Path(__file__).with_name("formats")


def format_of(form: str) -> dict[str, Any]:
    return json.loads((FORMATS / f"{form}.json").read_text(encoding="utf-8"))


def body(form: str, event: str) -> Any:
    return json.loads(make_form(form, KEY).body(notice(EVENTS[event])))


@pytest.mark.parametrize("form", FORMS)
def test_the_formats_are_schemas(form: str) -> None:
    jsonschema.Draft202012Validator.check_schema(format_of(form))


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("form", [form for form in FORMS if form != "pagerduty"])
def test_every_event_fits_every_form(form: str, event: str) -> None:
    jsonschema.validate(body(form, event), format_of(form))


@pytest.mark.parametrize("form", FORMS)
def test_the_trial_fits_every_form(form: str) -> None:
    made = make_form(form, KEY)
    trial = trial_notice(TEST, "ops", ORIGIN, WHEN)
    assert made.takes(trial)
    jsonschema.validate(json.loads(made.body(trial)), format_of(form))


@pytest.mark.parametrize("form", FORMS)
def test_a_format_refuses_what_is_not_of_it(form: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"message": "hello"}, format_of(form))


def test_generic_has_everything() -> None:
    assert body("generic", "crashed") == {
        "type": "PROCESS_STATE_EXITED",
        "serial": 1,
        "time": "2026-09-21T14:13:20.250Z",
        "identifier": "kahi",
        "host": "db1.example.org",
        "severity": "error",
        "text": "web ended with status 1 (not expected)",
        "payload": {
            "name": "web",
            "group": "web",
            "state": "EXITED",
            "from_state": "RUNNING",
            "pid": 4711,
            "tries": 0,
            "expected": False,
            "exitstatus": 1,
            "exit_signal": None,
            "spawn_error": "",
        },
    }


def test_slack_text_has_no_mark_up() -> None:
    sent = body("slack", "hostile")
    assert "<" not in sent["text"]
    assert "&lt;!everyone&gt;" in sent["text"]
    for block in sent["attachments"][0]["blocks"]:
        for text in [block["text"]] if "text" in block else block["elements"]:
            assert text["type"] == "plain_text"


def test_discord_mentions_nobody_and_links_nowhere() -> None:
    sent = body("discord", "hostile")
    assert sent["allowed_mentions"] == {"parse": []}
    description = sent["embeds"][0]["description"]
    assert r"\[click\](https\:" in description
    assert "**" not in description


def test_teams_says_everything_in_runs_without_mark_up() -> None:
    card = body("teams", "hostile")["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["body"][0]["inlines"][0]["color"] == "attention"


@pytest.mark.parametrize(
    ("event", "severity"),
    [
        ("fatal", "critical"),
        ("crashed", "error"),
        ("backoff", "warning"),
        ("soon", "error"),
        ("unhealthy", "warning"),
        ("refused", "warning"),
        ("running", "info"),
        ("reloaded", "info"),
    ],
)
def test_severities(event: str, severity: str) -> None:
    assert notice(EVENTS[event]).severity == severity


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ("fatal", "web was given up: cannot run /usr/bin/web: No such file or directory"),
        ("killed", "web ended by SIGKILL (not expected)"),
        ("running", "web is running, pid 4712"),
        ("backoff", "web failed to start, attempt 2: exit status 1"),
        ("soon", "web ended soon after its start: ended unexpectedly: exit status 1"),
        ("stopped", "web is stopped"),
        ("healthy", "web is healthy"),
        ("communication", "web sent on stdout: x"),
        ("lost", "web: 5 bytes of stdout are lost: disk full"),
        ("added", "group web was added"),
        ("up", "the daemon is up"),
        ("stopping", "the daemon is stopping"),
        ("reloaded", "the configuration was reloaded: added a; removed b, c"),
        ("remote", "deploy: v2"),
    ],
)
def test_sentences(event: str, text: str) -> None:
    assert notice(EVENTS[event]).text == text


def test_long_output_is_cut() -> None:
    assert len(notice(EVENTS["binary"]).payload["data"]) == 4096
    assert len(notice(EVENTS["hostile"]).text) == 500
    assert len(HOSTILE) > 5000


def test_pagerduty_opens_an_incident_and_ends_it_once() -> None:
    form = make_form("pagerduty", KEY)
    taken: list[dict[str, Any]] = []
    for event in (RUNNING, CRASHED, FATAL, RUNNING, RUNNING, ENDED, CRASHED, ENDED, EVENTS["backoff"], SOON):
        told = notice(event)
        if form.takes(told):
            taken.append(json.loads(form.body(told)))
    assert [each["event_action"] for each in taken] == [
        "trigger",
        "trigger",
        "resolve",
        "trigger",
        "resolve",
        "trigger",
    ]
    assert {each["dedup_key"] for each in taken} == {"kahi/db1.example.org/kahi/web"}
    assert taken[0]["payload"]["severity"] == "error"
    assert taken[1]["payload"]["severity"] == "critical"
    assert taken[1]["routing_key"] == KEY
    for each in taken:
        jsonschema.validate(each, format_of("pagerduty"))


def test_pagerduty_has_one_incident_for_each_process() -> None:
    form = make_form("pagerduty", KEY)
    first = form.body(notice(state("a" * 300, "FATAL", "BACKOFF")))
    second = form.body(notice(state("b", "FATAL", "BACKOFF")))
    assert json.loads(first)["dedup_key"] != json.loads(second)["dedup_key"]
    jsonschema.validate(json.loads(first), format_of("pagerduty"))


def test_the_trial_of_pagerduty_ends_what_it_opened() -> None:
    form = make_form("pagerduty", KEY)
    sent = [json.loads(form.body(trial_notice(kind, "ops", ORIGIN, WHEN))) for kind in (TEST, TEST_OVER)]
    assert [each["event_action"] for each in sent] == ["trigger", "resolve"]
    assert sent[0]["dedup_key"] == sent[1]["dedup_key"]
