"""From a file of another program to a Kahi configuration that loads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kahi.config.config import Config
from kahi.config.files import read_text
from kahi.errors import KahiError
from kahi.plugins import PluginManager
from kahi_migrate.draft import Draft
from kahi_migrate.formats import all_formats, named
from kahi_migrate.source import Request, SourceFormat
from kahi_migrate.verification import Verifier

HOOK: Final = "kahi_migrate_formats"
DEFAULT_NAME: Final = "kahi.toml"


@dataclass(frozen=True, slots=True)
class Migration:
    """What came of it: ``text`` is what to write, ``config`` what it loads as."""

    source_format: SourceFormat
    draft: Draft
    text: str
    config: Config


def migrate(
    path: str,
    plugins: PluginManager,
    environ: Mapping[str, str],
    *,
    output: str = "",
    source_format: str = "",
) -> Migration:
    """Read ``path`` and say it in Kahi's words; nothing is written.

    Args:
        output: where the result will be; "" for a file beside the source.
        source_format: "" to recognise it.

    Raises:
        ConfigError: the source is malformed; with every problem.
        KahiError: it can not be read, or its format not be told.
    """
    path = os.path.abspath(path)
    output = os.path.abspath(output or os.path.join(os.path.dirname(path), DEFAULT_NAME))
    formats = all_formats(plugins, HOOK, SourceFormat)
    chosen = named(formats, source_format) if source_format else _recognised(path, formats)
    draft = chosen.read(Request(path, os.path.dirname(output), environ))
    text, config = Verifier(plugins, output, environ).finish(draft)
    return Migration(chosen, draft, text, config)


def _recognised(path: str, formats: Mapping[str, SourceFormat]) -> SourceFormat:
    text = read_text(path)
    found = [each for each in formats.values() if each.recognise(path, text)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(each.name for each in found or formats.values()))
    what = "can be several things" if found else "is of no known format"
    raise KahiError(f"{path} {what}; say --from with one of: {names}")
