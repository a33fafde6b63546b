"""Every hook of core and of the official plugins, from the specifications."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, Final

from docs.generate.hookvalues import prose, section
from docs.generate.markdown import fenced, heading
from kahi.plugins import PluginManager

HEAD: Final = """\
# Hooks

Generated from the specifications in the code. [Write a plugin](../how-to/plugins.md) shows how they are
used, and `kahi plugins` which plugin implements which.
"""

PART: Final = re.compile(r"^(Called|Exception|Since|Example): ?", re.MULTILINE)


def page() -> str:
    """The page."""
    plugins = PluginManager()
    plugins.discover()
    lines = [HEAD]
    for owner, namespace in plugins.specifications:
        title = f"Hooks of {owner or 'core'}"
        lines += [*heading(2, title, f"of-{owner or 'core'}"), prose(inspect.getdoc(namespace) or ""), ""]
        for name, function in vars(namespace).items():
            if hasattr(function, "kahi_spec"):
                lines += _hook(name, function)
    return "\n".join([*lines, *section()])


def _hook(name: str, function: Callable[..., Any]) -> Iterator[str]:
    signature = inspect.signature(function)
    yield from heading(3, f"`{name}({', '.join(signature.parameters)})`", name)
    kind = "async def" if inspect.iscoroutinefunction(function) else "def"
    yield from fenced("python", f"{kind} {name}{signature}: ...".replace("'", ""))
    about, *parts = PART.split(inspect.getdoc(function) or "")
    yield from (prose(about), "")
    for word, text in zip(parts[::2], parts[1::2], strict=True):
        if word == "Example":
            yield from fenced("python", textwrap.dedent(text.strip("\n")))
        else:
            yield from (f"**{word}**: {' '.join(text.split())}", "")
