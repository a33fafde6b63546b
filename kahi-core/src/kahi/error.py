"""The base of all errors, by itself: importing it costs nothing."""

from __future__ import annotations


class KahiError(Exception):
    """Base of all errors that are reported as one line, without a traceback."""

    is_report = False
    """The text is a list of problems, each on a line of its own, and needs no name before it."""
