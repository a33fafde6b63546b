"""Putting off the collection of garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Generator[None]:
    """Collect no garbage meanwhile: that stops all threads, the event loop's too, for up to 50 ms.

    The many objects of a scrape would make it due, and there is no garbage among them: they are freed as
    soon as nobody needs them.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
