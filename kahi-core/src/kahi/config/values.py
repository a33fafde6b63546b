"""Types of configuration values: how they may be written, and what they mean."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, WithJsonSchema

from kahi.definition import UNLIMITED, FailureAction

MAX_SOCKET_PATH: Final = 103
"""Bytes of a Unix socket's path that every system accepts."""

_SIZE: Final = re.compile(r"(\d+)\s*(B|KB|MB|GB)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_OCTAL: Final = re.compile(r"(?:0o)?([0-7]{1,4})")
_NAME: Final = re.compile(r"[^\s:/*?\[\],]{1,128}")
_ENVIRONMENT_NAME: Final = re.compile(r"[^=\0]+")


def parse_size(value: object) -> int:
    """Bytes, from an integer or "64KB", "50MB", "1GB" (powers of 1024)."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("a size cannot be negative")
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is no size (allowed: bytes as a number, or "64KB", "50MB", "1GB")')
    return int(found[1]) * _UNITS[(found[2] or "").upper()]


def parse_mode(value: object) -> int | None:
    """An octal mode: "022" or 0o022; "" for none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o7777:
        return value
    if value == "":
        return None
    found = _OCTAL.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is no octal mode (allowed: "022" or 0o022)')
    return int(found[1], 8)


def parse_signal(value: object) -> int:
    """A signal number, from a number or a name with or without SIG.

    Raises:
        ValueError: there is no such signal.
    """
    valid = signal.valid_signals()
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value in valid:
            return value
        raise ValueError("is no signal of this system")
    if isinstance(value, str):
        name = value.strip().upper()
        full = name if name.startswith("SIG") else f"SIG{name}"
        found = getattr(signal.Signals, full, None)
        if isinstance(found, signal.Signals):
            return int(found)
    raise ValueError('is no signal (allowed: a name such as "TERM", or a number)')


def parse_limit(value: object) -> tuple[int, int]:
    """A resource limit as (soft, hard): N, "soft:hard" or "unlimited"."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value, value
    if isinstance(value, str):
        soft, colon, hard = value.partition(":")
        try:
            low = _one_limit(soft)
            high = _one_limit(hard) if colon else low
        except ValueError:
            pass
        else:
            if high != UNLIMITED and (low == UNLIMITED or low > high):
                raise ValueError("the soft limit is above the hard limit")
            return low, high
    raise ValueError('is no limit (allowed: a number, "soft:hard", "unlimited")')


def _one_limit(text: str) -> int:
    text = text.strip()
    if text == "unlimited":
        return UNLIMITED
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def parse_socket(url: str) -> tuple[str, int]:
    """A path and -1, or a host and a port.

    Raises:
        ValueError: it is neither ``unix:///path`` nor ``tcp://host:port``.
    """
    allowed = '(allowed: "unix:///path", "tcp://host:port")'
    if url.startswith("unix:///") and len(url) > len("unix:///"):
        path = url.removeprefix("unix://")
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise ValueError(f"is too long for a socket (at most {MAX_SOCKET_PATH} bytes)")
        return path, -1
    host, colon, port = url.removeprefix("tcp://").rpartition(":")
    if not url.startswith("tcp://") or not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"is no address {allowed}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets: tcp://[::1]:9000")
    return host, int(port)


def parse_syslog(address: str) -> tuple[Literal["unix", "udp", "tcp"], str, int]:
    """How to reach syslog: a path and 0, or a protocol, host and port.

    Raises:
        ValueError: it is neither a path nor ``udp://host:port`` nor ``tcp://host:port``.
    """
    if address.startswith("/"):
        return "unix", address, 0
    for kind in ("udp", "tcp"):
        if address.startswith(f"{kind}://"):
            host, port = parse_endpoint(address.removeprefix(f"{kind}://"))
            return kind, host, port
    raise ValueError('is no address (allowed: a path, "udp://host:514", "tcp://host:514")')


def parse_endpoint(text: str) -> tuple[str, int]:
    """Host and port of ``host:port``.

    Raises:
        ValueError: it is something else.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise ValueError('is no address (allowed: "host:port")')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets: [::1]:5432")
    if not _may_be_host(host):
        raise ValueError('is no address (allowed: "host:port")')
    return host, int(port)


def _may_be_host(name: str) -> bool:
    try:
        return bool(name.encode("idna"))
    except UnicodeError:
        return False


def check_url(url: str) -> str:
    """``url``, if something can be asked for by HTTP there.

    Raises:
        ValueError: why not.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not url.isprintable():
        raise ValueError('is no URL (allowed: "http://host:port/path", "https://…")')
    if " " in url:
        raise ValueError("a URL holds no blanks")
    return url


def parse_failure_action(value: object) -> FailureAction:
    """ "restart", "none", or the number of the signal in "signal:HUP"."""
    if value == "restart":
        return "restart"
    if value == "none":
        return "none"
    if isinstance(value, str) and value.startswith("signal:"):
        try:
            return parse_signal(value.removeprefix("signal:"))
        except ValueError:
            raise ValueError(f"{value.removeprefix('signal:')!r} is no signal") from None
    raise ValueError('is not allowed (allowed: "restart", "none", "signal:NAME")')


def parse_autorestart(value: object) -> str:
    """``always``, ``never`` or ``unexpected``, from true, false (or as strings) and "unexpected"."""
    words = {True: "always", False: "never", "true": "always", "false": "never", "unexpected": "unexpected"}
    if isinstance(value, (bool, str)) and value in words:
        return words[value]
    raise ValueError('is not allowed (allowed: true, false, "unexpected")')


def check_name(name: str) -> str:
    """``name``, if programs, groups and processes may be called that.

    Raises:
        ValueError: why not.
    """
    if name == "all":
        raise ValueError('"all" is not allowed as a name: it stands for every process')
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise ValueError(
            "is no name (allowed: up to 128 printable characters without white space, : / * ? [ ] ,)"
        )
    return name


def _environment_value(value: object) -> object:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else _refuse_variable(value)


def _refuse_variable(value: object) -> Any:
    raise ValueError("is no text")


def _to_text(value: object) -> object:
    return str(_environment_value(value))


@dataclass(frozen=True, slots=True)
class Written:
    """Marks a type whose values people write in another form than the one they are kept in."""

    by: Callable[[int], object]


def write_size(size: int) -> int | str:
    """The shortest way to write a number of bytes."""
    for unit, factor in reversed(_UNITS.items()):
        if size and factor > 1 and size % factor == 0:
            return f"{size // factor}{unit}"
    return size


def write_mode(mode: int) -> str:
    """An octal mode with as many digits as people give it."""
    return f"{mode:04o}" if mode > 0o077 else f"{mode:03o}"


def write_signal(number: int) -> int | str:
    """A signal by its name where it has one."""
    names = {int(known): known.name.removeprefix("SIG") for known in signal.Signals}
    return names.get(number, number)


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    Written(write_size),
    WithJsonSchema({"type": ["integer", "string"]}),
]
Mode = Annotated[
    int | None,
    BeforeValidator(parse_mode),
    Written(write_mode),
    WithJsonSchema({"type": ["string", "integer"]}),
]
SignalNumber = Annotated[
    int,
    BeforeValidator(parse_signal),
    Written(write_signal),
    WithJsonSchema({"type": ["string", "integer"]}),
]
Limit = Annotated[
    tuple[int, int], BeforeValidator(parse_limit), WithJsonSchema({"type": ["integer", "string"]})
]
AutorestartWord = Annotated[
    Literal["always", "never", "unexpected"],
    BeforeValidator(parse_autorestart),
    WithJsonSchema({"enum": [True, False, "unexpected"]}),
]
FailureWord = Annotated[
    FailureAction, BeforeValidator(parse_failure_action), WithJsonSchema({"type": "string"})
]
Variable = Annotated[str, BeforeValidator(_to_text)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0.1, allow_inf_nan=False)]
"""Seconds between things that are done again and again."""
Priority = Annotated[int, Field(ge=0, le=999)]
ExitCode = Annotated[int, Field(ge=0, le=255)]
