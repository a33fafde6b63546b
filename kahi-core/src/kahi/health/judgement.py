"""When a process counts as healthy: a pure function of what its checks said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from kahi.definition import HealthSettings

HealthStatus = Literal["starting", "healthy", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known about a process that runs.

    Args:
        since: when it was started, on the monotonic clock.
        failures: checks that failed since the last one that did not.
    """

    since: float
    status: HealthStatus = "starting"
    failures: int = 0


def judge(before: Judgement, settings: HealthSettings, now: float, *, passed: bool) -> Judgement:
    """What one more check means.

    One success makes a process healthy. One that was healthy becomes unhealthy by ``retries``
    failures in a row. One that never was is looked at more often than every ``interval``, so that
    it is known soon when it is ready; its failures count only once there would have been time for
    so many, after ``start_period``.
    """
    if passed:
        return replace(before, status="healthy", failures=0)
    failed = replace(before, failures=before.failures + 1)
    if failed.failures < settings.retries:
        return failed
    if before.status == "starting" and now < patience_ends(before, settings):
        return failed
    return replace(failed, status="unhealthy")


def patience_ends(judgement: Judgement, settings: HealthSettings) -> float:
    """The time from which a process that was never healthy may be called unhealthy."""
    return judgement.since + settings.start_period + settings.retries * settings.interval
