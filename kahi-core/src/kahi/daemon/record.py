"""The children on record, for whoever comes after a daemon that died."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator

from kahi.guardian import Guardian
from kahi.ledger import Ledger, open_ledger
from kahi.survivors import end_survivors
from kahi.system import System

log = logging.getLogger(__name__)


@contextlib.contextmanager
def children_on_record(config: str, system: System, guardian: Guardian) -> Generator[Ledger]:
    """The ledger of a daemon, with a guardian that reads it should the daemon die.

    What is left of an earlier daemon with the same configuration is ended before, which may take
    seconds: nothing ever runs twice.

    Args:
        config: the path of the configuration.
        guardian: ends the children with the daemon, unless it was dismissed.
    """
    ledger, noted = open_ledger(config, system)
    end_survivors(system, noted)
    guardian.guard(ledger)
    if guardian.absence:
        reason = guardian.absence
        log.error("there is no guardian: %s; should this daemon die, its programs go on", reason)
    try:
        yield ledger
    finally:
        guardian.dismiss()
        ledger.close()
