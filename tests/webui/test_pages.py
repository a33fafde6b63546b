"""The pages as somebody sees them without scripts, through the real program."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support import Daemon, eventually, install_plugin, python, steadily
from tests.webui.conftest import HASH

Start = Callable[..., Daemon]


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


def connect(running: Daemon) -> HTTPConnection:
    connection = HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(20)
    connection.sock.connect(str(running.socket))
    return connection


def fetch(
    running: Daemon, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    connection = connect(running)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'


def get(running: Daemon, path: str) -> Response:
    return fetch(running, "GET", path)


def text(running: Daemon, path: str) -> str:
    answer = get(running, path)
    assert answer.status == 200, answer.body
    return unescape(answer.body.decode())


def post(
    running: Daemon, path: str, fields: list[tuple[str, str]], headers: dict[str, str] | None = None
) -> Response:
    return fetch(running, "POST", path, urlencode(fields), {**FORM, **(headers or {})})


def test_the_overview_shows_every_process_and_counts_states(daemon: Start) -> None:
    running = daemon(
        f"[programs.a]\n{SLEEPER}\ndescription = 'the first'\n[programs.w]\n{SLEEPER}\nnumprocs = 2\n"
        "[programs.broken]\ncommand = '/no/such/program'\n"
    )
    running.wait_for("broken", "FATAL")
    running.wait_for("w_1", "RUNNING")
    page = text(running, "/")
    assert "<title>1 FATAL · 3 RUNNING · kahi</title>" in page
    for name in ("a", "w_0", "w_1", "broken"):
        assert f'href="/process/{name}"' in page
    assert "the first" in page
    assert "cannot run /no/such/program: No such file or directory" in page
    assert re.search(r'class="group-name">w<', page)
    assert 'aria-label="last 15 minutes: ' in page
    assert "w_0" not in text(running, "/?q=broken")
    assert (
        "broken"
        not in re.sub(r"<template.*", "", text(running, "/?state=RUNNING"), flags=re.DOTALL).partition(
            "<tbody"
        )[2]
    )
    assert "Nothing matches." in text(running, "/?q=nothing-is-called-so")


def test_a_long_list_has_pages(daemon: Start) -> None:
    running = daemon("[programs.w]\ncommand = 'sleep 1'\nautostart = false\nnumprocs = 120\n")
    first, second = text(running, "/"), text(running, "/?page=2")
    assert first.count("<tr id=") + second.count("<tr id=") - 2 == 120
    assert "Page 2 of 2" in second
    assert len(json.loads(get(running, "/overview.json").body)["groups"][0]["processes"]) == 120
    assert text(running, "/?page=99999")


def test_forms_act_and_ask_where_it_hurts(daemon: Start) -> None:
    running = daemon(f"[programs.w]\n{SLEEPER}\nnumprocs = 2\n")
    running.wait_for("w_1", "RUNNING")
    answer = post(running, "/actions", [("action", "stop"), ("target", "w_0"), ("next", "/process/w_0")])
    assert (answer.status, answer.headers["location"]) == (303, "/process/w_0")
    running.wait_for("w_0", "STOPPED")
    refused = post(running, "/actions", [("action", "stop"), ("target", "w_0")])
    assert refused.status == 303
    assert "w_0: not running" in text(running, refused.headers["location"])

    assert post(running, "/actions", [("action", "start"), ("target", "w:*")]).status == 303
    running.wait_for("w_0", "RUNNING")
    question = post(running, "/actions", [("action", "stop"), ("target", "w_0"), ("target", "w_1")])
    assert question.status == 200
    assert "Stop 2 processes?" in question.body.decode()
    assert running.process("w_0").state == "RUNNING"
    post(running, "/actions", [("action", "stop"), ("target", "w_0"), ("target", "w_1"), ("sure", "yes")])
    running.wait_for("w_0", "STOPPED")
    running.wait_for("w_1", "STOPPED")


def test_scripts_get_their_answers_as_json(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    running.wait_for("a", "RUNNING")
    accept = {"Accept": "application/json"}
    before = running.process("a").pid
    answer = post(running, "/actions", [("action", "restart"), ("target", "a")], accept)
    assert json.loads(answer.body) == {}
    eventually(lambda: running.process("a").pid not in (0, before), "another pid")
    again = post(running, "/actions", [("action", "start"), ("target", "a")], accept)
    assert json.loads(again.body)["error"] == "a: already started"
    assert (
        json.loads(post(running, "/actions", [("action", "fly"), ("target", "a")], accept).body)["code"]
        == "BAD_REQUEST"
    )
    assert (
        json.loads(post(running, "/actions", [("action", "start"), ("target", "b")], accept).body)["code"]
        == "NOT_FOUND"
    )


def test_nobody_is_sent_elsewhere(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    for place in (
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\r\nX: y",
    ):
        answer = post(running, "/actions", [("action", "start"), ("target", "a"), ("next", place)])
        assert answer.status == 303
        assert answer.headers["location"].partition("?")[0] in ("/", "/%0D%0AX%3A%20y"), place


def test_the_page_of_a_process(daemon: Start) -> None:
    running = daemon(
        f"[programs.a]\n{python('import sys, time; print(1, file=sys.stderr); time.sleep(3600)')}\nstartsecs = 0\n"
        "directory = '/'\nenvironment = { TOKEN = 'canary-in-the-mine', LEVEL = '2' }\ndepends_on = { b = 'running' }\n"
        f"[programs.b]\n{SLEEPER}\n"
    )
    running.wait_for("a", "RUNNING")
    page = text(running, "/process/a")
    assert "<title>RUNNING a · kahi</title>" in page
    assert "<code>TOKEN</code>" in page
    assert "canary-in-the-mine" not in page
    assert sys.executable in page
    assert "b (running)" in page
    assert "PROCESS_STATE_RUNNING" in page
    for title in ("CPU", "Memory", "Restarts"):
        assert f"<figcaption>{title}" in page
    assert get(running, "/process/nobody").status == 404


def test_a_process_that_failed_says_why(daemon: Start) -> None:
    code = "import sys; print('no route to the database', file=sys.stderr); sys.exit(4)"
    running = daemon(f"[programs.a]\n{python(code)}\nstartretries = 0\n[programs.b]\ncommand = '/none'\n")
    running.wait_for("a", "FATAL")
    page = text(running, "/process/a")
    assert "Why it is FATAL" in page
    assert "exit status 4" in page
    assert "no route to the database" in page
    assert "cannot run /none: No such file or directory" in text(running, "/process/b")


def test_logs_page_by_page_and_as_a_file(daemon: Start, short_tmp: Path) -> None:
    log = short_tmp / "log"
    code = "for n in range(20000): print('line', n)"
    running = daemon(f"[programs.a]\n{python(code)}\noneshot = true\nstdout_logfile = '{log}'\n")
    running.wait_for("a", "EXITED")
    whole = log.read_text()
    newest = text(running, "/process/a/log/stdout")
    assert "line 19999\n" in newest
    older = re.search(r'\?offset=(\d+)">Older', newest)
    assert older is not None
    assert whole[int(older[1]) :][:100] in text(running, f"/process/a/log/stdout?offset={older[1]}")
    download = get(running, "/process/a/log/stdout/download")
    assert download.body.decode() == whole
    assert download.headers["content-disposition"] == 'attachment; filename="a-stdout.log"'
    assert get(running, "/process/a/log/stdin").status == 404
    assert get(running, "/process/a/log/stdout?offset=x").status == 400


@pytest.mark.fault("A9")
def test_nothing_from_outside_becomes_markup(daemon: Start) -> None:
    name = "<img,src=x>".replace(",", ";")
    code = "print('<script>alert(1)</script>'); raise SystemExit(3)"
    running = daemon(
        f'[programs."{name}"]\n{python(code)}\nstartretries = 0\ndescription = "<b>bold</b>"\nredirect_stderr = true\n'
    )
    running.wait_for(name, "FATAL")
    for path in (
        "/",
        f"/process/{name.replace('<', '%3C').replace('>', '%3E').replace(';', '%3B').replace('=', '%3D')}",
        "/events",
        "/config",
    ):
        body = get(running, path).body.decode()
        assert "<img;src" not in body, path
        assert "<script>alert" not in body, path
        assert "<b>bold" not in body, path
    assert "&lt;img;src=x&gt;" in get(running, "/").body.decode()


@pytest.mark.fault("A9")
def test_no_page_has_anything_inline(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    for path in ("/", "/process/a", "/process/a/log/stdout", "/events", "/config", "/plugins"):
        body = get(running, path).body.decode()
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", body), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', body), path


def test_assets_may_be_kept_for_ever(daemon: Start) -> None:
    running = daemon("")
    page = text(running, "/")
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        answer = get(running, path)
        assert answer.status == 200
        assert "immutable" in answer.headers["cache-control"]
    assert get(running, "/static/x/../../plugin.py").status == 404
    assert get(running, "/static/x/plugin.py").status == 404


def test_the_configuration_and_what_a_reload_would_change(daemon: Start) -> None:
    first = f"[programs.a]\n{SLEEPER}\nenvironment = {{ TOKEN = 'canary-in-the-mine' }}\n"
    running = daemon(first)
    running.wait_for("a", "RUNNING")
    page = text(running, "/config")
    assert "Nothing: the files say what is running." in page
    assert "canary-in-the-mine" not in page
    assert '"stopwaitsecs": 10.0' in page

    running.write_config(first.replace("3600", "3601") + f"[programs.b]\n{SLEEPER}\n")
    page = text(running, "/config")
    assert "<b>added</b> group b" in page
    assert "<b>restarted</b> process a, because of command" in page
    assert get(running, "/config/reload").status == 405
    assert running.process("a").restarts == 0
    answer = post(running, "/config/reload", [])
    assert (answer.status, answer.headers["location"]) == (303, "/config")
    running.wait_for("b", "RUNNING")

    running.write_config("[programs.a]\ncomand = 'x'\n")
    page = text(running, "/config")
    assert "The files cannot be used" in page
    assert "[programs.a] command: is missing" in page
    assert post(running, "/config/reload", []).status == 422
    assert running.process("b").state == "RUNNING"


PLUGIN = """
from markupsafe import Markup
from kahi.hookspecs import hookimpl
from kahi_webui.hookspecs import Column, Page

