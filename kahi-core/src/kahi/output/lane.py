"""Where channels wait whose destination does not take data."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kahi.output.channel import Channel
    from kahi.output.exchange import Order


class Lane:
    """The channels that hang because of one place, and what was ordered for them meanwhile.

    Args:
        places: file systems, directories or descriptors that do not answer.
    """

    __slots__ = ("members", "orders", "places")

    def __init__(self, places: frozenset[Hashable]) -> None:
        self.places = places
        self.members: list[Channel] = []
        self.orders: deque[tuple[Channel, Order]] = deque()
