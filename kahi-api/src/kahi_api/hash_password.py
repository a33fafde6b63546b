"""`kahi hash-password`: what goes into the configuration in place of a password."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kahi.errors import KahiError

if TYPE_CHECKING:
    from kahi.hookspecs import PasswordHasher


@click.command("hash-password")
@click.option(
    "--algorithm", metavar="NAME", help="How to hash: bcrypt (the default), pbkdf2 (takes any length)."
)
@click.option(
    "--rounds", type=click.IntRange(4, 16), default=12, show_default=True, help="bcrypt's cost, a power of 2."
)
def hash_password(algorithm: str | None, rounds: int) -> None:
    """Print the hash of a password. It is read from the terminal without echo, or from stdin."""
    hasher = _hasher(algorithm, rounds)
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    secret = password.encode("utf-8", "surrogateescape")
    if not secret:
        raise KahiError("the password is empty")
    try:
        click.echo(hasher.hash(secret))
    except ValueError as error:
        raise KahiError(str(error)) from None


def _hasher(algorithm: str | None, rounds: int) -> PasswordHasher:
    """The hasher that is asked for, or the one that has precedence."""
    from kahi_api.hashers import Bcrypt

    hashers = _hashers_of_plugins()
    named = {hasher.name: hasher for hasher in hashers}
    if algorithm is not None and algorithm not in named:
        raise click.BadParameter(
            f"there is no {algorithm!r} (allowed: {', '.join(sorted(named))})", param_hint="--algorithm"
        )
    hasher = hashers[-1] if algorithm is None else named[algorithm]
    return Bcrypt(rounds) if isinstance(hasher, Bcrypt) else hasher


def _hashers_of_plugins() -> Sequence[PasswordHasher]:
    from kahi.plugins import PluginManager

    plugins = PluginManager()
    plugins.discover()
    return plugins.password_hashers(None)
