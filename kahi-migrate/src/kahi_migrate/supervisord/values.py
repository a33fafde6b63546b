"""How supervisord reads the text of a value: what it accepts, and what it makes of it.

Each function takes the text after expansion and raises ValueError with what is wrong and what is
allowed, without the text, which the caller may show or not.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

TRUE: Final = ("yes", "true", "on", "1")
FALSE: Final = ("no", "false", "off", "0")
LEVELS: Final[Mapping[str, int]] = {
    "critical": 50,
    "error": 40,
    "warn": 30,
    "info": 20,
    "debug": 10,
    "trace": 5,
    "blather": 3,
}
AUTO: Final = "AUTO"
"""The log that supervisord makes up itself."""

Autorestart = Literal["always", "never", "unexpected"]

_UNITS: Final = {"kb": 1024, "mb": 1024**2, "gb": 1024**3}
_SIGNALS: Final = {name: int(getattr(signal, name)) for name in dir(signal) if name.startswith("SIG")}


def boolean(text: str) -> bool:
    """Yes or no."""
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError("is neither true nor false (allowed: true, yes, on, 1, false, no, off, 0)")


def integer(text: str) -> int:
    """A whole number, by Python's rules."""
    try:
        return int(text)
    except ValueError:
        raise ValueError("is no whole number") from None


def size(text: str) -> int:
    """Bytes; KB, MB and GB count by 1024."""
    lower = text.lower()
    try:
        if lower[-2:] in _UNITS:
            return int(lower[:-2]) * _UNITS[lower[-2:]]
        return int(lower)
    except ValueError:
        raise ValueError("is no size (allowed: bytes, or with KB, MB, GB)") from None


def octal(text: str) -> int:
    """A file mode."""
    try:
        return int(text, 8)
    except ValueError:
        raise ValueError("is no octal mode (allowed: 022)") from None


def signal_number(text: str) -> int:
    """A signal, by name or number; 0 passes as well."""
    try:
        number = int(text)
    except ValueError:
        name = text.strip().upper()
        number = _SIGNALS.get(name if name.startswith("SIG") else f"SIG{name}", -1)
        if number < 0:
            raise ValueError("is no signal (allowed: one name such as TERM, or a number)") from None
    if number not in _SIGNALS.values():
        raise ValueError("is no signal of this system")
    return number


def exit_codes(text: str) -> list[int]:
    """Exit codes between commas; none at all is fine."""
    try:
        codes = [int(word) for word in text.split(",")] if text else []
    except ValueError:
        codes = [-1]
    if any(not 0 <= code <= 255 for code in codes):
        raise ValueError("is no list of exit codes (allowed: 0 to 255, with commas between)")
    return codes


def autorestart(text: str) -> Autorestart:
    """Whether a process that ended is started again."""
    lower = text.lower()
    if lower in TRUE:
        return "always"
    if lower in FALSE:
        return "never"
    if lower == "unexpected":
        return "unexpected"
    raise ValueError("is not allowed (allowed: true, false, unexpected)")


def log_level(text: str) -> str:
    """How much supervisord logs."""
    if text.lower() not in LEVELS:
        raise ValueError(f"is no level (allowed: {', '.join(LEVELS)})")
    return text.lower()


def names(text: str) -> list[str]:
    """What stands between commas."""
    return [word.strip() for word in text.split(",")] if text else []


def process_or_group_name(text: str) -> str:
    """The name, without white space around it."""
    name = text.strip()
    for char in " :/":
        if char in name:
            what = "a blank" if char == " " else repr(char)
            raise ValueError(f"is no name: there is {what} in it")
    return name


def log_name(text: str) -> str | None:
    """A path, AUTO, ``syslog``, or None for no log."""
    lower = text.lower()
    if lower in ("none", "off"):
        return None
    if lower == "auto":
        return AUTO
    if lower == "syslog":
        return "syslog"
    return os.path.expanduser(text)


def address(text: str) -> tuple[str, int]:
    """Host and port of ``port``, ``:port``, ``*:port``, ``host:port``; "" for every address."""
    host, colon, port = text.rpartition(":")
    try:
        number = int(port)
    except ValueError:
        number = 0
    if not 1 <= number <= 65535:
        raise ValueError("is no address (allowed: port, *:port, host:port)")
    host = host.lower() if colon else ""
    return "" if host == "*" else host, number


def fcgi_socket(text: str) -> str:
    """The address of a FastCGI program, checked."""
    if text.startswith("unix://"):
        if not text.startswith("unix:///"):
            raise ValueError("is no absolute path (allowed: unix:///path)")
        return text
    found = re.match(r"tcp://([^\s:]+):(\d+)$", text)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise ValueError("is no address (allowed: unix:///path, tcp://host:port)")
    return text


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of an ``environment`` value.

    Args:
        line: the line of the value it begins on, from 0.
        lost: what stands between this variable and the next in place of a comma: supervisord steps
            over it without a word.
    """

    key: str
    value: str
    line: int = 0
    lost: str = ""


def environment(text: str) -> list[Variable]:
    """Variables as ``KEY=value,KEY2="other value"``.

    supervisord 4.3 cuts the text into words by old shell rules and then takes four at a time: key,
    equals sign, value, and one more that it does not look at.
    """
    try:
        words = list(_words(text))
    except ValueError as error:
        raise ValueError(f"cannot be read: {str(error).lower()}") from None
    found: list[Variable] = []
    for at in range(0, len(words), 4):
        step = [word for word, _ in words[at : at + 4]]
        if len(step) < 3 or step[1] != "=":
            raise ValueError(_position(found, 'is no list of variables (allowed: KEY="value",KEY2="value")'))
        lost = step[3] if len(step) == 4 and step[3] != "," else ""
        found.append(Variable(step[0], step[2].strip("'\""), words[at][1], lost))
    return found


def _position(found: list[Variable], message: str) -> str:
    return f"{message}; it goes wrong after {found[-1].key}" if found else message


def _words(text: str) -> Iterator[tuple[str, int]]:
    lexer = shlex.shlex(text)
    lexer.wordchars += "/.+-():"
    while True:
        word = lexer.get_token()
        if not word:
            return
        yield word, lexer.lineno - 1 - word.count("\n")
