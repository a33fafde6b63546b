"""What happens in a chaos run, drawn from a seed: nothing here looks at the daemon."""

from __future__ import annotations

import enum
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.chaos.shape import BROKEN, GROUPS, LISTENERS, MOST_STEADY, Shape

BETWEEN_PEACE = 70
"""Actions from one `Kind.PEACE` to the next."""

LONGEST_PAUSE = 0.25


class Kind(enum.Enum):
    """What is done."""

    SIGNAL_CHILD = "send a signal to a process behind the daemon's back"
    SIGNAL_DAEMON = "send a signal to the daemon that it ignores, or that opens logs anew"
    OPERATE = "start, stop or restart a process"
    OPERATE_GROUP = "start, stop or restart a group"
    EDIT = "change the configuration and have it taken over"
    BREAK = "make the configuration one that is refused, and ask for a reload"
    HANG_UP = "ask for many reloads at once"
    FLOOD = "have a program print as fast as it can"
    FILL_DISK = "leave no room on the small disk"
    FREE_DISK = "make room on the small disk"
    STALL = "open a stream and do not read it"
    RELEASE = "read what a stalled stream has to say"
    CUT = "cut the readers of events and logs off; they go on behind what they know"
    CONTROL = "run kahi ctl"
    FEED = "write to the standard input of a program"
    BROWSE = "ask over TCP, with a password"
    NONSENSE = "send to the socket what is no request"
    PEACE = "let everything come to rest, and look at all invariants"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that is done.

    Args:
        target: the name of a process or a group, a word.
        word: what is done to it.
        number: of what, or how much.
        shape: what the configuration is from then on.
        pause: seconds until the next action.
    """

    kind: Kind
    target: str = ""
    word: str = ""
    number: int = 0
    shape: Shape = Shape()
    pause: float = 0.0

    def __str__(self) -> str:
        words = (self.kind.name.lower(), self.target, self.word, str(self.number or ""))
        shape = f" {self.shape}" if self.kind is Kind.EDIT else ""
        return " ".join(filter(None, words)) + shape


Draw = Callable[[random.Random, Shape], Action]

DEADLY = (signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP, signal.SIGSTOP, signal.SIGCONT, signal.SIGSEGV)
IGNORED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH)
OPERATIONS = ("start", "stop", "restart")
RELOADS = ("signal", "update", "ctl")
CONTROLS = (
    "status",
    "tail shown",
    "ready",
    "events",
    "pid all",
    "reread",
    "restart brief",
    "signal USR1 left",
    "remove pair",
    "add pair",
    "remove steady",
    "add steady",
)
STREAMS = (
    "/api/v1/events/stream",
    "/api/v1/processes/shown/log/stdout/stream",
    "/api/v1/processes/stubborn/log/stdout/stream",
    "/api/v1/processes/steady_0/log/stdout/stream",
    "/api/v1/processes/stubborn/attach",
    "/api/v1/log/stream",
    "/live",
)
PAGES = ("/", "/metrics", "/api/v1/processes", "/healthz", "/config", "/api/v1/openapi.json")


def actions(seed: int) -> Iterator[Action]:
    """The endless sequence of a seed."""
    dice = random.Random(seed)
    draws, weights = list(_DRAWS), list(_DRAWS.values())
    shape = Shape()
    while True:
        for _ in range(BETWEEN_PEACE):
            action = dice.choices(draws, weights)[0](dice, shape)
            shape = action.shape
            yield replace(action, pause=dice.random() * LONGEST_PAUSE)
        shape = Shape(version=shape.version + 1)
        yield Action(Kind.PEACE, shape=shape)


def _anybody(dice: random.Random, shape: Shape) -> str:
    return dice.choice((*shape.processes, *LISTENERS))


def _signal_child(dice: random.Random, shape: Shape) -> Action:
    return Action(Kind.SIGNAL_CHILD, _anybody(dice, shape), number=dice.choice(DEADLY), shape=shape)


def _signal_daemon(dice: random.Random, shape: Shape) -> Action:
    return Action(Kind.SIGNAL_DAEMON, number=dice.choice(IGNORED), shape=shape)


def _operate(dice: random.Random, shape: Shape) -> Action:
    return Action(Kind.OPERATE, _anybody(dice, shape), dice.choice(OPERATIONS), shape=shape)


def _operate_group(dice: random.Random, shape: Shape) -> Action:
    return Action(Kind.OPERATE_GROUP, dice.choice(GROUPS), dice.choice(OPERATIONS), shape=shape)


def _edit(dice: random.Random, shape: Shape) -> Action:
    other = dice.choice(
        (
            replace(shape, steady=dice.randint(1, MOST_STEADY)),
            replace(shape, version=shape.version + 1),
            replace(shape, priority=dice.randint(0, 999)),
            replace(shape, extra=not shape.extra),
            replace(shape, apart=not shape.apart),
        )
    )
    return Action(Kind.EDIT, word=dice.choice(RELOADS), shape=other)


def _break(dice: random.Random, shape: Shape) -> Action:
    return Action(Kind.BREAK, word=dice.choice(RELOADS), number=dice.randrange(len(BROKEN)), shape=shape)


def _stall(dice: random.Random, shape: Shape) -> Action:
    return Action(Kind.STALL, dice.choice(STREAMS), shape=shape)


def _feed(dice: random.Random, shape: Shape) -> Action:
    return Action(Kind.FEED, _anybody(dice, shape), number=dice.choice((1, 1000, 60_000)), shape=shape)


def _with_number(kind: Kind, limit: int) -> Draw:
    return lambda dice, shape: Action(kind, number=dice.randrange(limit), shape=shape)


def _with_word(kind: Kind, words: tuple[str, ...]) -> Draw:
    return lambda dice, shape: Action(kind, word=dice.choice(words), shape=shape)


_DRAWS: dict[Draw, int] = {
    _signal_child: 20,
    _signal_daemon: 3,
    _operate: 15,
    _operate_group: 5,
    _edit: 9,
    _break: 4,
    _with_number(Kind.HANG_UP, 20): 2,
    lambda dice, shape: Action(Kind.FLOOD, dice.choice(shape.running), shape=shape): 8,
    _with_number(Kind.FILL_DISK, 1): 3,
    _with_number(Kind.FREE_DISK, 1): 3,
    _stall: 4,
    _with_number(Kind.RELEASE, 1): 3,
    _with_number(Kind.CUT, 1): 3,
    _with_word(Kind.CONTROL, CONTROLS): 3,
    _feed: 5,
    _with_word(Kind.BROWSE, PAGES): 4,
    _with_number(Kind.NONSENSE, 1000): 3,
}
"""How to draw an action, and how often."""
