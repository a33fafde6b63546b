"""The description of the API, and the API against it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi_api.endpoint import Access
from kahi_api.routes import ENDPOINTS
from tests.api.raw import get
from tests.e2e.test_api_tcp import PASSWORD, free_port, http_table
from tests.support import Daemon, install_plugin

Start = Callable[..., Daemon]
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'

GREETER = """
from kahi.hookspecs import hookimpl
from kahi_api.admission import body_of, query_of
from kahi_api.endpoint import Access, Endpoint, Page
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, HTMLResponse

class Greeting(BaseModel):
    words: str = Field(max_length=10, description="What to say.")

class Said(BaseModel):
    said: str

class Times(BaseModel):
    times: int = Field(default=1, description="How often.")

async def greet(request):
    return JSONResponse({"said": body_of(request, Greeting).words * query_of(request, Times).times})

async def page(request):
    return HTMLResponse("<p>hello</p>")

@hookimpl
def kahi_api_routes(ctx):
    return [
        Endpoint("POST", "/greet/{whom}", Access.OPERATE, greet, "Greet somebody", query=Times, body=Greeting,
                 answers={200: Said}, parameters={"whom": "Who is greeted."}),
        Endpoint("GET", "/page", Access.READ, page, "For people", answers={200: Page}, hidden=True),
    ]
"""


def test_it_describes_every_route_of_plugins_too(daemon: Start, short_tmp: Path) -> None:
    running = daemon("", environ=install_plugin(short_tmp, "greeter", GREETER))
    status, document = get(running.socket, "/api/v1/openapi.json")
    assert status == 200
    assert document["openapi"] == "3.1.0"
    described = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    for endpoint in ENDPOINTS:
        operation = described[endpoint.method, endpoint.path]
        assert operation["summary"] == endpoint.summary
        assert operation["x-access"] == endpoint.access.value
        assert operation["security"] == ([] if endpoint.access is Access.PUBLIC else [{"password": []}])
        named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", endpoint.path))
        assert all(each["description"] for each in operation.get("parameters", ()))
    assert len({operation["operationId"] for operation in described.values()}) == len(described)
    greet = described["POST", "/greet/{whom}"]
    assert [each["name"] for each in greet["parameters"]] == ["whom", "times"]
    reference = greet["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert document["components"]["schemas"][reference.rpartition("/")[2]]["required"] == ["words"]
    assert {"200", "400", "401", "403", "413", "415", "421", "429", "503"} == set(greet["responses"])
    assert ("GET", "/page") not in described
    process = document["components"]["schemas"]["ProcessObject"]
    assert process["properties"]["pid"]["description"] == "0 when there is no child."


@pytest.mark.slow
def test_the_api_keeps_to_its_description(daemon: Start, short_tmp: Path) -> None:
    port = free_port()
    running = daemon(
        f"[programs.web]\n{SLEEPER}\n[programs.w]\n{SLEEPER}\nnumprocs = 2\nautostart = false\n"
        + http_table(port),
        environ=install_plugin(short_tmp, "greeter", GREETER),
    )
    schemathesis = Path(sys.executable).with_name("st")
    config = Path(__file__).with_name("schemathesis.toml")
    done = subprocess.run(
        [
            *(schemathesis, "--config-file", config, "run", f"http://127.0.0.1:{port}/api/v1/openapi.json"),
            *("--auth", f"ann:{PASSWORD}", "--exclude-path-regex", "(stream|attach|shutdown)$"),
        ],
        cwd=short_tmp,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert running.answers()
    assert "Traceback" not in running.output
