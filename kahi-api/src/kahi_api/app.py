"""The ASGI application: routes, and how errors are answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kahi.errors import KahiError
from kahi_api.admission import admitted, check_access
from kahi_api.audit import audited
from kahi_api.browsers import BrowserRules
from kahi_api.context import ApiContext
from kahi_api.endpoint import Access, Endpoint, Handler
from kahi_api.errors import http_error_response, on_any_error, on_kahi_error, refusal_response
from kahi_api.routes import ENDPOINTS


def make_app(
    context: ApiContext, endpoints: Iterable[Endpoint] = ENDPOINTS, allowed_hosts: Iterable[str] = ()
) -> ASGIApp:
    """The application that serves ``endpoints``, behind the rules for browsers."""
    context.endpoints = tuple(endpoints)
    by_path: dict[str, dict[str, Handler]] = {}
    for endpoint in context.endpoints:
        handle = admitted(endpoint)
        by_path.setdefault(endpoint.path, {})[endpoint.method] = (
            audited(endpoint, handle) if endpoint.changes else handle
        )
    app = Starlette(
        routes=[Route(path, _resource(handlers), methods=[*handlers]) for path, handlers in by_path.items()],
        exception_handlers={
            KahiError: on_kahi_error,
            HTTPException: _on_http_error,
            Exception: on_any_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.context = context
    return BrowserRules(app, allowed_hosts)


def _resource(handlers: Mapping[str, Handler]) -> Handler:
    """Everything that one path answers to; HEAD is a GET whose body is not sent."""

    async def handle(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return handle


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses; strangers do not even learn what there is."""
    assert isinstance(error, HTTPException)
    try:
        await check_access(request, Access.READ)
    except KahiError as refusal:
        return refusal_response(refusal)
    return http_error_response(request, error)
