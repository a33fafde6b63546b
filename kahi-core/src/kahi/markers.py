"""How hooks and their implementations are marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, overload

import pluggy

PROJECT: Final = "kahi"
FILTER: Final = "kahi_event_filter"
"""Attribute of an implementation of ``kahi_event`` that holds its filter."""

hookspec = pluggy.HookspecMarker(PROJECT)
"""Marks the specification of a hook; ``async def`` makes it one whose implementations are awaited."""

_mark = pluggy.HookimplMarker(PROJECT)

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@overload
def hookimpl(function: FunctionT) -> FunctionT: ...


@overload
def hookimpl(
    *, specname: str = "", optionalhook: bool = False, events: Sequence[str] = ()
) -> Callable[[FunctionT], FunctionT]: ...


def hookimpl(
    function: FunctionT | None = None,
    *,
    specname: str = "",
    optionalhook: bool = False,
    events: Sequence[str] = (),
) -> FunctionT | Callable[[FunctionT], FunctionT]:
    """Mark a function of a plugin as the implementation of the hook it is named after.

    Args:
        specname: the hook, when the function has another name; one plugin may implement a hook
            several times in that way.
        optionalhook: the plugin that adds the hook may be absent.
        events: for ``kahi_event``: the types or prefixes it wants, all when there are none. Nothing
            happens for other events: where nobody wants them they are not even made.
    """

    def mark(function: FunctionT) -> FunctionT:
        setattr(function, FILTER, (events,) if isinstance(events, str) else tuple(events))
        return _mark(function, specname=specname or None, optionalhook=optionalhook)

    return mark if function is None else mark(function)
