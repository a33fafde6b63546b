"""The table: what it accepts, what it says of mistakes, and what it never shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kahi.config.loading import load
from kahi.config.resolved import resolved
from kahi.config.sample import sample
from kahi.config.schema import json_schema
from kahi.errors import ConfigError
from kahi.hookspecs import ConfigSection
from kahi_webhooks.settings import WebhookSettings

SECTION = ConfigSection("webhooks", WebhookSettings, many=True)


def webhooks(directory: Path, toml: str, **environ: str) -> dict[str, WebhookSettings]:
    return config(directory, toml, **environ).sections["webhooks"]


def config(directory: Path, toml: str, **environ: str) -> Any:
    path = directory / "kahi.toml"
    path.write_text(toml, encoding="utf-8")
    return load(str(path), sections=[SECTION], environ=environ)


def test_defaults(tmp_path: Path) -> None:
    found = webhooks(tmp_path, '[webhooks.ops]\nurl = "https://hooks.example.org/x"')["ops"]
    assert found.events == ("process_state",)
    assert (found.template, found.timeout, found.retries) == ("generic", 5, 3)
    assert not found.processes
    assert not found.headers
    assert not found.allow_insecure
    assert not found.secret.get_secret_value()


def test_variables_are_expanded_in_every_string(tmp_path: Path) -> None:
    found = webhooks(
        tmp_path,
        '[webhooks.ops]\nurl = "https://${HOST}/x"\nsecret = "${KEY:-none}"\n'
        'headers = { Authorization = "Bearer ${TOKEN}" }\ntemplate = \'{"text": "{name} ${WORD}"}\'',
        HOST="hooks.example.org",
        TOKEN="t0ken",
        WORD="here",
    )["ops"]
    assert found.target.host == "hooks.example.org"
    assert found.headers["Authorization"].get_secret_value() == "Bearer t0ken"
    assert found.secret.get_secret_value() == "none"
    assert found.template == '{"text": "{name} here"}'


def test_secrets_are_masked_wherever_they_are_shown(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        '[webhooks.ops]\nurl = "https://me:CANARY@hooks.example.org:8443/CANARY?CANARY"\n'
        'secret = "CANARY"\nrouting_key = "CANARY"\nheaders = { X = "CANARY" }\n'
        'template = \'{"token": "CANARY", "text": "{text}"}\'',
    )
    shown = resolved(found)["webhooks"]["ops"]
    assert "CANARY" not in json.dumps(shown)
    assert "CANARY" not in repr(found.sections["webhooks"]["ops"].model_dump(exclude={"template"}))
    assert shown["url"] == "https://hooks.example.org:8443/********"
    assert shown["headers"] == {"X": "********"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "[webhooks.ops] url: is missing"),
        ('url = "hooks.example.org"', "[webhooks.ops] url: is no URL (allowed: https://host/path)"),
        ('url = "http://hooks.example.org/"', "[webhooks.ops]: url has to begin with https://"),
        ('url = "https://169.254.169.254/"', "url: 169.254.169.254 is an address where a cloud hands out"),
        ('url = "https://h.example/"\nevents = ["proces_state"]', "events: there is no event"),
        ('url = "https://h.example/"\nevents = ["process_fatal"]', "events: there is no event"),
        ('url = "https://h.example/"\ntemplate = "slak"', "template: is no template (did you mean 'slack'?)"),
        ('url = "https://h.example/"\ntemplate = "pagerduty"', "routing_key is missing"),
        ('url = "https://h.example/"\ntimeout = 0', "timeout: is too small (at least 0.1)"),
        ('url = "https://h.example/"\nretries = 21', "retries: is too large (at most 20)"),
        ('url = "https://h.example/"\nretries = -1', "retries: is too small (at least 0)"),
        ('url = "https://h.example/"\nheaders = { "a b" = "c" }', "headers: 'a b' is no name of a header"),
        ('url = "https://h.example/"\nheaders = { Host = "c" }', "headers: Host cannot be set"),
        (
            'url = "https://h.example/"\nheaders = { X = "a\\nCANARY" }',
            "headers: the value of X has characters",
        ),
        ('url = "https://h.example/"\nheaders = { X = 3 }', "headers.X: is no text"),
        ('url = "https://h.example/"\nsecret = 3', "secret: is no text"),
        ('url = "https://h.example/"\nrouting_kex = "CANARY"', "did you mean 'routing_key'?"),
    ],
)
def test_mistakes(tmp_path: Path, keys: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config(tmp_path, f"[supervisor]\nstrict = true\n[webhooks.ops]\n{keys}\n")
    assert message in str(raised.value)
    assert "kahi.toml:" in str(raised.value)
    assert "CANARY" not in str(raised.value)


def test_http_is_allowed_here_or_on_request(tmp_path: Path) -> None:
    found = webhooks(
        tmp_path,
        '[webhooks.a]\nurl = "http://localhost:8080/x"\n'
        '[webhooks.b]\nurl = "http://hooks.example.org/x"\nallow_insecure = true',
    )
    assert list(found) == ["a", "b"]


def test_event_names_of_every_kind(tmp_path: Path) -> None:
    found = webhooks(
        tmp_path,
        '[webhooks.a]\nurl = "https://h.example/x"\n'
        'events = ["event", "PROCESS_STATE_FATAL", "process", "SUPERVISOR_STATE_CHANGE", "acme_done"]',
    )
    assert len(found["a"].events) == 5


def test_sample_and_schema_have_every_key() -> None:
    text = sample([SECTION])
    schema = json_schema([SECTION])["properties"]["webhooks"]["additionalProperties"]["properties"]
    for key in WebhookSettings.model_fields:
        assert f"# {key} = " in text or f"[webhooks.example.{key}]" in text
        assert schema[key]["description"]
