"""A configuration is read as supervisord reads it: compared with supervisord's own code."""

from __future__ import annotations

import configparser
import io
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from supervisor import datatypes
from supervisor.options import UnhosedConfigParser

from kahi_migrate.supervisord import ini, template, values

OLD_PYTHON = sys.version_info < (3, 13)
"""Where comments are found in the old way, which is the one that is implemented."""

LINES = st.lists(
    st.one_of(
        st.sampled_from(["[a]", "[b]", "[DEFAULT]", "[program:x]", "command", "%(here)s", " ;", " #"]),
        st.sampled_from([*"[]ab=: \t;#x'\"%é\u00a0\x0b\x1c"]),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=400, deadline=None)
@example("[a]\nx = a;b ;c #d\n  more\n\n ; no\n  yes")
@example("[a]\nx=1\n[DEFAULT]\ny=2\n[a]\nX=3\n\n")
@example("[a]\n=1")
@example("x=1\n[a]")
@given(st.lists(LINES, max_size=12).map("\n".join))
def test_files_are_taken_apart_like_by_supervisord(text: str) -> None:
    found = ini.parse("x", text)
    if found.ambiguous and not OLD_PYTHON:
        return
    real = UnhosedConfigParser()
    try:
        real.read_file(io.StringIO(text))
    except configparser.ParsingError:
        assert found.problems
        return
    assert not found.problems
    sections: dict[str, dict[str, str]] = {}
    for block in found.blocks:
        settings_of = sections.setdefault(block.name, {})
        settings_of |= {setting.key: setting.value for setting in block.settings}
    defaults = sections.pop("DEFAULT", {})
    assert defaults == dict(real.defaults())
    assert sections == {name: dict(real._sections[name]) for name in real.sections()}  # type: ignore[attr-defined]
    assert list(sections) == real.sections()


def test_every_line_is_remembered() -> None:
    found = ini.parse("x", "; head\n\n[a] ; a comment\nkey = one ; first\n   ; between\n\n   two\n# after\n")
    assert [remark.text for remark in found.head] == ["; head", ""]
    (block,) = found.blocks
    assert (block.name, block.line, block.comment) == ("a", 3, "; a comment")
    (setting,) = block.settings
    assert [(line.number, line.text, line.comment) for line in setting.lines] == [
        (4, "one", "; first"),
        (6, "", ""),
        (7, "two", ""),
    ]
    assert [(remark.number, remark.text) for remark in setting.remarks] == [(5, "; between")]
    assert isinstance(block.items[-2], ini.Remark)
    assert block.items[-2].text == "# after"


def test_where_pythons_differ_is_noticed() -> None:
    assert ini.parse("x", "[a]\nx = a;b ;c #d").ambiguous == [2]
    assert not ini.parse("x", "[a]\nx = a;b ;c").ambiguous


TEMPLATES = st.lists(
    st.one_of(
        st.sampled_from(["%%", "(here)", "(number)", "(process_num)", "02d", "03x", "-10s"]),
        st.sampled_from(["%(here)s", "%(process_num)02d", "%s", *"%sd().5 xl"]),
    ),
    max_size=7,
).map("".join)


@settings(max_examples=400, deadline=None)
@example("%s")
@example("%s%(here)s")
@example("%(here)s%s")
@example("%(here)%")
@example("%(here)ls%(process_num).3d")
@given(TEMPLATES)
def test_values_are_expanded_like_by_python(text: str) -> None:
    names = {"here": "/srv", "process_num": 3}
    try:
        expected = text % names
    except Exception:  # noqa: BLE001 - whatever formatting raises
        with pytest.raises(template.TemplateError):
            template.expand(text, names)
        return
    assert template.expand(text, names) == expected
    pieces = template.parse(text)
    names_alone = (str(p) % names if isinstance(p, template.Name) and p.format != "%" else "" for p in pieces)
    assert (
        "".join(p if isinstance(p, str) else n for p, n in zip(pieces, names_alone, strict=True)) == expected
    )


ENVIRONMENTS = st.lists(
    st.sampled_from([*"AB=,;'\"\\ #$:/?&1\n-.+()é{}", "KEY", "value", '="', '",', "A=1"]), max_size=12
).map("".join)


@settings(max_examples=400, deadline=None)
@example("A=foo bar,B=1")
@example("A=$HOME")
@example("A=http://x/?a=1&b=2")
@example("A='x' B=1;C=\"1,2\"\n,D=1#x")
@given(ENVIRONMENTS)
def test_environments_are_cut_like_by_supervisord(text: str) -> None:
    found = _result(lambda: {variable.key: variable.value for variable in values.environment(text)})
    assert found == _result(lambda: datatypes.dict_of_key_value_pairs(text))


def test_what_is_lost_between_variables_is_known() -> None:
    found = values.environment("A=foo bar\nB=1;C=2,D=3")
    assert [(v.key, v.value, v.line, v.lost) for v in found] == [
        ("A", "foo", 0, "bar"),
        ("B", "1", 1, ";"),
        ("C", "2", 1, ""),
        ("D", "3", 1, ""),
    ]


WORDS = """
    TERM SIGHUP rtmin RTMIN+3 SIG_DFL 0 9 99 -1 true YES off On unexpected 1_0 0x5 ٣ 5kb 5KB 1MB 1M 1.5MB 1GB
    2TB -5 0,2 1, ,1 256 022 0o22 0b1 8 *:80 :80 80 host:9 host: [::1]:80 Host:0 x:70000 info WARN warning
    trace a/b
"""
CONVERSIONS: dict[str, tuple[Callable[[str], Any], Callable[[str], Any]]] = {
    "boolean": (values.boolean, datatypes.boolean),
    "integer": (values.integer, datatypes.integer),
    "size": (values.size, datatypes.byte_size),
    "octal": (values.octal, datatypes.octal_type),
    "signal": (values.signal_number, datatypes.signal_number),
    "exit codes": (values.exit_codes, datatypes.list_of_exitcodes),
    "address": (values.address, datatypes.inet_address),
    "name": (values.process_or_group_name, datatypes.process_or_group_name),
    "names": (values.names, datatypes.list_of_strings),
    "level": (lambda text: values.LEVELS[values.log_level(text)], datatypes.logging_level),
}


@pytest.mark.parametrize("kind", CONVERSIONS)
@settings(max_examples=150, deadline=None)
@given(
    text=st.one_of(
        st.sampled_from(WORDS.split()), st.text("0123456789kKmMgGbB -_+.,", max_size=6), st.text(max_size=4)
    )
)
def test_values_mean_what_they_mean_to_supervisord(kind: str, text: str) -> None:
    ours, theirs = CONVERSIONS[kind]
    assert _result(lambda: ours(text)) == _result(lambda: theirs(text))


@pytest.mark.parametrize("word", ["true", "No", "unexpected", "UNEXPECTED", "maybe", "", "1"])
def test_autorestart(word: str) -> None:
    theirs = _result(lambda: datatypes.auto_restart(word))
    names = {None: None, False: "never", datatypes.RestartUnconditionally: "always"}
    assert _result(lambda: values.autorestart(word)) == names.get(theirs, "unexpected")


@pytest.mark.parametrize("word", ["AUTO", "none", "Off", "SYSLOG", "/tmp/x", "~/x", "x", ""])
def test_log_words(word: str) -> None:
    theirs = datatypes.logfile_name(word)
    words = {datatypes.Automatic: values.AUTO, datatypes.Syslog: "syslog"}
    assert values.log_name(word) == words.get(theirs, theirs)


@pytest.mark.parametrize(
    "url",
    ["unix:///a/b", "unix://a", "tcp://h:1", "tcp://h:0", "tcp://h:70000", "tcp://:1", "h:1", "tcp://h:x"],
)
def test_fastcgi_addresses(url: str) -> None:
    from supervisor.options import ServerOptions

    parse = ServerOptions.parse_fcgi_socket
    theirs = _result(lambda: parse(None, url, None, None, None, socket.SOMAXCONN).url)  # type: ignore[arg-type]
    assert _result(lambda: values.fcgi_socket(url)) == theirs


def _result(call: Callable[[], Any]) -> Any:
    """What a call returns, None when it refuses."""
    try:
        return call()
    except ValueError:
        return None
