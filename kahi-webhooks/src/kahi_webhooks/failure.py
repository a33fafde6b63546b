"""An attempt to deliver that failed."""

from __future__ import annotations

from kahi.errors import KahiError


class AttemptFailed(KahiError):
    """The receiver was not reached, or does not want what it got.

    Args:
        reason: for people; holds no secret, and nothing that the receiver said.
        temporary: it may be different next time.
        retry_after: seconds that the receiver asks to wait.
        said: the beginning of its answer, for whoever tries the webhook out.
    """

    def __init__(
        self, reason: str, *, temporary: bool = True, retry_after: float = 0.0, said: str = ""
    ) -> None:
        self.reason = reason
        self.temporary = temporary
        self.retry_after = retry_after
        self.said = said
        super().__init__(reason)