async def shout(request):
    return Markup("<p id='shout'>{}</p>").format("<loud>")

async def fail(request):
    raise RuntimeError("no page today")

def stumble(process):
    raise RuntimeError("no column today")

@hookimpl
def kahi_webui_pages(ctx):
    return [Page("shout", "Shouting", shout), Page("fail", "Failing", fail)]

@hookimpl
def kahi_webui_columns(ctx):
    return [Column("Letters", lambda process: f"{len(process.name)} letters"), Column("Stumbling", stumble)]
"""


def test_plugins_add_pages_and_columns(daemon: Start, short_tmp: Path) -> None:
    running = daemon(f"[programs.abc]\n{SLEEPER}\n", environ=install_plugin(short_tmp, "shouter", PLUGIN))
    running.wait_for("abc", "RUNNING")
    page = text(running, "/")
    assert ">Letters</th>" in page
    assert "3 letters" in page
    assert 'href="/pages/shout"' in page
    assert "<p id='shout'><loud></p>" in text(running, "/pages/shout")
    broken = get(running, "/pages/fail")
    assert broken.status == 500
    assert "could not make this page" in broken.body.decode()
    plugins = text(running, "/plugins")
    assert "shouter" in plugins
    assert "kahi_webui_columns" in plugins
    eventually(lambda: "no page today" in running.output, "the traceback")


def test_the_page_can_be_turned_off(daemon: Start) -> None:
    running = daemon("[webui]\nenabled = false\n")
    assert get(running, "/").status == 404
    assert get(running, "/healthz").status == 200


def test_what_is_open_is_told_of_changes(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    running.wait_for("a", "RUNNING")
    connection = connect(running)
    try:
        connection.request("GET", "/live?since=0")
        answer = connection.getresponse()
        assert (answer.status, answer.headers.get_content_type()) == (200, "text/event-stream")
        seen = b""

        def until(word: bytes) -> bool:
            nonlocal seen
            while word not in seen:
                seen += answer.read1(65536)
            return True

        assert until(b'"name":"a","state":"RUNNING"')
        with running.client() as client:
            client.stop("a")
        assert until(b'"state":"STOPPED"')
        running.write_config(f"[programs.a]\n{SLEEPER}\n[programs.b]\n{SLEEPER}\n")
        with running.client() as client:
            client.update()
        assert until(b"event: structure")
    finally:
        connection.close()


def test_samples_are_taken_while_somebody_looks(daemon: Start) -> None:
    running = daemon(f"[programs.a]\n{SLEEPER}\n")
    running.wait_for("a", "RUNNING")

    def known() -> bool:
        cpu, memory = json.loads(get(running, "/history.json?process=a").body)["a"]
        return bool(cpu) and memory[-1] is not None and memory[-1] > 100_000

    connection = connect(running)
    try:
        connection.request("GET", "/live")
        connection.getresponse().read1(16)
        eventually(known, "a sample")
    finally:
        connection.close()


def test_whether_samples_are_taken_while_nobody_looks(daemon: Start) -> None:
    """A page that can be reached has a past when it is opened, unless nobody wants that."""
    http = f"[server.http]\nenabled = true\nlisten = '127.0.0.1:0'\nusername = 'demo'\npassword = '{HASH}'\n"

    def samples() -> list[float | None]:
        return json.loads(get(running, "/history.json?process=a").body)["a"][1]

    running = daemon(f"{http}[programs.a]\n{SLEEPER}\n")
    eventually(lambda: samples()[-1:] not in ([], [None]), "a sample")
    running.terminate()
    running = daemon(f"{http}[webui]\nsampling = false\n[programs.a]\n{SLEEPER}\n")
    running.wait_for("a", "RUNNING")
    steadily(lambda: samples() == [], "no sample", 1.0)
