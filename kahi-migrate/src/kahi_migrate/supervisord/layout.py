"""Which comment belongs to what, and which of them cut a value that was meant to go on."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kahi_migrate import draft
from kahi_migrate.supervisord.ini import Block, IniFile, Line, Remark, Setting

_WHERE_A_SIGN_IS_MEANT: Final = frozenset(
    {"command", "environment", "files", "file", "username", "password", "socket", "serverurl", "directory"}
)
"""Keys whose values may well hold a comment sign."""


@dataclass(slots=True)
class Section:
    """A section of one file with its comments told apart.

    Args:
        before: comments right above the header.
        after: comments below the last setting that belong to no other section.
    """

    file: str
    block: Block
    before: list[draft.Remark]
    items: list[Setting | Remark]
    after: list[draft.Remark]


def lay_out(file: IniFile) -> tuple[list[draft.Remark], list[Section]]:
    """The comments at the head of a file, and its sections."""
    head, before = _split(file.head) if file.blocks else (list(file.head), [])
    sections: list[Section] = []
    for index, block in enumerate(file.blocks):
        end = len(block.items)
        while end and isinstance(block.items[end - 1], Remark):
            end -= 1
        trailing = [item for item in block.items[end:] if isinstance(item, Remark)]
        is_last = index + 1 == len(file.blocks)
        after, following = (trailing, []) if is_last else _split(trailing)
        sections.append(
            Section(file.path, block, list(converted(before)), block.items[:end], list(converted(after)))
        )
        before = following
    return list(converted(head)), sections


def _split(remarks: list[Remark]) -> tuple[list[Remark], list[Remark]]:
    """Cut off what stands directly above the next thing."""
    at = len(remarks)
    while at and remarks[at - 1].text:
        at -= 1
    return remarks[:at], remarks[at:]


def converted(remarks: Iterable[Remark]) -> Iterator[draft.Remark]:
    """Comments without their sign."""
    for remark in remarks:
        yield draft.Remark(remark.text[1:])


def comment_behind(setting: Setting) -> str:
    """The comment behind a value of one line, without its sign."""
    return setting.lines[0].comment[1:].strip() if len(setting.lines) == 1 else ""


def comments_between(setting: Setting) -> list[draft.Remark]:
    """The comments in and behind the lines of a longer value."""
    if len(setting.lines) == 1:
        return []
    behind = [Remark(line.number, line.comment) for line in setting.lines if line.comment]
    return list(converted(sorted([*behind, *setting.remarks], key=lambda remark: remark.number)))


def cuts(setting: Setting) -> Iterator[tuple[Line, str]]:
    """Lines of a value that a comment sign cut short against its meaning, by all appearances, and why."""
    for line in setting.lines:
        if not line.comment:
            continue
        text = "\n".join(each.text for each in setting.lines if each.number <= line.number)
        if setting.key in _WHERE_A_SIGN_IS_MEANT and _has_open_quote(text):
            yield line, "inside of quotes"
        elif setting.key in _WHERE_A_SIGN_IS_MEANT and not line.comment[1:2].isspace():
            yield line, "without a blank behind it"


def _has_open_quote(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return True
    return False
