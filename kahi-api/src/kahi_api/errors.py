"""How errors are told: HTTP status and code for each class, in one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kahi.errors import (
    AbnormalTermination,
    BadArgument,
    ConfigError,
    KahiError,
    LogError,
    NoSuchGroup,
    NoSuchProcess,
    ProcessError,
    ShuttingDown,
    StartFailed,
    StdinFull,
    UnknownName,
)
from kahi_api.answers import JsonResponse
from kahi_api.endpoint import Access
from kahi_api.limits import BODY_SIZE


class NoSuchStream(UnknownName):
    """No such stream of a process."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "stream")

    def __str__(self) -> str:
        return f"no such stream: {self.name} (allowed: stdout, stderr)"


class Refusal(KahiError):
    """A request that is not let through; ``headers`` of the answer say what to do about it."""

    headers: Mapping[str, str] = MappingProxyType({})


class BodyTooLarge(Refusal):
    """More than anybody has to say."""

    def __init__(self) -> None:
        super().__init__(f"the body is larger than {BODY_SIZE} bytes")


class WrongMediaType(Refusal):
    """A body that is not what the route takes."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"the body must be {allowed}, and Content-Type must say so")


class Unauthorized(Refusal):
    """Nobody knows who makes the request."""

    headers = MappingProxyType({"WWW-Authenticate": 'Basic realm="kahi", charset="UTF-8"'})

    def __init__(self, message: str = "user name and password are needed") -> None:
        super().__init__(message)


class Forbidden(Refusal):
    """Somebody who is known, but may not do that."""

    def __init__(self, needed: Access) -> None:
        super().__init__(f"this needs the access level {needed.value}")


class TooManyAttempts(Refusal):
    """Too many failed attempts from one address."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many failed attempts, try again later")
        self.headers = MappingProxyType({"Retry-After": str(math.ceil(seconds))})


class TooManyStreams(Refusal):
    """As many streams are open as there may be."""

    headers = MappingProxyType({"Retry-After": "5"})

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} streams are open already")


class Overloaded(Refusal):
    """Too many others wait for the same."""

    headers = MappingProxyType({"Retry-After": "5"})

    def __init__(self) -> None:
        super().__init__("too many requests wait for their password to be checked")


class Misdirected(Refusal):
    """A request for a host that we do not go by."""

    def __init__(self, host: str) -> None:
        super().__init__(f"the host {host!r} is not among allowed_hosts of [server.http]")


class ForeignOrigin(Refusal):
    """A request from a web page that is not ours."""

    def __init__(self) -> None:
        super().__init__("web pages from elsewhere may not use the API")


STATUS: Final[dict[type[KahiError], tuple[int, str]]] = {
    NoSuchProcess: (404, "NOT_FOUND"),
    NoSuchGroup: (404, "NOT_FOUND"),
    NoSuchStream: (404, "NOT_FOUND"),
    StartFailed: (409, "SPAWN_ERROR"),
    AbnormalTermination: (409, "ABNORMAL_TERMINATION"),
    ProcessError: (409, "CONFLICT"),
    StdinFull: (409, "STDIN_FULL"),
    LogError: (409, "LOG_ERROR"),
    ShuttingDown: (503, "SHUTTING_DOWN"),
    ConfigError: (422, "CONFIG_ERROR"),
    BadArgument: (400, "BAD_REQUEST"),
    BodyTooLarge: (413, "CONTENT_TOO_LARGE"),
    WrongMediaType: (415, "UNSUPPORTED_MEDIA_TYPE"),
    Unauthorized: (401, "UNAUTHORIZED"),
    ForeignOrigin: (403, "FORBIDDEN"),
    Misdirected: (421, "MISDIRECTED_REQUEST"),
    TooManyAttempts: (429, "TOO_MANY_REQUESTS"),
    Overloaded: (503, "UNAVAILABLE"),
    TooManyStreams: (503, "UNAVAILABLE"),
    Forbidden: (403, "FORBIDDEN"),
}
"""The most specific class decides."""

CODES: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "CONTENT_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    421: "MISDIRECTED_REQUEST",
    422: "UNPROCESSABLE",
    429: "TOO_MANY_REQUESTS",
    431: "HEAD_TOO_LARGE",
    503: "UNAVAILABLE",
}


def error_code(error: KahiError) -> tuple[int, str]:
    """HTTP status and code word of an error."""
    return _status_and_code(type(error))


def status_of(kind: type[KahiError]) -> int:
    """HTTP status of errors of a class."""
    return _status_and_code(kind)[0]


def _status_and_code(kind: type[KahiError]) -> tuple[int, str]:
    for each in kind.__mro__:
        if each in STATUS:
            return STATUS[each]
    return 500, "SERVER_ERROR"


def error_response(status: int, code: str, message: str) -> Response:
    """The answer that tells of an error."""
    return JsonResponse({"error": message, "code": code}, status)


def refusal_response(error: KahiError) -> Response:
    """The answer that tells of an error, by the table."""
    status, code = error_code(error)
    response = error_response(status, code, str(error))
    if isinstance(error, Refusal):
        response.headers.update(error.headers)
    return response


async def on_kahi_error(request: Request, error: Exception) -> Response:
    """Answer an error that was raised on purpose."""
    assert isinstance(error, KahiError)
    return refusal_response(error)


def http_error_response(request: Request, error: HTTPException) -> Response:
    """The answer to what the framework refuses: unknown paths, methods."""
    code = CODES.get(error.status_code, "SERVER_ERROR")
    detail = error.detail or HTTPStatus(error.status_code).phrase
    if error.status_code == 404:
        detail = f"no such path: {request.scope['path']}"
    elif error.status_code == 405:
        detail = f"{request.method} is not allowed for {request.scope['path']}"
    response = error_response(error.status_code, code, detail)
    response.headers.update(error.headers or {})
    return response


async def on_any_error(request: Request, error: Exception) -> Response:
    """Answer what should not have happened; the framework logs it."""
    return error_response(500, "SERVER_ERROR", "internal error, see the daemon's log")
