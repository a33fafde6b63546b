"""`kahi hash-password`: what goes into the configuration in place of a password."""

from __future__ import annotations

import sys

import click

from kahi.errors import KahiError

MAX_BYTES = 72
"""bcrypt ignores what comes after."""


@click.command("hash-password")
@click.option(
    "--rounds", type=click.IntRange(4, 16), default=12, show_default=True, help="Cost, as a power of 2."
)
def hash_password(rounds: int) -> None:
    """Read a password (from the terminal without echo, or from stdin) and print its hash."""
    import bcrypt

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    secret = password.encode()
    if not secret:
        raise KahiError("the password is empty")
    if len(secret) > MAX_BYTES:
        raise KahiError(f"the password is longer than {MAX_BYTES} bytes, which bcrypt would cut off")
    click.echo(bcrypt.hashpw(secret, bcrypt.gensalt(rounds)).decode())
