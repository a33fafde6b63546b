"""What holds for event listeners only: which events there are, and which keys make no sense."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from kahi.events import EVERYTHING, TYPES, names_events
from kahi.events.wire import NEVER, own_name, wire_name

if TYPE_CHECKING:
    from kahi.config.models import EventListenerModel

DEFAULT_PRIORITY: Final = -1
"""Priority of a pool: it starts before every program and stops after it, so that it misses nothing."""

_KNOWN: Final = (EVERYTHING, *TYPES, *map(wire_name, TYPES), *NEVER)
_BEGINNINGS: Final = tuple(
    sorted({"_".join(name.split("_")[:count]) for name in _KNOWN for count in range(1, name.count("_") + 2)})
)
"""All types, and everything that they begin with."""

_OWN_WORDS: Final = frozenset(name.partition("_")[0] for name in _KNOWN)

_PROTOCOL_KEYS: Final = ("stdout_buffer_maxbytes",)
"""Keys of stdout that mean something also where stdout is the protocol."""


def known_event(name: str) -> str:
    """``name``, if there may be events of that type or below it; plugins have events of their own.

    Raises:
        ValueError: it is meant to be one of core's, and there is no such event.
    """
    if name in NEVER or names_events(own_name(name)):
        return name
    near = difflib.get_close_matches(name.upper(), _BEGINNINGS, n=1, cutoff=0.8)
    if near:
        raise ValueError(f"there is no event {name!r} (did you mean {near[0]!r}?)")
    if name.partition("_")[0] in _OWN_WORDS or not name.replace("_", "").isalnum():
        raise ValueError(f"there is no event {name!r}")
    return name


def impossible_keys(model: EventListenerModel) -> Iterator[tuple[str, str]]:
    """Keys of a listener that can not be as they are, and why."""
    if model.stdin != "pipe":
        yield "stdin", 'a listener gets events on its stdin (allowed: "pipe")'
    if model.redirect_stderr:
        yield "redirect_stderr", "would mix stderr into the protocol that a listener speaks on stdout"
    for key, field in type(model).model_fields.items():
        if not key.startswith("stdout_") or key in _PROTOCOL_KEYS:
            continue
        if getattr(model, key) != field.get_default(call_default_factory=True):
            yield key, "the stdout of a listener is its protocol and goes nowhere else (stderr may)"
