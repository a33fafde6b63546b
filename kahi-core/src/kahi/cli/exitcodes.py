"""What the exit codes of `kahi` and its commands mean; scripts rely on them."""

from __future__ import annotations

from collections.abc import Mapping

FINE = 0
FAILED = 1
WRONG_USAGE = 2
NOT_RUNNING = 3
UNKNOWN_NAME = 4
INTERRUPTED = 130
NOBODY_READS = 141

MEANINGS: Mapping[int, str] = {
    FINE: "Done. A process that is to be stopped, started or restarted is where it should be.",
    FAILED: "Failed: a mistake in the configuration, a daemon that does not answer, an operation that "
    "was refused or did not work for one of the processes, or a probe that is not met.",
    WRONG_USAGE: "Wrong usage: an unknown command or option, or an argument that is missing.",
    NOT_RUNNING: "`kahi ctl status`: a process that is shown is not RUNNING. A one-shot that ended as "
    "expected is fine.",
    UNKNOWN_NAME: "`kahi ctl status`: a name that nothing is called.",
    INTERRUPTED: "Ended by Ctrl-C, as a shell counts SIGINT.",
    NOBODY_READS: "Who read the output has gone, as a shell counts SIGPIPE.",
}
