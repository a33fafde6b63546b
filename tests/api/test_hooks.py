"""Hooks that the API adds for other plugins, through the real program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support import Daemon, install_plugin

ROUTES = """
from kahi.hookspecs import hookimpl
from kahi_api.endpoint import Access, Endpoint
from starlette.responses import JSONResponse

async def hello(request):
    return JSONResponse({"hello": request.path_params["name"]})

async def never(request):
    raise AssertionError("stands in the way of the API")

@hookimpl
def kahi_api_routes(ctx):
    return [
        Endpoint("GET", "/hello/{name}", Access.READ, hello, "Say hello"),
        Endpoint("GET", "/healthz", Access.READ, never, "Taken"),
    ]
"""


def test_a_plugin_adds_routes_but_replaces_none(daemon: Callable[..., Daemon], short_tmp: Path) -> None:
    running = daemon("", environ=install_plugin(short_tmp, "greeter", ROUTES))
    assert running.get("/hello/kahi") == {"hello": "kahi"}
    assert running.get("/healthz") == {"status": "ok"}
    running.says("plugin greeter: GET /healthz is served already")


def test_routes_that_need_the_api_are_a_registration_error_without_it(
    daemon: Callable[..., Daemon], short_tmp: Path, kahi: Callable[..., object]
) -> None:
    environ = install_plugin(short_tmp, "greeter", ROUTES) | {"KAHI_DISABLE_PLUGINS": "api"}
    listed = kahi("plugins", environ=environ)
    assert "there is no hook kahi_api_routes" in listed.stdout  # type: ignore[attr-defined]
