"""The route table: every route declares who may use it, and nobody else may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kahi.plugins import PluginContext, PluginManager
from kahi_api.admission import body_of, query_of
from kahi_api.app import make_app
from kahi_api.authentication import Authenticator
from kahi_api.context import ApiContext
from kahi_api.endpoint import Access, Endpoint
from kahi_api.identity import Identity, Peer, identity_of
from kahi_api.routes import ENDPOINTS
from tests.api.asgi import Answer, call

CHANGES_NOTHING = {("POST", "/api/v1/config/reread")}
"""POST requests that only look."""


class As(Authenticator):
    """Whoever asks is somebody with a certain access level."""

    def __init__(self, access: Access) -> None:
        super().__init__(PluginManager())
        self.access = access

    async def identify(self, request: Request, needed: Access) -> Identity:
        return Identity("somebody", self.access, Peer(address="192.0.2.1"))


def app_for(endpoints: Any, authenticator: Authenticator | None = None) -> Any:
    """An application without a daemon behind it."""
    context = ApiContext(cast("PluginContext", None), authenticator or Authenticator(PluginManager()))
    return make_app(context, endpoints)


EACH = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=[f"{e.method} {e.path}" for e in ENDPOINTS])


def concrete(endpoint: Endpoint) -> str:
    """A path that leads to the endpoint."""
    return endpoint.path.replace("{name}", "web").replace("{stream}", "stdout")


@EACH
def test_a_stranger_may_use_nothing_but_probes(endpoint: Endpoint) -> None:
    if endpoint.access is Access.PUBLIC:
        assert not endpoint.path.startswith("/api/")
        return
    answer = call(app_for(ENDPOINTS), endpoint.method, concrete(endpoint))
    assert (answer.status, answer.json()["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"].startswith("Basic ")


@EACH
def test_the_level_below_is_not_enough(endpoint: Endpoint) -> None:
    levels = list(Access)
    if endpoint.access is Access.PUBLIC:
        return
    below = levels[levels.index(endpoint.access) - 1]
    answer = call(app_for(ENDPOINTS, As(below)), endpoint.method, concrete(endpoint))
    assert (answer.status, answer.json()["code"]) == (403, "FORBIDDEN")


@EACH
def test_what_changes_something_needs_more_than_reading(endpoint: Endpoint) -> None:
    looks = endpoint.method == "GET" or (endpoint.method, endpoint.path) in CHANGES_NOTHING
    assert endpoint.changes != looks


def test_no_route_is_without_a_level() -> None:
    with pytest.raises(TypeError, match="GET /x: access must be an Access"):
        Endpoint("GET", "/x", cast("Access", "anybody"), cast("Any", None), "No level")
    with pytest.raises(ValueError, match="GETT /x is no route"):
        Endpoint("GETT", "/x", Access.READ, cast("Any", None), "No method")


class Words(BaseModel):
    """A body as a plugin may declare it."""

    words: str = Field(max_length=5, description="What to say.")


class Times(BaseModel):
    """A query as a plugin may declare it."""

    times: int = 1


async def say(request: Request) -> Response:
    said = body_of(request, Words).words * query_of(request, Times).times
    return JSONResponse({"said": said, "who": identity_of(request).name})


SAY = Endpoint("POST", "/say", Access.READ, say, "Say something", query=Times, body=Words)
SAY_IN_A_FORM = Endpoint("POST", "/form", Access.READ, say, "The same", query=Times, body=Words, form=True)


@pytest.fixture
def ask() -> Callable[..., Answer]:
    app = app_for([SAY, SAY_IN_A_FORM], As(Access.READ))
    return lambda *arguments, **options: call(app, *arguments, **options)


JSON = {"Content-Type": "application/json; charset=utf-8"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_handler_gets_what_was_declared(ask: Callable[..., Answer]) -> None:
    assert ask("POST", "/say?times=2", b'{"words": "hey"}', JSON).json() == {
        "said": "heyhey",
        "who": "somebody",
    }
    assert ask("POST", "/form", b"words=a%26b", FORM).json()["said"] == "a&b"
    assert ask("POST", "/form", b'{"words": "hey"}', JSON).json()["said"] == "hey"


@pytest.mark.fault("A4", "A6")
@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"", {}, 400, "words field required"),
        (b'{"words": "too long"}', JSON, 400, "words string should have at most 5 characters"),
        (b'{"words": "secret"}', JSON, 400, "words string should have at most 5 characters"),
        (b"[]", JSON, 400, "no JSON object"),
        (b"{", JSON, 400, "no JSON"),
        (b'{"words": NaN}', JSON, 400, "no JSON"),
        (b'{"words": "a", "words": "b"}', JSON, 400, "no JSON"),
        (b'{"words": "\\ud800"}', JSON, 400, "no JSON"),
        (b'{"words": "\xff"}', JSON, 400, "no JSON"),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON, 400, "no JSON"),
        (b'{"x": ' + b"9" * 500_000 + b"}", JSON, 400, "no JSON"),
        (b'{"words": "' + b"a" * 1024 * 1024 + b'"}', JSON, 413, "larger than"),
        (b'{"words": "hey"}', {}, 415, "must be application/json"),
        (b'{"words": "hey"}', {"Content-Type": "text/plain"}, 415, "must be application/json"),
        (b"words=hey", FORM, 415, "must be application/json"),
    ],
)
def test_bodies_that_are_refused(
    ask: Callable[..., Answer], body: bytes, headers: dict[str, str], status: int, message: str
) -> None:
    answer = ask("POST", "/say", body, headers)
    assert answer.status == status
    assert message in answer.json()["error"]
    assert "secret" not in answer.json()["error"]


@pytest.mark.fault("A6")
def test_queries_and_forms_that_are_refused(ask: Callable[..., Answer]) -> None:
    answer = ask("POST", "/say?times=often", b'{"words": "hey"}', JSON)
    assert (answer.status, answer.json()["code"]) == (400, "BAD_REQUEST")
    assert answer.json()["error"].startswith("times should be a valid integer")
    assert ask("POST", "/form", b"words=a&words=b", FORM).status == 400
    assert ask("POST", "/form", b"words=%ff", FORM).status == 400
    assert ask("POST", "/form", b"&".join([b"a=1"] * 2000), FORM).status == 400


@pytest.mark.fault("A4")
def test_announced_sizes_are_refused_before_a_byte_is_read(ask: Callable[..., Answer]) -> None:
    assert ask("POST", "/say", b"", {"Content-Length": "1048577"}).status == 413


@pytest.mark.fault("A7")
def test_unknown_paths_and_methods(ask: Callable[..., Answer]) -> None:
    missing = ask("GET", "/nothing")
    assert (missing.status, missing.json()) == (
        404,
        {"error": "no such path: /nothing", "code": "NOT_FOUND"},
    )
    wrong = ask("PUT", "/say")
    assert (wrong.status, wrong.json()["code"], wrong.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")


@pytest.mark.fault("A16")
def test_what_should_not_happen_tells_nothing() -> None:
    async def fail(request: Request) -> Response:
        raise RuntimeError("nobody's business")

    answer = call(app_for([Endpoint("GET", "/x", Access.READ, fail, "Fails")], As(Access.READ)), "GET", "/x")
    assert (answer.status, answer.json()["code"]) == (500, "SERVER_ERROR")
    assert b"business" not in answer.body
    assert isinstance(answer.error, RuntimeError)
