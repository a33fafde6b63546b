"""Passwords in FIPS mode: PBKDF2 through OpenSSL, and nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import ssl
from collections.abc import Mapping
from typing import Final, NoReturn

_HASH: Final = re.compile(
    r"\$pbkdf2-(?P<digest>sha256|sha512)\$(?P<rounds>\d{1,9})\$(?P<salt>[./A-Za-z0-9]+)\$(?P<hash>[./A-Za-z0-9]+)"
)
ROUNDS: Final = 210_000
"""Of new hashes, with SHA-512 (OWASP, Password Storage Cheat Sheet)."""

SALT_BYTES: Final = 16
"""The least that SP 800-132 allows. OpenSSL would not refuse less when Python asks it."""

ALLOWED_ROUNDS: Final = range(1000, 10_000_001)
LENGTHS: Final[Mapping[str, int]] = {"sha256": 32, "sha512": 64}


class FipsPbkdf2:
    """PBKDF2 with HMAC-SHA-512 (and -256, for hashes that are there), by the FIPS provider.

    Written as passlib does: ``$pbkdf2-sha512$ROUNDS$SALT$HASH``.
    """

    name: str = "pbkdf2"
    schemes: tuple[str, ...] = ("pbkdf2-sha512", "pbkdf2-sha256")

    def check(self, hashed: str) -> None:
        """Raises ValueError when it is malformed, or weaker than what is approved."""
        digest, rounds, salt, key = _parts(hashed)
        if rounds not in ALLOWED_ROUNDS:
            raise ValueError(f"has {rounds} rounds (allowed: {ALLOWED_ROUNDS[0]} to {ALLOWED_ROUNDS[-1]})")
        if len(salt) < SALT_BYTES:
            raise ValueError(f"has a salt of {len(salt)} bytes (at least {SALT_BYTES} in FIPS mode)")
        if len(key) != LENGTHS[digest]:
            raise ValueError(f"is no pbkdf2-{digest} hash: it is cut off, or was changed")

    def verify(self, secret: bytes, hashed: str) -> bool:
        """Whether the hash is that of the password."""
        digest, rounds, salt, key = _parts(hashed)
        return (
            hmac.compare_digest(hashlib.pbkdf2_hmac(digest, secret, salt, rounds), key)
            and b"\0" not in secret
        )

    def hash(self, secret: bytes) -> str:
        """The hash of a password of any length. Raises ValueError for one with a null byte."""
        if b"\0" in secret:
            raise ValueError("the password holds a null byte")
        salt = ssl.RAND_bytes(SALT_BYTES)
        digest = hashlib.pbkdf2_hmac("sha512", secret, salt, ROUNDS)
        return f"$pbkdf2-sha512${ROUNDS}${_to_base64(salt)}${_to_base64(digest)}"


class NoBcrypt:
    """Stands where bcrypt was: none of its hashes is accepted."""

    name: str = "bcrypt"
    schemes: tuple[str, ...] = ("2a", "2b", "2y")

    def check(self, hashed: str) -> NoReturn:
        """Raises ValueError: it never can be used."""
        raise ValueError(
            "is a bcrypt hash, which is not FIPS-approved (make one with kahi-fips hash-password)"
        )

    def verify(self, secret: bytes, hashed: str) -> bool:
        """No hash is that of any password."""
        return False

    def hash(self, secret: bytes) -> NoReturn:
        """Raises ValueError: none is made."""
        raise ValueError("bcrypt is not FIPS-approved (leave --algorithm away)")


def _parts(hashed: str) -> tuple[str, int, bytes, bytes]:
    found = _HASH.fullmatch(hashed)
    if found is not None:
        try:
            return (
                found["digest"],
                int(found["rounds"]),
                _from_base64(found["salt"]),
                _from_base64(found["hash"]),
            )
        except binascii.Error:
            pass
    raise ValueError("is no pbkdf2 hash: it is cut off, or was changed")


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=").replace("+", ".")


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)
