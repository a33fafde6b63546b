"""From the health table of a program to what its checks need."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from kahi.config.models import HealthModel
from kahi.config.place import Place
from kahi.config.report import Report
from kahi.definition import HealthSettings
from kahi.hookspecs import CORE_CHECKS, HealthCheck

HealthKinds = Mapping[str, type[HealthCheck]]
"""Kinds that plugins bring: classes that are made of the value in the configuration."""


def read_health(
    place: Place, model: HealthModel, raw: Mapping[str, Any], kinds: HealthKinds, report: Report
) -> HealthSettings | None:
    """The settings that a health table stands for; None when it is wrong, which the report then says.

    Args:
        model: the table as it was validated, ``raw`` as it was written, with names expanded.
        kinds: those of plugins.
    """
    known = (*CORE_CHECKS, *kinds)
    given = [kind for kind in known if kind in raw and raw[kind] is not False]
    if len(given) != 1:
        which = f"not {' and '.join(given)} at once" if given else "there is none"
        place.error(report, "health", f"needs one of {', '.join(known)}; {which}")
        return None
    kind = given[0]
    if model.expect and kind != "http":
        place.error(report, "health.expect", "is for http only")
        return None
    try:
        target = _target(kind, model, raw, kinds)
    except ValueError as error:
        place.error(report, f"health.{kind}", str(error))
        return None
    return HealthSettings(
        kind=kind,
        target=target,
        expect=model.expect,
        interval=model.interval,
        timeout=model.timeout,
        retries=model.retries,
        start_period=model.start_period,
        on_failure=model.on_failure,
    )


def _target(kind: str, model: HealthModel, raw: Mapping[str, Any], kinds: HealthKinds) -> Any:
    match kind:
        case "notify":
            return True
        case "exec":
            words = shlex.split(model.exec) if isinstance(model.exec, str) else model.exec
            if not words or not words[0]:
                raise ValueError("is empty")
            return tuple(words)
        case "http" | "tcp":
            value: str = getattr(model, kind)
            if not value:
                raise ValueError("is empty")
            return value
        case _:
            try:
                kinds[kind](raw[kind])
            except ValueError:
                raise
            except Exception as error:
                raise ValueError(f"cannot be used: {error!r}") from error
            return raw[kind]
