"""Whether OpenSSL's FIPS provider is really in use in this Python.

Asking OpenSSL for its mode is not enough: with the property ``fips=yes`` alone, and no provider, it
says 1 while hashlib silently falls back to Python's own implementations. So this looks at five
things, by what they do where that is possible.
"""

from __future__ import annotations

import _hashlib
import ctypes
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kahi.errors import KahiError

KNOWN_ANSWER: Final = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of "abc" (FIPS 180-4, example)."""


class NoFipsProvider(KahiError):
    """FIPS mode is demanded, and can not be had."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"FIPS mode is required, but {reason}")


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider that is in use, as it calls itself."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def require_provider() -> Provider:
    """The FIPS provider that this Python uses.

    Raises:
        NoFipsProvider: the first thing that is not as it has to be.
    """
    provider = _loaded_provider()
    if provider is None:
        raise NoFipsProvider(
            "OpenSSL has no FIPS provider loaded: check OPENSSL_CONF, OPENSSL_MODULES and openssl.cnf"
        )
    if _mode() != 1:
        raise NoFipsProvider("OpenSSL's default properties are not fips=yes")
    if not _unapproved_digest_fails():
        raise NoFipsProvider("OpenSSL still computes MD5: another provider answers beside the FIPS provider")
    if not _approved_digests_work():
        raise NoFipsProvider("the FIPS provider computes a wrong SHA-256, or no PBKDF2")
    if type(hashlib.sha256()).__module__ != "_hashlib":
        raise NoFipsProvider("Python's hashlib does not use OpenSSL")
    return provider


def _mode() -> int:
    get_mode: Any = getattr(_hashlib, "get_fips_mode", None)
    return 0 if get_mode is None else get_mode()


def _unapproved_digest_fails() -> bool:
    openssl_md5: Any = getattr(_hashlib, "openssl_md5", None)
    if openssl_md5 is None:
        return False
    try:
        openssl_md5(b"")
    except ValueError:
        return True
    return False


def _approved_digests_work() -> bool:
    openssl_sha256: Any = getattr(_hashlib, "openssl_sha256", None)
    if openssl_sha256 is None:
        return False
    try:
        known = hmac.compare_digest(openssl_sha256(b"abc").hexdigest(), KNOWN_ANSWER)
        derived = hashlib.pbkdf2_hmac("sha512", b"a password of some length", b"a salt of 16 byt", 1000)
    except ValueError:
        return False
    return known and len(derived) == 64


def _loaded_provider() -> Provider | None:
    """The provider called ``fips``; None when it is not there or does not work."""
    library = _libcrypto()
    if library is None or not library.OSSL_PROVIDER_available(None, b"fips"):
        return None
    library.OSSL_PROVIDER_load.restype = ctypes.c_void_p
    library.OSSL_PROVIDER_load.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.OSSL_PROVIDER_get_params.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.OSSL_PROVIDER_unload.argtypes = [ctypes.c_void_p]
    handle = library.OSSL_PROVIDER_load(None, b"fips")
    if not handle:
        return None
    try:
        return _described(library, handle)
    finally:
        library.OSSL_PROVIDER_unload(handle)


class _Parameter(ctypes.Structure):
    """``OSSL_PARAM``, as openssl/core.h lays it out."""

    _fields_ = (
        ("key", ctypes.c_char_p),
        ("data_type", ctypes.c_uint),
        ("data", ctypes.c_void_p),
        ("data_size", ctypes.c_size_t),
        ("return_size", ctypes.c_size_t),
    )


_UTF8_POINTER: Final = 6
"""``OSSL_PARAM_UTF8_PTR``."""


def _described(library: ctypes.CDLL, handle: int) -> Provider:
    name, version = ctypes.c_char_p(), ctypes.c_char_p()
    unset = ctypes.c_size_t(-1).value
    parameters = (_Parameter * 3)(
        _Parameter(b"name", _UTF8_POINTER, ctypes.addressof(name), 0, unset),
        _Parameter(b"version", _UTF8_POINTER, ctypes.addressof(version), 0, unset),
        _Parameter(None, 0, None, 0, 0),
    )
    library.OSSL_PROVIDER_get_params(handle, ctypes.byref(parameters))
    return Provider((name.value or b"FIPS provider").decode(), (version.value or b"").decode())


def _libcrypto() -> ctypes.CDLL | None:
    """The very libcrypto that this Python has loaded, or None for one that is linked in."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        # No /proc (macOS): the symbols of what the process has loaded are visible all the same.
        candidates = [None]
    else:
        candidates = sorted({line.split()[-1] for line in maps.splitlines() if "/libcrypto" in line})
    for path in candidates:
        try:
            library = ctypes.CDLL(path)
            library.OSSL_PROVIDER_available.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        except (OSError, AttributeError):
            continue
        return library
    return None
