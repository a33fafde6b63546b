"""What requests may hold: models of queries and bodies that several routes share."""

from __future__ import annotations

import signal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from kahi.config.values import parse_signal
from kahi.lifecycle import State
from kahi_api.objects import StateName

_NAMES: Final = sorted(each.name for each in signal.Signals)
_NUMBERS: Final = sorted(signal.valid_signals())

Signal = Annotated[
    int,
    BeforeValidator(parse_signal),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": [*_NAMES, *(name.removeprefix("SIG") for name in _NAMES)]},
                {"type": "integer", "enum": [int(number) for number in _NUMBERS]},
            ]
        }
    ),
]
"""A signal by name, with or without SIG, or by number."""


def signal_name(number: int) -> str:
    """What a signal is called, as in ``SIGHUP``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _state(text: str) -> str:
    name = text.upper()
    if name not in State.__members__:
        raise ValueError(f"is no state (allowed: {', '.join(State.__members__)})")
    return name


def _flag(value: object) -> object:
    return True if value == "" else value


Flag = Annotated[bool, BeforeValidator(_flag, json_schema_input_type=bool)]
"""``?wait`` alone means yes."""


Number = Annotated[int, Field(le=2**53)]
"""A whole number that every reader of JSON knows exactly."""


class Parameters(BaseModel):
    """A query or a body; what is not known is ignored, as older daemons do with newer clients."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class ProcessFilter(Parameters):
    """Which processes to list."""

    group: str | None = Field(default=None, description="Those of this group.")
    state: Annotated[StateName, AfterValidator(_state)] | None = Field(
        default=None, description="Those in this state."
    )


class Wait(Parameters):
    """Whether to answer when it is done."""

    wait: Flag = Field(
        default=True,
        description="Answer when the first attempt is decided, or the process gone; else at once with 202.",
    )


class SignalBody(Parameters):
    """Which signal to send."""

    signal: Signal = Field(description="Name, with or without SIG, or number.")


class GroupBody(Parameters):
    """Which group is meant."""

    name: str = Field(strict=True, description="Name of the group.")


class GroupsBody(Parameters):
    """Which groups are meant."""

    groups: list[str] | None = Field(
        default=None, strict=True, description="Names of groups; null for everything."
    )


class ActionBody(Parameters):
    """What to do, and to which processes."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"action": {"not": {"const": "signal"}}}},
                {"properties": {"signal": {"not": {"type": "null"}}}, "required": ["signal"]},
            ]
        }
    )

    action: Literal["start", "stop", "restart", "signal", "clear"]
    targets: list[str] = Field(
        strict=True, description="Names of processes, ``group:*``, ``group:process``, patterns, ``all``."
    )
    signal: Signal | None = Field(default=None, description="Which signal, where that is the action.")
