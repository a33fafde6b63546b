"""Every route of the API, from its description in OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from docs.generate.markdown import code, heading, table
from kahi_api.openapi import describe_api
from kahi_api.routes import ENDPOINTS

HEAD: Final = """\
# API

Generated from the description that a daemon serves at `/api/v1/openapi.json` (OpenAPI 3.1), which also
holds the routes of plugins: `/metrics` of kahi-metrics, for one. It is HTTP/1.1 with JSON, on the control
socket without a password, over TCP as [TLS and passwords](../how-to/tls-and-passwords.md) says:

```sh
curl --unix-socket kahi.sock http://kahi/api/v1/processes
```

The access level of a route is what somebody needs whom a plugin has told apart; the user of the
configuration has them all. Every error is one of [these](errors.md).
"""

ORDER: Final = ("public", "read", "operate", "admin")


def page() -> str:
    """The page."""
    document = describe_api(ENDPOINTS)
    lines = [HEAD, *_overview(document["paths"])]
    tags: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tags.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    for tag, routes in tags.items():
        lines += heading(2, tag.removesuffix(".json").capitalize().replace("Openapi", "OpenAPI"), tag)
        for method, path, operation in routes:
            lines += _route(method, path, operation)
    lines += heading(2, "Objects", "objects")
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _object(name, schema)
    return "\n".join(lines)


def _overview(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        (f"[{code(f'{method.upper()} {path}')}](#{operation['operationId']})", operation["summary"])
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    yield from table(("route", ""), rows)


def _route(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield from heading(3, code(f"{method} {path}"), operation["operationId"])
    yield from (f"{operation['summary']}. Access level: {operation['x-access']}.", "")
    yield from table(
        ("parameter", "in", "type", ""),
        (
            (code(each["name"]), each["in"], _type(each["schema"]), _about(each, each["schema"]))
            for each in operation.get("parameters", ())
        ),
    )
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        kinds = " or ".join(code(media_type) for media_type in content)
        schema = next(iter(content.values()))["schema"]
        yield from (f"Body, {kinds}: {_type(schema)}.", "")
    yield from table(("status", "answer", ""), _answers(operation["responses"]))


def _answers(responses: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, response in responses.items():
        media_type, content = next(iter(response["content"].items()))
        schema = content["schema"]
        kind = _type(schema) if media_type == "application/json" else code(media_type)
        yield status, kind, response["description"]


def _object(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield from heading(3, code(name), name.lower())
    if about := schema.get("description"):
        yield from (about.replace("``", "`").partition("\n\n")[0].replace("\n", " "), "")
    required = schema.get("required", ())
    rows = [
        (code(key), _type(value), _about(value, value, required=key in required))
        for key, value in schema.get("properties", {}).items()
    ]
    yield from table(("field", "type", ""), rows)
    if "enum" in schema:
        yield from (f"One of {_type(schema)}.", "")


def _about(described: Mapping[str, Any], schema: Mapping[str, Any], *, required: bool = True) -> str:
    text = described.get("description", "").replace("\n", " ").replace("``", "`")
    if "default" in schema and not required:
        text += f" Default: {code(json.dumps(schema['default']))}."
    return text.strip()


def _type(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words, with links to the objects that it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{code(name)}](#{name.lower()})"
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[word]))
    if "enum" in schema:
        return " or ".join(code(json.dumps(value)) for value in schema["enum"])
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema.get('items', {}))}"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"object of {_type(schema['additionalProperties'])}"
        case None:
            return "any value"
        case str(kind):
            return kind
        case kinds:
            return " or ".join(kinds)
