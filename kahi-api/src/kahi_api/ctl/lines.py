"""Reading lines at a prompt, with history and completion.

prompt_toolkit does it where it is installed (the extra ``kahi-api[shell]``), otherwise Python's own
readline.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from kahi.cli.completion import split_line
from kahi.cli.terminal import complain

HISTORY_LENGTH: Final = 1000

ReadLine = Callable[[], str]
"""Reads a line; raises EOFError at the end and KeyboardInterrupt at Ctrl-C."""

Complete = Callable[[str], list[tuple[str, str]]]
"""What the last word of a line may become, with descriptions."""


def history_file() -> Path:
    """Where the lines of earlier sessions are."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "kahi" / "history"


def line_reader(prompt: str, complete: Complete) -> ReadLine:
    """What reads the lines of a shell: prompt_toolkit, or readline, or nothing but the terminal."""
    history = history_file()
    try:
        history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(history, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        complain(f"no history: cannot write {history}: {error.strerror}")
        history = Path(os.devnull)
    try:
        return _prompt_toolkit(prompt, complete, history)
    except ImportError:
        return _readline(prompt, complete, history)


def _prompt_toolkit(prompt: str, complete: Complete, history: Path) -> ReadLine:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import FileHistory

    class Commands(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
            line = document.text_before_cursor
            begun = len(split_line(line)[-1])
            for value, text in complete(line):
                yield Completion(value, start_position=-begun, display_meta=text)

    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)), completer=Commands(), complete_while_typing=False
    )
    return lambda: session.prompt(prompt)


def _readline(prompt: str, complete: Complete, history: Path) -> ReadLine:
    try:
        import readline
    except ImportError:
        return lambda: input(prompt)

    found: list[str] = []

    def candidate(text: str, state: int) -> str | None:
        if state == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            found[:] = [value for value, _ in complete(line)]
        return f"{found[state]} " if state < len(found) else None

    readline.set_completer(candidate)
    # Names of groups and patterns are one word.
    readline.set_completer_delims(" \t\n")
    is_editline = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_editline else "tab: complete")
    if history != Path(os.devnull):
        readline.set_history_length(HISTORY_LENGTH)
        try:
            readline.read_history_file(history)
        except OSError:
            # An empty one, for libedit; or one of another library.
            readline.clear_history()
    return lambda: _read_and_remember(prompt, history)


def _read_and_remember(prompt: str, history: Path) -> str:
    import readline

    line = input(prompt)
    if line.strip() and history != Path(os.devnull):
        try:
            readline.append_history_file(1, history)
        except (OSError, AttributeError):
            # libedit does not append.
            readline.write_history_file(history)
    return line
