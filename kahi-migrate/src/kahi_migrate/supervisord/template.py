"""Values with ``%(name)s`` in them: Python's ``%`` formatting over names, as supervisord uses it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_WIDTH: Final = 10_000
NUMBERS: Final = frozenset({"process_num", "numprocs"})
"""Names whose values are whole numbers; all others are text."""

LONE: Final = 'holds a lone "%" (supervisord wants "%%" for a percent sign)'

_CONVERSION: Final = re.compile(
    r"(?P<flags>[-+ #0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?[hlL]?(?P<letter>.)", re.DOTALL
)
_FOR_NUMBERS: Final = "diouxXeEfFgGcrsa"
_FOR_TEXT: Final = "rsa"


class TemplateError(ValueError):
    """A value that supervisord refuses to expand; says why, without the value."""


class UnknownName(TemplateError):
    """A name that is not defined where it is used."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"%({name})s is not defined here")


@dataclass(frozen=True, slots=True)
class Name:
    """A place that a value is put into.

    Args:
        name: as in ``%(name)02d``; "" for a bare ``%s``, which gets a dump of all names and values.
        format: what follows the parenthesis: ``02d``.
    """

    name: str
    format: str = "s"

    def __str__(self) -> str:
        return f"%({self.name}){self.format}" if self.name else f"%{self.format}"


Piece = str | Name


def parse(text: str) -> list[Piece]:
    """Take a value apart.

    Raises:
        TemplateError: Python could not format it, whatever the values.
    """
    return list(_merged(_pieces(text)))


def expand(text: str, names: Mapping[str, str | int]) -> str:
    """The value with all names put in.

    Raises:
        TemplateError: as supervisord does.
    """
    if "%" not in text:
        return text
    parse(text)
    try:
        return text % names
    except KeyError as error:
        raise UnknownName(str(error.args[0])) from None
    except Exception as error:  # noqa: BLE001 - whatever formatting may raise; supervisord does the same
        raise TemplateError(f"cannot be expanded: {error}") from None


def variables(text: str) -> set[str]:
    """Names of the environment variables that a value refers to."""
    try:
        pieces = parse(text) if "%" in text else []
    except TemplateError:
        return set()
    return {p.name.removeprefix("ENV_") for p in pieces if isinstance(p, Name) and p.name.startswith("ENV_")}


def _pieces(text: str) -> Iterator[Piece]:
    at = 0
    bare_fits = True
    while True:
        sign = text.find("%", at)
        if sign < 0:
            yield text[at:]
            return
        yield text[at:sign]
        at = sign + 1
        name: str | None = None
        if text.startswith("(", at):
            end = _closing(text, at)
            name, at = text[at + 1 : end], end + 1
            bare_fits = False
        found = _CONVERSION.match(text, at)
        if found is None:
            raise TemplateError("ends in the middle of a %(name)s")
        at = found.end()
        if found["letter"] == "%":
            if name is not None:
                yield Name(name, "%")
            yield "%"
            continue
        _check(name, found)
        if name is None and not bare_fits:
            raise TemplateError(LONE)
        bare_fits = False
        precision = "" if found["precision"] is None else f".{found['precision'] or 0}"
        yield Name(name or "", found["flags"] + found["width"] + precision + found["letter"])


def _closing(text: str, at: int) -> int:
    depth = 0
    for index in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise TemplateError("has an unfinished %(name)s")


def _check(name: str | None, found: re.Match[str]) -> None:
    letter = found["letter"]
    if name is None:
        if letter not in _FOR_TEXT:
            raise TemplateError(LONE)
    elif letter not in (_FOR_NUMBERS if name in NUMBERS else _FOR_TEXT):
        kind = "a number" if name in NUMBERS else "text"
        if letter.isalpha():
            raise TemplateError(f"%({name}){letter}: the format does not fit, the value is {kind}")
        raise TemplateError(f"%({name}) lacks its format, such as %({name})s")
    if int(found["width"] or 0) > MAX_WIDTH or int(found["precision"] or 0) > MAX_WIDTH:
        raise TemplateError("asks for a width that makes no sense")


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        if text:
            yield text
        text = ""
        yield piece
    if text:
        yield text
