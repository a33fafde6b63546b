"""Bodies of one's own: nothing breaks out of its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahi_webhooks.templates import check_template, make_form
from kahi_webhooks.templates.own import placeholders
from tests.webhooks.samples import CRASHED, EVENTS, FATAL, notice, state


def filled(template: str, event: str = "fatal") -> str:
    check_template(template)
    return make_form(template, "").body(notice(EVENTS[event])).decode()


def test_placeholders_in_strings_and_outside() -> None:
    template = '{"text": "{name} is {state} ({expected}): {spawn_error}", "pid": {pid}, "all": {payload}}'
    check_template(template)
    sent = json.loads(make_form(template, "").body(notice(CRASHED)))
    assert sent["text"] == "web is EXITED (false): "
    assert sent["pid"] == 4711
    assert sent["all"]["from_state"] == "RUNNING"
    assert make_form(template, "").content_type == "application/json"


def test_what_an_event_does_not_have_is_empty() -> None:
    assert json.loads(filled('{"a": "{name}", "b": {name}}', "up")) == {"a": "", "b": None}


def test_plain_text() -> None:
    form = make_form("{name}: {text} on {host}", "")
    assert form.content_type == "text/plain; charset=utf-8"
    assert filled("{name}: {event} on {host}") == "web: PROCESS_STATE_FATAL on db1.example.org"


def test_bytes_that_are_no_text_are_sent_as_question_marks() -> None:
    event = state("web", "FATAL", "BACKOFF", spawn_error="/opt/\udcff: no such file")
    assert make_form("{spawn_error}", "").body(notice(event)) == b"/opt/?: no such file"


@given(st.text(max_size=200))
def test_json_stays_what_it_was_whatever_a_process_says(said: str) -> None:
    event = state("web", "FATAL", "BACKOFF", spawn_error=said)
    template = '{"a": "<{spawn_error}>", "b": {spawn_error}, "c": [1]}'
    sent = json.loads(make_form(template, "").body(notice(event)))
    assert sent == {"a": f"<{said}>", "b": said, "c": [1]}


def test_a_value_is_not_filled_in_again() -> None:
    event = state("{pid}", "FATAL", "BACKOFF", spawn_error='"{name}"')
    sent = json.loads(make_form('{"a": "{name}", "b": {spawn_error}}', "").body(notice(event)))
    assert sent == {"a": "{pid}", "b": '"{name}"'}


def test_a_brace_of_its_own() -> None:
    assert json.loads(filled(r'{"a": "\u007bname}"}')) == {"a": "{name}"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("slak", "is no template (did you mean 'slack'?)"),
        ("", "is no template"),
        ("hello", "is no template"),
        ('{"a": "{nme}"}', "there is no placeholder {nme} (did you mean 'name'?)"),
        ('{"a": "{xyzzy}"}', "(allowed: event, serial, time"),
        ('{"a": {name}', "is no JSON once its placeholders are filled in"),
        ('{"a": {name}{name}}', "is no JSON"),
        ("x{name}" + "y" * 70_000, "is too long"),
    ],
)
def test_mistakes(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|there)") as raised:
        check_template(template)
    assert message in str(raised.value)


def test_all_placeholders_can_be_used() -> None:
    for place in placeholders():
        check_template(f"{{{place}}}")
        filled(f"{{{place}}}")
    assert FATAL.spawn_error in filled("{spawn_error}")
