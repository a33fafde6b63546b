"""Reading files of environment variables (``environment_file``)."""

from __future__ import annotations

import re
from typing import Final

_LINE: Final = re.compile(r"\s*(?:export\s+)?(?P<name>[^\s=#]+)\s*=\s*(?P<value>.*)")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


class DotenvError(ValueError):
    """A line that is no assignment; says which."""


def parse_dotenv(text: str) -> dict[str, str]:
    """Variables of a dotenv file: ``NAME=value``, ``export NAME="a b"``, comments, blank lines.

    Double quotes know the escapes of a shell and ``\\n``, single quotes none; without quotes a
    comment begins at a ``#`` after a blank. Nothing is expanded.

    Raises:
        DotenvError: with the number of the line, without its text, which may be a secret.
    """
    variables: dict[str, str] = {}
    # Not splitlines: characters that only some call the end of a line may stand in a value.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise DotenvError(f"line {number} is no assignment")
        variables[found["name"]] = _value(found["value"].strip(), number)
    return variables


def _value(text: str, number: int) -> str:
    if text[:1] == "'":
        end = text.find("'", 1)
        if end < 0:
            raise DotenvError(f"line {number}: the quote is not closed")
        return text[1:end]
    if text[:1] == '"':
        return _double_quoted(text, number)
    comment = re.search(r"(?:^|\s)#", text)
    return text[: comment.start()].rstrip() if comment else text


def _double_quoted(text: str, number: int) -> str:
    out: list[str] = []
    at = 1
    while at < len(text):
        char = text[at]
        if char == '"':
            return "".join(out)
        if char == "\\" and at + 1 < len(text):
            at += 1
            char = _ESCAPES.get(text[at], text[at])
        out.append(char)
        at += 1
    raise DotenvError(f"line {number}: the quote is not closed")
