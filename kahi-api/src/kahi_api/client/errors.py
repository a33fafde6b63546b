"""What can go wrong between a client and the daemon."""

from __future__ import annotations

from kahi.error import KahiError


class ClientError(KahiError):
    """Base of all errors of the client."""


class BadAddress(ClientError):
    """What was given is no address."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"{text} is no address (HOST:PORT, http://HOST:PORT or https://HOST:PORT)")


class CannotConnect(ClientError):
    """Nobody answers there."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"cannot connect to the daemon at {address} ({reason})")


class ConnectionLost(ClientError):
    """The daemon went away in the middle of an answer, or answered something that is not HTTP."""


class ApiError(ClientError):
    """The daemon answered with an error.

    Args:
        status: of HTTP.
        code: the daemon's word, such as ``NOT_FOUND``.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.is_report = code == "CONFIG_ERROR"
        super().__init__(message)
