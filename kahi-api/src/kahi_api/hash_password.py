"""`kahi hash-password`: what goes into the configuration in place of a password."""

from __future__ import annotations

import sys
from typing import Final

import click

from kahi.errors import KahiError

MAX_BYTES: Final = 72
"""bcrypt ignores what comes after."""

PBKDF2_ROUNDS: Final = 600_000
SALT_BYTES: Final = 16


@click.command("hash-password")
@click.option(
    "--algorithm",
    type=click.Choice(["bcrypt", "pbkdf2"]),
    default="bcrypt",
    show_default=True,
    help="How to hash; pbkdf2 has no limit of 72 bytes.",
)
@click.option(
    "--rounds", type=click.IntRange(4, 16), default=12, show_default=True, help="bcrypt's cost, a power of 2."
)
def hash_password(algorithm: str, rounds: int) -> None:
    """Read a password (from the terminal without echo, or from stdin) and print its hash."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    secret = password.encode("utf-8", "surrogateescape")
    if not secret:
        raise KahiError("the password is empty")
    click.echo(bcrypt_hash(secret, rounds) if algorithm == "bcrypt" else pbkdf2_hash(secret))


def bcrypt_hash(secret: bytes, rounds: int) -> str:
    """The bcrypt hash of a password.

    Raises:
        KahiError: it is longer than bcrypt looks at, or holds a byte at which bcrypt would stop.
    """
    import bcrypt

    if len(secret) > MAX_BYTES:
        raise KahiError(
            f"the password is longer than {MAX_BYTES} bytes, which bcrypt would cut off"
            " (--algorithm pbkdf2 takes any)"
        )
    if b"\0" in secret:
        raise KahiError("the password holds a null byte")
    return bcrypt.hashpw(secret, bcrypt.gensalt(rounds)).decode()


def pbkdf2_hash(secret: bytes) -> str:
    """``$pbkdf2-sha256$ROUNDS$SALT$HASH``, in the base64 that such hashes have: ``.`` for ``+``, no ``=``."""
    import hashlib
    import os

    salt = os.urandom(SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha256", secret, salt, PBKDF2_ROUNDS)
    return f"$pbkdf2-sha256${PBKDF2_ROUNDS}${_base64(salt)}${_base64(digest)}"


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode().rstrip("=").replace("+", ".")
