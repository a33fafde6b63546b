"""The ASGI application: routes, and how errors are answered."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from kahi.errors import KahiError
from kahi_api.context import ApiContext
from kahi_api.endpoint import Endpoint
from kahi_api.errors import on_any_error, on_http_error, on_kahi_error
from kahi_api.routes import ENDPOINTS


def make_app(context: ApiContext, endpoints: Iterable[Endpoint] = ENDPOINTS) -> Starlette:
    """The application that serves ``endpoints``."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    app = Starlette(
        routes=[
            Route(endpoint.path, endpoint.handler, methods=[endpoint.method])
            for found in by_path.values()
            for endpoint in found
        ],
        exception_handlers={
            KahiError: on_kahi_error,
            HTTPException: on_http_error,
            Exception: on_any_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.context = context
    return app
