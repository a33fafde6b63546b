"""What hooks give and take, from the classes in the code."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterator
from typing import Any, Final

from docs.generate.markdown import code, fenced, heading, table
from kahi import hookspecs
from kahi.plugins import PluginContext
from kahi_api.endpoint import Access, Endpoint
from kahi_api.identity import Identity
from kahi_migrate.source import SourceFormat
from kahi_migrate.target import TargetFormat
from kahi_webui.hookspecs import Column, Page

CLASSES: Final[tuple[type[Any], ...]] = (
    PluginContext,
    *(value for name in hookspecs.__all__ if isinstance(value := getattr(hookspecs, name), type)),
    Endpoint,
    Access,
    Identity,
    Page,
    Column,
    SourceFormat,
    TargetFormat,
)

_ARGUMENT: Final = re.compile(r"^    (\w+): (.+(?:\n        .+)*)", re.MULTILINE)
_REFERENCE: Final = re.compile(r"\[([^\]]+)\]\[[\w.]*\]")


def section() -> Iterator[str]:
    """The lines about all classes."""
    yield from heading(2, "What they give and take", "values")
    for kind in CLASSES:
        yield from _class(kind)


def _class(kind: type[Any]) -> Iterator[str]:
    yield from heading(3, code(kind.__name__), kind.__name__)
    yield from fenced("python", f"from {_public_module(kind)} import {kind.__name__}")
    about, _, arguments = (inspect.getdoc(kind) or "").partition("\nArgs:\n")
    yield from (prose(about), "")
    rows = ((code(name), prose(" ".join(text.split()))) for name, text in _ARGUMENT.findall(arguments))
    yield from table(("argument", ""), rows)
    if issubclass(kind, enum.Enum):
        yield from (f"One of {', '.join(code(member.name) for member in kind)}.", "")
    yield from table(("member", ""), _members(kind))


def _members(kind: type[Any]) -> Iterator[tuple[str, str]]:
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield code(name), _first(member)
        elif inspect.isfunction(member):
            arguments = list(inspect.signature(member).parameters)[1:]
            yield code(f"{name}({', '.join(arguments)})"), _first(member)


def prose(text: str) -> str:
    """Text of a docstring as Markdown."""
    return _REFERENCE.sub(r"`\1`", text).replace("``", "`").strip()


def _public_module(kind: type[Any]) -> str:
    """Where plugins import a class from."""
    if kind.__name__ in hookspecs.__all__:
        return hookspecs.__name__
    return "kahi.plugins" if kind is PluginContext else kind.__module__


def _first(member: Any) -> str:
    return prose((inspect.getdoc(member) or "").partition("\n\n")[0].replace("\n", " "))
