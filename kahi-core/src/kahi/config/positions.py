"""On which line each key of a TOML file stands.

tomllib gives values without their places. This is a small pass over a text that tomllib has already
accepted, so it need not judge anything: it follows table headers, keys, strings and brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Path = tuple[str, ...]

_HEADER: Final = re.compile(r"\s*(\[\[?)")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BLANK: Final = re.compile(r"[ \t]*")


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table and key, by its path from the root.

    Elements of arrays of tables share the path of their array: the line is that of the last one.
    """
    return dict(_Scanner(text).keys())


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0

    def keys(self) -> Iterator[tuple[Path, int]]:
        table: Path = ()
        while self._skip_to_token():
            line = self._line_here()
            if self._text[self._at] == "[":
                table = self._header()
                yield table, line
            else:
                yield from self._pair(table, line)

    def _header(self) -> Path:
        while self._text[self._at] == "[":
            self._at += 1
        path = self._dotted_key()
        self._skip_line()
        return path

    def _pair(self, table: Path, line: int) -> Iterator[tuple[Path, int]]:
        path = table + self._dotted_key()
        yield path, line
        self._skip_blanks()
        self._at += 1  # the equals sign
        yield from self._value(path)

    def _value(self, path: Path) -> Iterator[tuple[Path, int]]:
        self._skip_blanks()
        first = self._text[self._at]
        if first in "\"'":
            self._string()
        elif first == "[":
            yield from self._array(path)
        elif first == "{":
            yield from self._inline_table(path)
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}#\n":
                self._at += 1

    def _array(self, path: Path) -> Iterator[tuple[Path, int]]:
        self._at += 1
        while self._skip_to_token(",") and self._text[self._at] != "]":
            yield from self._value(path)
        self._at += 1

    def _inline_table(self, path: Path) -> Iterator[tuple[Path, int]]:
        self._at += 1
        while self._skip_to_token(",") and self._text[self._at] != "}":
            yield from self._pair(path, self._line_here())
        self._at += 1

    def _dotted_key(self) -> Path:
        parts: list[str] = []
        while True:
            self._skip_blanks()
            parts.append(self._one_key())
            self._skip_blanks()
            if self._text[self._at] != ".":
                return tuple(parts)
            self._at += 1

    def _one_key(self) -> str:
        if self._text[self._at] in "\"'":
            begin = self._at
            self._string()
            return _unquoted(self._text[begin : self._at])
        found = _BARE.match(self._text, self._at)
        assert found is not None, "tomllib accepted this text"
        self._at = found.end()
        return found[0]

    def _string(self) -> None:
        quote = self._text[self._at]
        mark = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        at = self._at + len(mark)
        while not self._text.startswith(mark, at):
            at += 2 if quote == '"' and self._text[at] == "\\" else 1
        at += len(mark)
        # Up to two more quotes may belong to the text of a multi-line string.
        while len(mark) == 3 and self._text.startswith(quote, at):
            at += 1
        self._at = at

    def _skip_to_token(self, also: str = "") -> bool:
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "#":
                self._skip_line()
            elif char in " \t\r\n" or char in also:
                self._at += 1
            else:
                return True
        return False

    def _skip_blanks(self) -> None:
        found = _BLANK.match(self._text, self._at)
        if found is not None:
            self._at = found.end()

    def _skip_line(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line


def _unquoted(key: str) -> str:
    if key[0] == "'" or "\\" not in key:
        return key[1:-1]
    import tomllib

    return next(iter(tomllib.loads(f"{key} = 0")))
