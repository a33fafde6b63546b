"""The ways of hashing passwords that the API brings: bcrypt and PBKDF2."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kahi.hookspecs import PasswordHasher

_BCRYPT: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_PBKDF2: Final = re.compile(r"\$pbkdf2-sha256\$(\d{1,9})\$([./A-Za-z0-9]+)\$([./A-Za-z0-9]{43})")


class Bcrypt:
    """bcrypt; passwords have at most 72 bytes.

    Args:
        rounds: cost of new hashes, as a power of 2.
    """

    name: str = "bcrypt"
    schemes: tuple[str, ...] = ("2a", "2b", "2y")
    longest: Final = 72
    costs: Final = range(4, 17)

    def __init__(self, rounds: int = 12) -> None:
        self._rounds = rounds

    def check(self, hashed: str) -> None:
        """Raises ValueError when it is malformed, or takes seconds to check."""
        found = _BCRYPT.fullmatch(hashed)
        if found is None:
            raise ValueError("is no bcrypt hash: it is cut off, or was changed")
        if int(found[1]) not in self.costs:
            raise ValueError(f"has the cost {int(found[1])} (allowed: 4 to {self.costs[-1]})")

    def verify(self, secret: bytes, hashed: str) -> bool:
        """Whether the hash is that of the password; none that bcrypt would not look at whole is."""
        import bcrypt

        matches = bcrypt.checkpw(secret[: self.longest], hashed.encode())
        return matches and len(secret) <= self.longest and b"\0" not in secret

    def hash(self, secret: bytes) -> str:
        """The hash of a password. Raises ValueError when bcrypt would not look at all of it."""
        import bcrypt

        if len(secret) > self.longest:
            raise ValueError(
                f"the password is longer than {self.longest} bytes, which bcrypt would cut off"
                " (--algorithm pbkdf2 takes any)"
            )
        _refuse_null(secret)
        return bcrypt.hashpw(secret, bcrypt.gensalt(self._rounds)).decode()


class Pbkdf2:
    """PBKDF2 with HMAC-SHA-256, written as passlib does: ``$pbkdf2-sha256$ROUNDS$SALT$HASH``."""

    name: str = "pbkdf2"
    schemes: tuple[str, ...] = ("pbkdf2-sha256",)
    rounds: Final = 600_000
    salt_bytes: Final = 16
    allowed: Final = range(1000, 10_000_001)

    def check(self, hashed: str) -> None:
        """Raises ValueError when it is malformed, or takes seconds to check."""
        rounds, salt, _ = _pbkdf2_parts(hashed)
        if rounds not in self.allowed:
            raise ValueError(f"has {rounds} rounds (allowed: {self.allowed[0]} to {self.allowed[-1]})")
        if len(salt) < 8:
            raise ValueError("has a salt of less than 8 bytes")

    def verify(self, secret: bytes, hashed: str) -> bool:
        """Whether the hash is that of the password."""
        rounds, salt, digest = _pbkdf2_parts(hashed)
        matches = hmac.compare_digest(hashlib.pbkdf2_hmac("sha256", secret, salt, rounds), digest)
        return matches and b"\0" not in secret

    def hash(self, secret: bytes) -> str:
        """The hash of a password of any length. Raises ValueError for one with a null byte."""
        _refuse_null(secret)
        salt = os.urandom(self.salt_bytes)
        digest = hashlib.pbkdf2_hmac("sha256", secret, salt, self.rounds)
        return f"$pbkdf2-sha256${self.rounds}${_to_base64(salt)}${_to_base64(digest)}"


def by_scheme(hashers: Iterable[PasswordHasher]) -> Mapping[str, PasswordHasher]:
    """Who deals with the hashes of each scheme; later ones take precedence."""
    return {scheme: hasher for hasher in hashers for scheme in hasher.schemes}


def hasher_for(hashed: str, hashers: Iterable[PasswordHasher]) -> PasswordHasher:
    """Who deals with a hash, after checking it.

    Raises:
        ValueError: why nobody can.
    """
    known = by_scheme(hashers)
    scheme = hashed.split("$")[1] if hashed.startswith("$") else ""
    if scheme not in known:
        raise ValueError(f"is no hash of a known kind (known: {', '.join(sorted(known))})")
    known[scheme].check(hashed)
    return known[scheme]


def _refuse_null(secret: bytes) -> None:
    """HMAC fills up short keys with null bytes, and bcrypt ends there: "x" would be like "x\\0"."""
    if b"\0" in secret:
        raise ValueError("the password holds a null byte")


def _pbkdf2_parts(hashed: str) -> tuple[int, bytes, bytes]:
    found = _PBKDF2.fullmatch(hashed)
    if found is not None:
        try:
            return int(found[1]), _from_base64(found[2]), _from_base64(found[3])
        except binascii.Error:
            pass
    raise ValueError("is no pbkdf2-sha256 hash: it is cut off, or was changed")


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=").replace("+", ".")


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)
