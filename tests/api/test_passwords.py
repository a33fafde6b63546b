"""Passwords: hashes of every kind, and slowing down who guesses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kahi.hookspecs import PasswordHasher
from kahi_api.errors import TooManyAttempts
from kahi_api.hashers import Bcrypt, Pbkdf2, hasher_for
from kahi_api.throttle import FAILURES, PERIOD, Throttle

CHEAP = Bcrypt(rounds=4)
HASHERS = (Pbkdf2(), Bcrypt())
FIXED = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
"""The hash of "secret"."""
PASSLIB = "$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44"
"""The hash of "password" in passlib's documentation."""


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=1, max_size=72).filter(lambda secret: b"\0" not in secret), st.binary(max_size=80))
def test_bcrypt_knows_its_own(secret: bytes, other: bytes) -> None:
    hashed = CHEAP.hash(secret)
    assert hasher_for(hashed, HASHERS).name == "bcrypt"
    assert CHEAP.verify(secret, hashed)
    assert CHEAP.verify(other, hashed) == (other == secret)


def test_pbkdf2_knows_its_own_of_any_length() -> None:
    secret = "ß".encode() * 100
    hashed = Pbkdf2().hash(secret)
    assert hasher_for(hashed, HASHERS).name == "pbkdf2"
    assert Pbkdf2().verify(secret, hashed)
    assert not Pbkdf2().verify(secret[:-1], hashed)
    assert Pbkdf2().hash(secret) != hashed


def test_hashes_of_others() -> None:
    hasher = hasher_for(PASSLIB, HASHERS)
    assert hasher.verify(b"password", PASSLIB)
    assert not hasher.verify(b"Password", PASSLIB)
    old = FIXED.replace("$2b$", "$2y$")
    assert hasher_for(old, HASHERS).verify(b"secret", old)


@pytest.mark.fault("A13")
def test_bcrypt_does_not_cut_off_passwords() -> None:
    with pytest.raises(ValueError, match="longer than 72 bytes"):
        CHEAP.hash(b"x" * 73)
    hashed = CHEAP.hash(b"x" * 72)
    assert not CHEAP.verify(b"x" * 73, hashed)


@pytest.mark.fault("A13")
@pytest.mark.parametrize("hasher", [CHEAP, Pbkdf2()])
def test_null_bytes_do_not_make_passwords_alike(hasher: PasswordHasher) -> None:
    with pytest.raises(ValueError, match="null byte"):
        hasher.hash(b"a\0")
    assert not hasher.verify(b"a\0", hasher.hash(b"a"))


@pytest.mark.fault("A14")
@pytest.mark.parametrize(
    ("hashed", "message"),
    [
        ("secret", "no hash of a known kind"),
        ("$1$abc$def", "no hash of a known kind .known: 2a, 2b, 2y, pbkdf2-sha256."),
        ("$", "no hash of a known kind"),
        (FIXED[:-1], "no bcrypt hash"),
        (FIXED + "x", "no bcrypt hash"),
        (FIXED.replace("$04$", "$31$"), "has the cost 31"),
        (FIXED.replace("$04$", "$03$"), "has the cost 3"),
        (PASSLIB[:-1], "no pbkdf2-sha256 hash"),
        (PASSLIB.replace("6400", "999999999"), "has 999999999 rounds"),
        (PASSLIB.replace("6400", "1"), "has 1 rounds"),
        (PASSLIB.replace("6400", "x"), "no pbkdf2-sha256 hash"),
        (PASSLIB.replace(".6UI/S.nXIk8jcbdHx3Fhg", "aaaa"), "salt of less than"),
        (PASSLIB.replace(".6UI/S.nXIk8jcbdHx3Fhg", "a"), "no pbkdf2-sha256 hash"),
    ],
)
def test_hashes_that_can_not_be_used(hashed: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hasher_for(hashed, HASHERS)


class Clock:
    """A clock that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(throttle: Throttle, address: str) -> None:
    """One attempt that fails."""
    with throttle.attempt(address):
        pass


@pytest.mark.fault("A11")
def test_an_address_has_to_wait_after_ten_failures() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FAILURES):
        fail(throttle, "192.0.2.1")
        clock.now += 1
    with pytest.raises(TooManyAttempts) as refused, throttle.attempt("192.0.2.1"):
        pass
    assert refused.value.headers["Retry-After"] == str(int(PERIOD - FAILURES))
    fail(throttle, "192.0.2.2")
    clock.now += PERIOD - FAILURES + 0.1
    fail(throttle, "192.0.2.1")
    with pytest.raises(TooManyAttempts):
        fail(throttle, "192.0.2.1")


def test_success_does_not_count_but_what_is_under_way_does() -> None:
    throttle = Throttle(Clock())
    for _ in range(FAILURES * 3):
        with throttle.attempt("192.0.2.1") as attempt:
            attempt.succeeded = True
    pending = [throttle.attempt("192.0.2.1") for _ in range(FAILURES)]
    for each in pending:
        each.__enter__()
    with pytest.raises(TooManyAttempts):
        fail(throttle, "192.0.2.1")
    for each in pending:
        each.__exit__(None, None, None)


def test_one_customer_has_one_ipv6_network() -> None:
    throttle = Throttle(Clock())
    for number in range(FAILURES):
        fail(throttle, f"2001:db8::{number}")
    with pytest.raises(TooManyAttempts):
        fail(throttle, "2001:db8::ffff")
    fail(throttle, "2001:db8:0:1::1")


def test_addresses_are_forgotten() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(5000):
        fail(throttle, f"10.0.{number // 256}.{number % 256}")
        clock.now += 1
    assert len(throttle._failures) <= 4097
