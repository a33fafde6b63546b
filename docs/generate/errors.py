"""What the API answers when something is wrong, from the table that maps errors to answers."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from docs.generate.markdown import code, table
from kahi_api.errors import CODES, STATUS

HEAD: Final = """\
# Errors of the API

Generated from the tables that the API answers by. An error is JSON with a text for people and a word for
programs; the words stay the same over releases, the texts may not:

```json
{"error": "no such process: web", "code": "NOT_FOUND"}
```

Answers that say when to come back have a `Retry-After` header. Whether one operation on many processes
worked stands in its answer, process by process: `POST /api/v1/actions` answers 200 as soon as it was
carried out.
"""


def page() -> str:
    """The page."""
    return "\n".join([HEAD, *table(("status", "code", "when"), _rows())])


def _rows() -> Iterator[tuple[str, ...]]:
    meanings: dict[tuple[int, str], list[str]] = {}
    for status, word in CODES.items():
        meanings[status, word] = []
    for kind, key in STATUS.items():
        meanings.setdefault(key, []).append((kind.__doc__ or "").partition("\n")[0])
    meanings[500, "SERVER_ERROR"] = ["Should not happen; the daemon's log says more."]
    for (status, word), texts in sorted(meanings.items()):
        phrase = HTTPStatus(status).phrase
        yield f"{status} {phrase}", code(word), " ".join(dict.fromkeys(texts)) or f"{phrase}."
