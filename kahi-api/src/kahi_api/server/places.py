"""How many connections there may be."""

from __future__ import annotations


class Place:
    """The right to one connection, until it is left."""

    __slots__ = ("_places",)

    def __init__(self, places: Places) -> None:
        self._places: Places | None = places

    def leave(self) -> None:
        """Give the place back. Leaving twice is fine."""
        if self._places is not None:
            self._places.taken -= 1
            self._places = None


class Places:
    """Counts connections over all sockets. Belongs to the event-loop thread.

    Args:
        total: of all connections together.
        kept: of these only for those who ask with ``privileged``.
    """

    def __init__(self, total: int, kept: int) -> None:
        self._total = total
        self._kept = min(kept, total // 2)
        self.taken = 0

    def take(self, *, privileged: bool) -> Place | None:
        """A place, None when there is none left."""
        if self.taken >= (self._total if privileged else self._total - self._kept):
            return None
        self.taken += 1
        return Place(self)
