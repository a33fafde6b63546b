"""The program `kahi`: how a command line is run, and how it ends.

A command that is asked every few seconds may be answered without the command-line library, which
takes longer to import than such a command takes altogether: the entry-point group ``kahi.quick``
names functions that get the arguments behind the command, and return its exit code, or None for a
command line that they leave to the command itself.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

from kahi.cli.builtin import CORE
from kahi.cli.exitcodes import FAILED, INTERRUPTED, NOBODY_READS
from kahi.cli.terminal import complain
from kahi.entrypoints import entry_points
from kahi.error import KahiError

QUICK_GROUP = "kahi.quick"

COMPLETE_VARIABLE = "_KAHI_COMPLETE"
"""Set by the completion scripts to the name of the shell that asks."""


def main() -> None:
    """Run `kahi`; ends the process with the command's exit code."""
    run_program(_run)


def run_program(run: Callable[[list[str]], int]) -> None:
    """End the process with the exit code of what runs the command line; errors become one line.

    Args:
        run: gets the arguments. A plugin's own program is one more command line:
            ``lambda arguments: kahi.cli.entry.run(arguments, command, "its-name")``.
    """
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names may hold characters that the terminal's encoding lacks.
            stream.reconfigure(errors="backslashreplace")
    code: str | int | None
    try:
        code = guarded(lambda: run(sys.argv[1:]))
    except SystemExit as ending:
        code = ending.code
    sys.exit(_flushed(code))


def _open_closed_streams() -> None:
    """Put /dev/null where a standard stream is closed.

    Otherwise the next connection gets its number, and messages for stderr go to stdout.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - it stays open


def guarded(work: Callable[[], int]) -> int:
    """Do ``work``, which returns an exit code; its error, if there is one, is printed as one line."""
    try:
        return work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _write_no_more()
        return NOBODY_READS
    except (KahiError, OSError) as error:
        if os.environ.get("KAHI_DEBUG") == "1":
            raise
        _drop_what_cannot_be_written()
        if isinstance(error, KahiError) and error.is_report:
            print(error, file=sys.stderr)  # noqa: T201
        else:
            complain(str(error) if isinstance(error, KahiError) else _reason(error))
        return FAILED


def _flushed(code: str | int | None) -> str | int | None:
    """The exit code, once everything is written; another one when that fails."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
        return NOBODY_READS
    except OSError as error:
        _write_no_more()
        complain(f"cannot write: {_reason(error)}")
        return FAILED
    return code


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _run(arguments: list[str]) -> int:
    shell = os.environ.get(COMPLETE_VARIABLE)
    if shell:
        from kahi.cli.completion import complete
        from kahi.cli.entry import commands

        return complete(commands, shell, arguments)
    if arguments and arguments[0] not in CORE:
        code = _quick(arguments[0], arguments[1:])
        if code is not None:
            return code
    from kahi.cli.entry import run

    return run(arguments)


def _quick(name: str, arguments: list[str]) -> int | None:
    for entry in entry_points(QUICK_GROUP):
        if entry.name == name:
            try:
                answer = entry.load()
            except ImportError:
                # The command itself will say so.
                return None
            return answer(arguments)
    return None


def _drop_what_cannot_be_written() -> None:
    """Python keeps what it failed to write, and would fail again before it says why."""
    try:
        sys.stdout.flush()
    except OSError:
        _write_no_more()


def _write_no_more() -> None:
    """Have nothing more written to stdout, not even what waits in Python's buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
