"""What the exit codes of the programs mean, from the table that they are made of."""

from __future__ import annotations

from typing import Final

from docs.generate.markdown import code, table
from kahi.cli.exitcodes import MEANINGS

HEAD: Final = """\
# Exit codes

Generated from the table that the commands end by. Errors are one line on stderr, without a traceback unless
`KAHI_DEBUG=1` is set.
"""

DAEMON: Final = """\
`kahi daemon` ends with 0 once everything went down, however it was told to. When it ends by itself, because
of `critical` or [`exit_when`](configuration.md#supervisor), it ends as the process that decided: with its
exit code, with 128 and the number of the signal that killed it, or with 1 where it never ran. In a
container that is what `docker run` reports.
"""


def page() -> str:
    """The page."""
    rows = ((code(str(number)), meaning) for number, meaning in sorted(MEANINGS.items()))
    return "\n".join([HEAD, *table(("code", "meaning"), rows), DAEMON])
