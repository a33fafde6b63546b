"""Formats that Kahi can be moved from: what a plugin gives to the hook ``kahi_migrate_formats``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kahi_migrate.draft import Draft


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be read.

    Args:
        path: the file, absolute.
        directory: where the result will be, which is what ``%(here)s`` means in it.
        environ: the environment that variables in the source refer to.
    """

    path: str
    directory: str
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """A format of configuration.

    Args:
        name: what ``--from`` calls it.
        title: what it is, for people.
        recognise: from the path of a file and its text, whether it is of this format.
        read: makes the draft; raises [ConfigError][kahi.errors.ConfigError] with every problem of a
            malformed source, each with its line.
    """

    name: str
    title: str
    recognise: Callable[[str, str], bool]
    read: Callable[[Request], Draft]
