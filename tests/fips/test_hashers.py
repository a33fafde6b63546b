"""What FIPS mode takes for a hash of a password."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kahi_fips import hashers
from kahi_fips.hashers import FipsPbkdf2, NoBcrypt
from kahi_fips.provider import KNOWN_ANSWER


@settings(max_examples=5, deadline=None)
@given(st.binary(min_size=1, max_size=200).filter(lambda secret: b"\0" not in secret))
def test_a_password_of_any_length_matches_its_hash_and_no_other(secret: bytes) -> None:
    hasher = FipsPbkdf2()
    hashed = hasher.hash(secret)
    hasher.check(hashed)
    assert hashed.startswith("$pbkdf2-sha512$210000$")
    assert hasher.verify(secret, hashed)
    assert not hasher.verify(secret + b"x", hashed)


def test_hashes_of_the_api_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from kahi_api.hashers import Pbkdf2

    hashed = Pbkdf2().hash(b"secret")
    FipsPbkdf2().check(hashed)
    assert FipsPbkdf2().verify(b"secret", hashed)


@pytest.mark.parametrize(
    ("hashed", "reason"),
    [
        ("$pbkdf2-sha512$210000$AAAA$AAAA", "salt of 3 bytes"),
        (f"$pbkdf2-sha512$999${'A' * 22}${'A' * 86}", "999 rounds"),
        (f"$pbkdf2-sha512$999999999${'A' * 22}${'A' * 86}", "999999999 rounds"),
        (f"$pbkdf2-sha512$210000${'A' * 22}${'A' * 43}", "cut off"),
        (f"$pbkdf2-sha1$210000${'A' * 22}${'A' * 27}", "cut off"),
        ("$pbkdf2-sha512$210000$A$A", "cut off"),
    ],
)
def test_what_is_weaker_than_approved_is_refused(hashed: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FipsPbkdf2().check(hashed)


def test_bcrypt_is_out_of_the_question() -> None:
    with pytest.raises(ValueError, match="not FIPS-approved"):
        NoBcrypt().check("$2b$12$" + "a" * 53)
    with pytest.raises(ValueError, match="not FIPS-approved"):
        NoBcrypt().hash(b"secret")
    assert not NoBcrypt().verify(b"secret", "$2b$12$" + "a" * 53)
    with pytest.raises(ValueError, match="null byte"):
        FipsPbkdf2().hash(b"a\0b")


def test_the_known_answer_is_right() -> None:
    assert hashlib.sha256(b"abc").hexdigest() == KNOWN_ANSWER
    assert hashers.SALT_BYTES >= 16
