"""The three standard descriptors."""

from __future__ import annotations

import os

from kahi.error import KahiError


def ensure_standard_descriptors() -> None:
    """Open /dev/null for standard descriptors that are closed, so that nothing else gets their numbers.

    Raises:
        KahiError: not even /dev/null can be opened.
    """
    try:
        while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(fd, True)
    except OSError as error:
        raise KahiError(f"cannot open {os.devnull}: {os.strerror(error.errno or 0)}") from None
    os.close(fd)
