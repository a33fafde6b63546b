"""What is known about the health of one process, and told to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kahi.health.judgement import Judgement, judge

if TYPE_CHECKING:
    from kahi.definition import HealthSettings


class Monitor:
    """Is asked by the process for its `health`, and told by checks what they found.

    Args:
        clock: the monotonic time.
        changed: called when the process has become healthy or unhealthy.
    """

    def __init__(
        self, settings: HealthSettings, clock: Callable[[], float], changed: Callable[[Monitor], None]
    ) -> None:
        self.settings = settings
        self.reason = ""
        """Why the last check failed, "" when it did not."""
        self.said = ""
        """What the process says about itself."""
        self._clock = clock
        self._changed = changed
        self._judgement: Judgement | None = None

    @property
    def status(self) -> str:
        """``none`` while there is nothing to be checked; ``starting``, ``healthy``, ``unhealthy``."""
        return "none" if self._judgement is None else self._judgement.status

    @property
    def remark(self) -> str:
        """What a person wants to know beside the state, "" for nothing."""
        match self.status:
            case "unhealthy":
                return f"unhealthy: {self.reason}"
            case "starting":
                return f"not ready: {self.reason}" if self.reason else self.said or "not ready yet"
            case _:
                return self.said

    def begin(self) -> None:
        """The process is being started: nothing is known about it."""
        self._judgement = Judgement(self._clock())
        self.reason = ""
        self.said = ""

    def end(self) -> None:
        """The process goes down: there is nothing to be known."""
        self._judgement = None
        self.reason = ""
        self.said = ""

    def judged(self, reason: str) -> Judgement:
        """Take in what a check found: why it failed, "" when it did not. Nothing counts while it is down."""
        if self._judgement is None:
            return Judgement(self._clock())
        after = judge(self._judgement, self.settings, self._clock(), passed=not reason)
        self._take(self._judgement, after, reason)
        return after

    def condemned(self, reason: str) -> None:
        """The process itself says that it does not do its work."""
        before = self._judgement
        if before is not None:
            self._take(before, Judgement(before.since, "unhealthy", before.failures + 1), reason)

    def tells(self, text: str) -> None:
        """Keep what the process says about itself, while it is up."""
        if self._judgement is not None:
            self.said = text

    def _take(self, before: Judgement, after: Judgement, reason: str) -> None:
        self._judgement = after
        self.reason = reason
        if before.status != after.status:
            self._changed(self)
