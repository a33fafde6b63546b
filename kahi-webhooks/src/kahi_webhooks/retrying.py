"""When a failed attempt is repeated, and how long that waits."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential

from kahi_webhooks.failure import AttemptFailed

T = TypeVar("T")

FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 60.0
JITTER: Final = 0.1
"""Share by which a delay is longer or shorter, so that not all come at once."""

LONGEST_RETRY_AFTER: Final = 300.0
"""Seconds that a receiver can ask for at most."""

_exponential = wait_exponential(multiplier=FIRST_DELAY, max=LONGEST_DELAY)


async def repeated(
    attempt: Callable[[], Awaitable[T]],
    retries: int,
    pause: Callable[[float], Awaitable[None]],
    give_up: Callable[[], bool],
) -> T:
    """What ``attempt`` returns once it succeeds.

    Args:
        retries: how often an attempt that failed for the moment is repeated.
        pause: waits some seconds.
        give_up: whether nothing is repeated any more.

    Raises:
        AttemptFailed: the last of them.
    """

    def enough(state: RetryCallState) -> bool:
        return give_up() or stop_after_attempt(retries + 1)(state)

    retrying = AsyncRetrying(
        sleep=pause, stop=enough, wait=delay, retry=retry_if_exception(_is_temporary), reraise=True
    )
    return await retrying(attempt)


def delay(state: RetryCallState, chance: Callable[[], float] = random.random) -> float:
    """Seconds until the next attempt: 1, 2, 4 up to 60, or what the receiver asked for if that is more.

    Args:
        chance: gives numbers from 0 to 1.
    """
    error = None if state.outcome is None else state.outcome.exception()
    seconds = _exponential(state) * (1 + JITTER * (2 * chance() - 1))
    return max(seconds, error.retry_after if isinstance(error, AttemptFailed) else 0.0)


def retry_after(header: str, now: float) -> float:
    """Seconds that a Retry-After header asks to wait, 0 when it says nothing that makes sense.

    Args:
        header: seconds, or a date.
        now: seconds since the epoch.
    """
    text = header.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return 0.0
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else 0.0


def _is_temporary(error: BaseException) -> bool:
    return isinstance(error, AttemptFailed) and error.temporary
