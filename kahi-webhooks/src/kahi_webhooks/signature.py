"""The signature by which a receiver knows that a body is from here, and new."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

HEADER: Final = "X-Kahi-Signature"


def signature(secret: str, body: bytes, now: int) -> str:
    """The header's value: the time, and HMAC-SHA256 of the time, a dot and the body.

    Args:
        now: seconds since the epoch.
    """
    digest = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"
