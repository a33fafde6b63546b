"""What is logged before there is a log."""

from __future__ import annotations

import logging


class EarlyLog(logging.Handler):
    """Keeps the records of the root logger until somebody takes them."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[logging.LogRecord] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self._records.append(record)

    def hand_over(self) -> None:
        """Give everything to the log that there is now, and keep nothing more."""
        root = logging.getLogger()
        root.removeHandler(self)
        for record in self._records:
            root.handle(record)
        self._records.clear()

    def tell(self) -> None:
        """Write everything to stderr: there will be no log."""
        logging.getLogger().removeHandler(self)
        for record in self._records:
            if logging.lastResort is not None:
                logging.lastResort.handle(record)
        self._records.clear()
