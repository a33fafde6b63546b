"""What a configuration may be at most, so that no file, broken or hostile, holds up a running daemon.

A reload reads on a thread of its own, but every thread takes its share of the interpreter: nothing
here may take more than moments, whatever a file holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from kahi.config.positions import Path
from kahi.config.toml import is_list, is_table

MAX_SIZE: Final = 1024 * 1024
"""Bytes of one file."""

MAX_SIZE_ALTOGETHER: Final = 8 * MAX_SIZE

MAX_FILES: Final = 1000
MAX_INCLUDE_DEPTH: Final = 8
MAX_WILD_PARTS: Final = 3
"""Parts of the path in an include pattern that hold wildcards; each multiplies what has to be looked at."""

MAX_DEPTH: Final = 32
"""Tables and arrays inside each other, and parts of one key."""

MAX_ITEMS: Final = 10_000
"""Keys of one table, items of one array."""

MAX_TEXT: Final = 128 * 1024
"""Characters of one string, before and after expansion: what the kernel takes as one argument."""

MAX_WORD: Final = 1000
"""Characters of a number or a bare key."""

MAX_PROCESSES: Final = 10_000
"""Processes of one program."""

MAX_PROCESSES_ALTOGETHER: Final = 20_000

MAX_EXPANDED: Final = 4 * 1024 * 1024
"""Characters that all programs with process numbers in their texts expand to."""

_NO_SYNTAX: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5}|\Z)'
    r"|'''(?:[^']|'(?!''))*+(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|\#[^\n]*+",
    re.DOTALL,
)
"""Strings and comments."""

_LONG_KEY: Final = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}", re.ASCII)
_LONG_WORD: Final = re.compile(rf"(?<![\w.+-])[\w.+-]{{{MAX_WORD + 1}}}", re.ASCII)


def find_bomb(text: str) -> tuple[int, str] | None:
    """The line of something that the parser would take ages over, and what it is; None when all is well.

    tomllib takes quadratic time for keys of many parts, and Python for numbers of many digits.
    """
    if not _may_hold_bomb(text):
        return None
    bare = _NO_SYNTAX.sub(lambda found: "_" + "\n" * found[0].count("\n"), text)
    for pattern, message in (
        (_LONG_KEY, f"a key of more than {MAX_DEPTH} parts"),
        (_LONG_WORD, f"a number or a key of more than {MAX_WORD} characters"),
    ):
        found = pattern.search(bare)
        if found is not None:
            return bare.count("\n", 0, found.start()) + 1, message
    return None


def _may_hold_bomb(text: str) -> bool:
    return any(len(line) > MAX_WORD or line.count(".") >= MAX_DEPTH for line in text.split("\n"))


def misshapen(table: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Places in a parsed file that are too deep, too many or too long, and what is wrong with them."""
    pending: list[tuple[Path, int, Any]] = [((), 0, table)]
    while pending:
        path, depth, value = pending.pop()
        if isinstance(value, str):
            if len(value) > MAX_TEXT:
                yield path, f"is longer than {MAX_TEXT} characters"
            elif "\0" in value:
                yield path, "holds a NUL character, which no program can be given"
        elif is_list(value) or is_table(value):
            if depth > MAX_DEPTH:
                yield path, "is nested too deeply"
            elif len(value) > MAX_ITEMS:
                yield path, f"has more than {MAX_ITEMS} entries"
            elif is_table(value):
                pending += [((*path, key), depth + 1, item) for key, item in value.items()]
            else:
                pending += [(path, depth + 1, item) for item in value]
