"""Reading the bodies of requests, within bounds."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from kahi.config.toml import is_table
from kahi.errors import BadArgument
from kahi_api.errors import BodyTooLarge, WrongMediaType
from kahi_api.limits import BODY_SIZE, FORM_FIELDS

JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"


async def read_body(request: Request, *, form: bool = False) -> dict[str, Any]:
    """The object in the body; an empty one when there is no body.

    Args:
        form: take an HTML form as well; all its values are strings, or lists of them.

    Raises:
        BadArgument: it is no JSON object, or holds what JSON does not know (NaN, lone surrogates)
            or what two readers may understand differently (a key twice).
        BodyTooLarge: it is larger than `BODY_SIZE`.
        WrongMediaType: it is something else, or does not say what it is.
    """
    data = await _whole_body(request)
    if not data:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form and media_type == FORM_TYPE:
        return _form_fields(data)
    if media_type != JSON_TYPE:
        raise WrongMediaType(f"{JSON_TYPE} or {FORM_TYPE}" if form else JSON_TYPE)
    return _json_object(data)


async def _whole_body(request: Request) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > BODY_SIZE:
        raise BodyTooLarge
    data = bytearray()
    try:
        async for piece in request.stream():
            data += piece
            if len(data) > BODY_SIZE:
                raise BodyTooLarge
    except ClientDisconnect:
        raise BadArgument("the body did not come to its end") from None
    return bytes(data)


def _json_object(data: bytes) -> dict[str, Any]:
    if not data.strip():
        return {}
    try:
        body: object = json.loads(
            data.decode(), parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice
        )
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadArgument("the body is no JSON") from None
    if not is_table(body):
        raise BadArgument("the body is no JSON object")
    return body


def _form_fields(data: bytes) -> dict[str, Any]:
    """The fields of a form; one that stands there several times, as boxes do, is a list."""
    try:
        pairs = parse_qsl(
            data.decode(),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FORM_FIELDS,
        )
    except ValueError:
        raise BadArgument("the body is no form") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found
