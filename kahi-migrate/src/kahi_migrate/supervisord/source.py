"""supervisord's configuration as a source format."""

from __future__ import annotations

import re
from typing import Final

from kahi.errors import ConfigError
from kahi_migrate.draft import Draft
from kahi_migrate.source import Request, SourceFormat
from kahi_migrate.supervisord.configuration import read
from kahi_migrate.supervisord.resolve import resolve
from kahi_migrate.supervisord.translate import translate

_SECTION: Final = re.compile(
    r"^\[(supervisord|supervisorctl|include|(program|fcgi-program|eventlistener|group|rpcinterface):.+"
    r"|(unix|inet)_http_server.*)\]",
    re.MULTILINE,
)


def recognise(_path: str, text: str) -> bool:
    """Whether a text has a section that only supervisord has."""
    return _SECTION.search(text) is not None


def read_draft(request: Request) -> Draft:
    """The draft of a configuration.

    Raises:
        ConfigError: supervisord would refuse it; with every reason.
    """
    configuration = read(request.path, request.environ)
    resolved = resolve(configuration, request.environ)
    if resolved.problems:
        order = {file.path: number for number, file in enumerate(configuration.files)}
        raise ConfigError(sorted(resolved.problems, key=lambda p: (order.get(p.file, -1), p.line)))
    draft = translate(configuration, resolved, request.directory, request.environ)
    draft.files = [file.path for file in configuration.files]
    return draft


SUPERVISORD = SourceFormat("supervisord", "supervisord.conf, with what it includes", recognise, read_draft)
