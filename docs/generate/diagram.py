"""The drawing of the states: placed by hand, with the arrows that the state machine has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from docs.generate.lifecycle import edges
from kahi.lifecycle import State


class Point(NamedTuple):
    """A place in the drawing."""

    x: float
    y: float


WIDTH: Final = 900
HEIGHT: Final = 550
BOX: Final = Point(124, 44)

PLACES: Final[Mapping[State, Point]] = {
    State.STOPPED: Point(230, 40),
    State.STOPPING: Point(730, 40),
    State.STARTING: Point(230, 260),
    State.RUNNING: Point(730, 260),
    State.BACKOFF: Point(150, 510),
    State.FATAL: Point(460, 510),
    State.EXITED: Point(810, 510),
}


class Route(NamedTuple):
    """How an arrow runs.

    Args:
        bend: how far its middle stands beside the straight line, to the left as one goes.
        along: where its text stands, from 0 (start) to 1 (end).
    """

    bend: float = 0
    along: float = 0.5


ROUTES: Final[Mapping[tuple[State, State], Route]] = {
    (State.STARTING, State.BACKOFF): Route(-34, 0.42),
    (State.BACKOFF, State.STARTING): Route(-34, 0.42),
    (State.STARTING, State.FATAL): Route(-18, 0.5),
    (State.FATAL, State.STARTING): Route(-18, 0.6),
    (State.STARTING, State.EXITED): Route(16, 0.72),
    (State.EXITED, State.STARTING): Route(16, 0.12),
    (State.EXITED, State.STOPPED): Route(30, 0.78),
    (State.BACKOFF, State.STOPPED): Route(118, 0.5),
    (State.STARTING, State.RUNNING): Route(0, 0.7),
    (State.RUNNING, State.BACKOFF): Route(0, 0.28),
    (State.RUNNING, State.FATAL): Route(-20, 0.7),
}
"""Arrows that are not straight, or whose text would stand in the way of another."""


def drawing() -> str:
    """The drawing, as SVG that takes its colours from the page around it."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield (
        f'<div class="lifecycle"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="The states of a process and the events that lead from one to another" '
        'xmlns="http://www.w3.org/2000/svg">'
    )
    yield (
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="currentColor"/></marker></defs>'
    )
    texts: list[str] = []
    for (source, target), events in edges().items():
        line, text = _arrow(source, target, events, ROUTES.get((source, target), Route()))
        yield line
        texts.append(text)
    # No line runs through a text.
    yield from texts
    for state, place in PLACES.items():
        yield _box(state, place)
    yield "</svg></div>"


def _box(state: State, place: Point) -> str:
    x, y = place.x - BOX.x / 2, place.y - BOX.y / 2
    return (
        f'<g data-state="{state.name}"><rect x="{x:g}" y="{y:g}" width="{BOX.x}" height="{BOX.y}" rx="8" '
        'fill="var(--md-default-bg-color, white)" stroke="currentColor" stroke-width="2"/>'
        f'<text x="{place.x:g}" y="{place.y + 5:g}" text-anchor="middle" font-weight="bold" '
        f'fill="currentColor">{state.name}</text></g>'
    )


def _arrow(source: State, target: State, events: list[str], route: Route) -> tuple[str, str]:
    """A line with its tip, and its text."""
    start, end = PLACES[source], PLACES[target]
    length = math.dist(start, end)
    # The control point of a curve stands twice as far out as the curve.
    control = Point(
        (start.x + end.x) / 2 + 2 * route.bend * (end.y - start.y) / length,
        (start.y + end.y) / 2 - 2 * route.bend * (end.x - start.x) / length,
    )
    first, last = _border(start, control), _border(end, control)
    line = (
        f'<path data-from="{source.name}" data-to="{target.name}" data-events="{" ".join(events)}" '
        f'd="M{first.x:.0f} {first.y:.0f}Q{control.x:.0f} {control.y:.0f} {last.x:.0f} {last.y:.0f}" '
        'fill="none" stroke="currentColor" stroke-width="1.5" marker-end="url(#tip)"/>'
    )
    place = _on_curve(first, control, last, route.along)
    text = (
        f'<text x="{place.x:.0f}" y="{place.y + 4:.0f}" text-anchor="middle" font-size="13" '
        'fill="currentColor" stroke="var(--md-default-bg-color, white)" stroke-width="6" '
        f'paint-order="stroke">{", ".join(events)}</text>'
    )
    return line, text


def _on_curve(first: Point, control: Point, last: Point, along: float) -> Point:
    """A place on a quadratic curve."""
    back = 1 - along
    return Point(
        back * back * first.x + 2 * back * along * control.x + along * along * last.x,
        back * back * first.y + 2 * back * along * control.y + along * along * last.y,
    )


def _border(center: Point, towards: Point) -> Point:
    """Where a line from the middle of a box leaves it."""
    x, y = towards.x - center.x, towards.y - center.y
    scale = min(
        (BOX.x / 2 + 4) / abs(x) if x else math.inf,
        (BOX.y / 2 + 4) / abs(y) if y else math.inf,
    )
    return Point(center.x + x * scale, center.y + y * scale)
