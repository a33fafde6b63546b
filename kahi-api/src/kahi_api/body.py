"""Reading the bodies of requests, within bounds."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request

from kahi.config.toml import is_table
from kahi.errors import BadArgument, KahiError

MAX_BODY: Final = 1024 * 1024
"""Bytes."""


class BodyTooLarge(KahiError):
    """More than anybody has to say."""

    def __init__(self) -> None:
        super().__init__(f"the body is larger than {MAX_BODY} bytes")


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an empty one when there is none.

    Raises:
        BadArgument: it is no JSON object, or holds what JSON does not know (NaN, lone surrogates).
        BodyTooLarge: it is larger than `MAX_BODY`.
    """
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_BODY:
            raise BodyTooLarge
    if not data.strip():
        return {}
    try:
        body: object = json.loads(data, parse_constant=_refuse_constant)
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadArgument("the body is no JSON") from None
    if not is_table(body):
        raise BadArgument("the body is no JSON object")
    return body


def _refuse_constant(name: str) -> object:
    raise ValueError(name)
