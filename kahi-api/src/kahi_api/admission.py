"""What happens to every request between its route and its handler.

Access is checked before anything of the request is read; then the query and the body are read and
validated; only then the handler is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from kahi.errors import BadArgument
from kahi_api.body import read_body
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint, Handler
from kahi_api.errors import Forbidden, Unauthorized

ModelT = TypeVar("ModelT", bound=BaseModel)


def admitted(endpoint: Endpoint) -> Handler:
    """The handler of ``endpoint`` behind everything that it declares."""

    async def handle(request: Request) -> Response:
        await check_access(request, endpoint.access)
        if endpoint.changes:
            context_of(request).daemon.supervisor.refuse_during_shutdown()
        if endpoint.query is not None:
            request.state.query = _validated(endpoint.query, request.query_params)
        if endpoint.method != "GET":
            body = await read_body(request, form=endpoint.form)
            if endpoint.body is not None:
                request.state.body = _validated(endpoint.body, body)
        return await endpoint.handler(request)

    return handle


async def check_access(request: Request, needed: Access) -> None:
    """Let only those pass who may do what needs ``needed``; from then on `identity_of` tells who.

    Raises:
        Unauthorized: nobody knows who it is.
        Forbidden: it is somebody who may not do that.
    """
    identity = await context_of(request).authenticator.identify(request, needed)
    request.state.identity = identity
    if not identity.access.includes(needed):
        raise Forbidden(needed) if identity.name or identity.peer.trusted else Unauthorized()


def query_of(request: Request, model: type[ModelT]) -> ModelT:
    """The query parameters, as the endpoint's ``query`` declares them."""
    query = request.state.query
    assert isinstance(query, model)
    return query


def body_of(request: Request, model: type[ModelT]) -> ModelT:
    """The body, as the endpoint's ``body`` declares it."""
    body = request.state.body
    assert isinstance(body, model)
    return body


def _validated(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise BadArgument("; ".join(_message(detail["loc"], detail["msg"]) for detail in details)) from None


def _message(place: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{'.'.join(map(str, place))} {said[:1].lower()}{said[1:]}".strip()
