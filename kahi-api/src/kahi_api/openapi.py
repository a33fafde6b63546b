"""The description of the API (OpenAPI 3.1), from the routes that are served and their models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from kahi.errors import BadArgument, KahiError, ShuttingDown
from kahi.version import __version__
from kahi_api.body import FORM_TYPE, JSON_TYPE
from kahi_api.endpoint import Access, Endpoint, EventStream, Page, Text
from kahi_api.errors import (
    BodyTooLarge,
    Forbidden,
    ForeignOrigin,
    Misdirected,
    TooManyAttempts,
    TooManyStreams,
    Unauthorized,
    WrongMediaType,
    status_of,
)
from kahi_api.objects import ErrorObject

REFERENCE: Final = "#/components/schemas/{model}"
TEXTS: Final[Mapping[Any, str]] = {Text: "text/plain", Page: "text/html", EventStream: "text/event-stream"}
"""Media types of answers that are no JSON."""

MEANINGS: Final = {200: "Done.", 201: "Made.", 202: "Begun; it goes on."}

_CONVERTER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")

ABOUT: Final = """\
Errors are `{"error": "for people", "code": "FOR_PROGRAMS"}`. Over TCP every request but the probes
needs user name and password (Basic) or whatever a plugin knows. Requests that change something must
not come from a web page elsewhere. `x-access` of an operation is the access level that it needs."""


def describe_api(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The whole description. Takes a while, and may run on a worker thread."""
    return _Description([endpoint for endpoint in endpoints if not endpoint.hidden]).document()


class _Description:
    """One description in the making: all schemas first, then the operations that refer to them."""

    def __init__(self, endpoints: list[Endpoint]) -> None:
        self._endpoints = endpoints
        self._schemas, self._components = _all_schemas(endpoints)

    def document(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for endpoint in self._endpoints:
            path = _CONVERTER.sub(r"{\1}", endpoint.path)
            paths.setdefault(path, {})[endpoint.method.lower()] = self._operation(endpoint)
        return {
            "openapi": "3.1.0",
            "info": {"title": "Kahi", "version": __version__, "description": ABOUT},
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {
                "schemas": self._components,
                "securitySchemes": {"password": {"type": "http", "scheme": "basic"}},
            },
        }

    def _operation(self, endpoint: Endpoint) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "operationId": _operation_id(endpoint),
            "summary": endpoint.summary,
            "tags": [_tag(endpoint)],
            "x-access": endpoint.access.value,
            "responses": dict(self._responses(endpoint)),
        }
        parameters = [*_path_parameters(endpoint), *_query_parameters(endpoint)]
        if parameters:
            operation["parameters"] = parameters
        if endpoint.body is not None:
            schema = self._schemas[endpoint.body, "validation"]
            types = (JSON_TYPE, FORM_TYPE) if endpoint.form else (JSON_TYPE,)
            operation["requestBody"] = {
                "content": {media_type: {"schema": schema} for media_type in types},
                "required": any(field.is_required() for field in endpoint.body.model_fields.values()),
            }
        operation["security"] = [] if endpoint.access is Access.PUBLIC else [{"password": []}]
        return operation

    def _responses(self, endpoint: Endpoint) -> Iterator[tuple[str, Any]]:
        errors: dict[int, list[str]] = {}
        for error in _errors(endpoint):
            errors.setdefault(status_of(error), []).append(_first_line(error))
        for status in sorted({*endpoint.answers, *errors}):
            if status in endpoint.answers:
                answer = endpoint.answers[status]
                media_type = TEXTS.get(answer, JSON_TYPE)
                schema = {"type": "string"} if answer in TEXTS else self._schemas[answer, "serialization"]
                description = MEANINGS.get(status, "Not so.")
                if status in errors:
                    schema = {"anyOf": [schema, self._schemas[ErrorObject, "serialization"]]}
            else:
                media_type, schema = JSON_TYPE, self._schemas[ErrorObject, "serialization"]
                description = " ".join(dict.fromkeys(errors[status]))
            yield str(status), {"description": description, "content": {media_type: {"schema": schema}}}


def _all_schemas(
    endpoints: Iterable[Endpoint],
) -> tuple[Mapping[tuple[Any, str], dict[str, Any]], dict[str, Any]]:
    """Schemas of everything that is taken and answered, and what they refer to by name."""
    wanted: dict[tuple[Any, str], None] = {(ErrorObject, "serialization"): None}
    for endpoint in endpoints:
        if endpoint.body is not None:
            wanted[endpoint.body, "validation"] = None
        wanted |= {(each, "serialization"): None for each in endpoint.answers.values() if each not in TEXTS}
    keys = list(wanted)
    inputs = [(number, mode, TypeAdapter[Any](kind)) for number, (kind, mode) in enumerate(keys)]
    schemas, components = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE)  # type: ignore[arg-type]
    return {key: schemas[number, key[1]] for number, key in enumerate(keys)}, components.get("$defs", {})  # type: ignore[index]


def _errors(endpoint: Endpoint) -> Iterator[type[KahiError]]:
    """Everything that may go wrong with a request."""
    yield from endpoint.errors
    yield from (Misdirected, ForeignOrigin)
    if endpoint.access is not Access.PUBLIC:
        yield from (Unauthorized, Forbidden, TooManyAttempts)
    if endpoint.query is not None or endpoint.body is not None:
        yield BadArgument
    if endpoint.method != "GET":
        yield from (BadArgument, BodyTooLarge, WrongMediaType)
    if endpoint.changes:
        yield ShuttingDown
    if EventStream in endpoint.answers.values():
        yield TooManyStreams


def _path_parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in _CONVERTER.findall(endpoint.path):
        meaning = endpoint.parameters.get(name, "")
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
            "description": meaning,
        }


def _query_parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    if endpoint.query is None:
        return
    schema = endpoint.query.model_json_schema()
    for name, found in schema["properties"].items():
        field = dict(found)
        alternatives = [each for each in field.pop("anyOf", []) if each.get("type") != "null"]
        if len(alternatives) == 1:
            field |= alternatives[0]
        if field.get("default", "") is None:
            del field["default"]
        description = field.pop("description", "")
        field.pop("title", None)
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": description,
            "schema": field,
        }


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"\w+", endpoint.path.removeprefix("/api/v1"))
    return "_".join([endpoint.method.lower(), *words])


def _tag(endpoint: Endpoint) -> str:
    words = endpoint.path.removeprefix("/api/v1").split("/")
    return words[1] or "pages"


def _first_line(error: type[KahiError]) -> str:
    return (error.__doc__ or "").partition("\n")[0]
