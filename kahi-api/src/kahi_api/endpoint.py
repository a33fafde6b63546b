"""What every route declares: path, who may use it, what it takes and answers, and who answers.

A plugin declares its routes the same way::

    class Greeting(BaseModel):
        words: str = Field(description="What to say.")

    async def greet(request: Request) -> Response:
        return JSONResponse({"said": body_of(request, Greeting).words})

    Endpoint("POST", "/greet", Access.OPERATE, greet, "Say something", body=Greeting)

Access is checked, the query and the body are read, bounded and validated before the handler is
called, and all of it is described in ``/api/v1/openapi.json``.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from kahi.errors import KahiError

METHODS: Final = ("GET", "POST", "PUT", "DELETE")

Handler = Callable[["Request"], Awaitable["Response"]]


class Access(enum.Enum):
    """Who may use a route. Each level includes those before it."""

    PUBLIC = "public"
    """Anybody who can connect: probes."""
    READ = "read"
    """Looking."""
    OPERATE = "operate"
    """Starting, stopping, signalling processes."""
    ADMIN = "admin"
    """Changing the configuration, ending the daemon."""

    def includes(self, other: Access) -> bool:
        """Whether somebody with this level may do what needs ``other``."""
        return _RANK[self] >= _RANK[other]


_RANK = {level: rank for rank, level in enumerate(Access)}


class Text:
    """Stands among the answers of an endpoint for text/plain."""


class EventStream:
    """Stands among the answers of an endpoint for server-sent events."""


class Page:
    """Stands among the answers of an endpoint for text/html."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route.

    One that changes something (any method but GET, with `Access.OPERATE` or `Access.ADMIN`) is
    refused while the daemon shuts down, and leaves one audit record for each request.

    Args:
        path: as Starlette writes it, with ``{name}`` for parameters.
        summary: one line on what it does, for the description of the API.
        query: model of the query parameters; the handler gets it from `query_of`.
        body: model of the JSON body; the handler gets it from `body_of`. A request without a body
            counts as an empty object.
        form: the body may also be an HTML form (application/x-www-form-urlencoded). A foreign page
            can send one, so the request must come from our own pages or from no browser, as always.
        answers: what is answered, by HTTP status: a type that pydantic knows for JSON, `Text`,
            `Page` or `EventStream`.
        errors: classes of errors of its own, beyond those that every route may answer.
        parameters: what the parameters in the path mean, by name.
        hidden: left out of the description of the API (pages for people).
    """

    method: str
    path: str
    access: Access
    handler: Handler
    summary: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    form: bool = False
    answers: Mapping[int, Any] = field(default_factory=lambda: {200: Any})
    errors: tuple[type[KahiError], ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.access, Access):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{self.method} {self.path}: access must be an Access, not {self.access!r}")
        if self.method not in METHODS or not self.path.startswith("/"):
            raise ValueError(f"{self.method} {self.path} is no route (methods: {', '.join(METHODS)})")

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET" and self.access.includes(Access.OPERATE)
