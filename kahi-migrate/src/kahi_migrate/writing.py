"""A draft as TOML, laid out as a person would."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from kahi.errors import KahiError
from kahi_migrate.draft import Draft, Entry, Remark, Scalar, Table, Value

WIDTH: Final = 100
"""Characters up to which a value stays on one line."""

INLINE: Final = 3
"""Keys up to which a sub-table stays on one line."""


def render(draft: Draft) -> str:
    """The text of a draft."""
    lines: list[str] = []
    for item in draft.items:
        if isinstance(item, Remark):
            lines.append(_remark(item))
        else:
            lines += ["", *(_disabled(item) if item.disabled else _table(item)), ""]
    return "\n".join(_tidied(lines)) + "\n"


def _table(table: Table) -> Iterator[str]:
    yield from map(_remark, table.before)
    yield _with_comment(f"[{'.'.join(map(_key, table.path))}]", table.comment)
    below: list[Table] = []
    for item in table.items:
        if isinstance(item, Remark):
            yield _remark(item)
        elif isinstance(item, Entry):
            yield _with_comment(f"{_key(item.key)} = {write_value(item.value)}", item.comment)
        elif line := _inline(item):
            yield line
        else:
            below.append(item)
    for child in below:
        yield ""
        yield from _table(child)
    yield from map(_remark, table.after)


def _inline(table: Table) -> str:
    """A small table without comments on one line; "" when it is too large, or has some."""
    entries = table.entries()
    if len(entries) != len(table.items) or len(entries) > INLINE or any(entry.comment for entry in entries):
        return ""
    pairs = ", ".join(f"{_key(entry.key)} = {write_value(entry.value)}" for entry in entries)
    line = f"{_key(table.path[-1])} = {{ {pairs} }}"
    return line if len(line) <= WIDTH and "\n" not in line else ""


def _disabled(table: Table) -> Iterator[str]:
    """The whole table as a comment."""
    yield from map(_remark, table.before)
    yield _remark(Remark(f"unsupported: {table.disabled}"))
    bare = Table(table.path, table.place, table.items, comment=table.comment)
    for line in _tidied(_table(bare)):
        yield f"# {line}".rstrip()
    yield from map(_remark, table.after)


def write_value(value: Value) -> str:
    """A value as TOML."""
    if not isinstance(value, list):
        return _scalar(value)
    elements = [_scalar(element, one_line=True) for element in value]
    line = f"[{', '.join(elements)}]"
    if len(line) <= WIDTH:
        return line
    return "\n".join(["[", *(f"    {element}," for element in elements), "]"])


def _scalar(value: Scalar, *, one_line: bool = False) -> str:
    """The way of writing it that needs the fewest escapes."""
    if not isinstance(value, str):
        return tomlkit.item(value).as_string()
    multiline = "\n" in value and "\r" not in value and not one_line
    literal = "\\" in value or '"' in value
    text = ""
    if literal:
        with contextlib.suppress(TOMLKitError):
            text = tomlkit.string(value, literal=True, multiline=multiline).as_string()
    text = text or tomlkit.string(value, multiline=multiline).as_string()
    # TOML does not count a newline after the opening quotes; tomlkit adds one where the text has one.
    return f"{text[:3]}\n{text[3:]}" if multiline and not value.startswith("\n") else text


def _key(key: str) -> str:
    return tomlkit.key(key).as_string()


def _remark(remark: Remark) -> str:
    text = "".join(char if char.isprintable() or char == "\t" else "?" for char in remark.text)
    return f"#{text if text[:1].isspace() else f' {text}'}".rstrip() if text else ""


def _with_comment(text: str, comment: str) -> str:
    return f"{text}  {_remark(Remark(comment))}" if comment else text


def _tidied(lines: Iterable[str]) -> list[str]:
    """Without blank lines at the begin, at the end, after a header, and more than one at a time."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1] and not kept[-1].startswith("[")):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def refuse_existing(path: str) -> None:
    """Raises KahiError when there is something at ``path``."""
    if os.path.lexists(path):
        raise KahiError(f"{path} is there already (--force replaces it)")


def write(path: str, text: str, *, force: bool, mode: int) -> None:
    """Write a file whole or not at all.

    Args:
        force: replace a file that is there; it keeps its mode.
        mode: of a new file.

    Raises:
        KahiError: it is there already, or can not be written.
    """
    target = Path(os.path.realpath(path))
    try:
        if force and target.exists():
            mode = target.stat().st_mode & 0o777
        elif not force:
            # Claims the name: fails when there is something, also when it has only just come.
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        try:
            _replace(target, text, mode)
        except OSError:
            if not force:
                target.unlink()
            raise
    except FileExistsError:
        refuse_existing(path)
    except OSError as error:
        raise KahiError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None


def _replace(target: Path, text: str, mode: int) -> None:
    fd, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(fd, mode)
            os.fsync(fd)
        Path(name).replace(target)
    except OSError:
        Path(name).unlink()
        raise
