"""Command lines in the documents: whether they are understood, without running them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator

import click

from kahi.cli.entry import commands
from tests.support import ROOT

ELSEWHERE = {
    "docker": "there is none where tests run; what its files say is checked by itself",
    "systemctl": "needs systemd as PID 1",
    "journalctl": "needs systemd as PID 1",
    "pip": "the test of the distributions installs everything",
}
"""Programs whose command lines are not run, and why."""

ORDINARY = frozenset(
    {".", "break", "cd", "cp", "curl", "done", "echo", "eval", "export", "for", "kahi-fips", "kill", "ls"}
    | {"mkdir", "mv", "python3", "rm", "sed", "sleep", "touch", "useradd"}
)
"""Programs of a shell and of every system, whose options nobody checks here."""

_ASSIGNMENT = re.compile(r"^\w+=")
_INNER = re.compile(r"\$\(([^()]*)\)")
_SEPARATORS = frozenset({";", "|", "||", "&&", "&"})


def check(text: str) -> None:
    """Fail when a shell, or `kahi`, would not understand a piece of shell."""
    done = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for words in simple_commands(text):
        _check_command(words)


def simple_commands(text: str) -> Iterator[list[str]]:
    """The commands of a piece of shell, each as its words, those inside of ``$(...)`` too."""
    for line in text.replace("\\\n", " ").splitlines():
        for inner in _INNER.findall(line):
            yield from simple_commands(inner)
        lexer = shlex.shlex(_INNER.sub("INNER", line), posix=True, punctuation_chars=";|&")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _SEPARATORS:
                words.append(word)
            elif words:
                yield from _without_keywords(words)
                words = []


def understood(words: list[str]) -> click.Context:
    """The context of a command of `kahi`; fails when it does not understand its arguments."""
    context = click.Context(commands, info_name="kahi")
    rest = words[1:]
    while isinstance(context.command, click.Group):
        _, command, rest = context.command.resolve_command(context, rest)
        assert command is not None, words
        context = command.make_context(command.name, rest, parent=context)
        rest = [*context._protected_args, *context.args]
        if not rest:
            break
    return context


def _without_keywords(words: list[str]) -> Iterator[list[str]]:
    while words and (words[0] in ("do", "then") or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    if words:
        yield _without_redirection(words)


def _without_redirection(words: list[str]) -> list[str]:
    for number, word in enumerate(words):
        if word in (">", ">>", "<"):
            return words[:number]
    return words


def _check_command(words: list[str]) -> None:
    name = words[0].rpartition("/")[2]
    if name == "kahi":
        understood([name, *words[1:]])
    elif name == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(words[1:]) <= set(targets), words
    elif name == "docker" and words[1] == "exec" and "kahi" in words:
        understood(words[words.index("kahi") :])
    else:
        assert name in {*ELSEWHERE, *ORDINARY}, f"{name}: a program that nobody has thought of"
    for word in words:
        if word.startswith(("./", "packaging/")):
            assert (ROOT / word).exists(), f"{word} is not in the repository"
