"""The description of all routes that are served, those of plugins too."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from kahi_api.answers import JsonResponse
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint
from kahi_api.openapi import describe_api


async def openapi(request: Request) -> Response:
    """The description, as OpenAPI 3.1."""
    context = context_of(request)
    if context.description is None:
        context.description = await anyio.to_thread.run_sync(describe_api, context.endpoints)
    return JsonResponse(context.description)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/openapi.json",
        Access.READ,
        openapi,
        "The description of all routes (OpenAPI 3.1)",
        answers={200: dict[str, Any]},
    ),
)
