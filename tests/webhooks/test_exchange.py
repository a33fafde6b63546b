"""One attempt against receivers that are down, slow, hostile or not who they say."""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import anyio
import pytest

from kahi_webhooks.exchange import LONGEST_ANSWER, make_exchange, proxy_for
from kahi_webhooks.failure import AttemptFailed
from kahi_webhooks.settings import WebhookSettings
from kahi_webhooks.target import parse_target
from tests.support import make_certificate
from tests.webhooks.receiver import Receiver, answer

Receivers = Callable[..., Receiver]


def post(url: str, *, body: bytes = b"{}", **keys: Any) -> int:
    settings = WebhookSettings.model_validate({"url": url, "timeout": 5.0, **keys})
    return anyio.run(make_exchange(lambda _: None).post, settings, body, {"X-Kahi-Event": "X"})


def failure(url: str, **keys: Any) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as raised:
        post(url, **keys)
    return raised.value


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and their addresses, in place of what name servers say."""
    known: dict[str, list[str]] = {}
    original = socket.getaddrinfo

    def resolve(host: Any, port: Any, *arguments: Any, **more: Any) -> list[Any]:
        if host not in known:
            return original(host, port, *arguments, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


# Answers


def test_a_post_with_headers_and_credentials(receiver: Receivers) -> None:
    here = receiver(answer(204, body=b""))
    url = f"http://me:pass@127.0.0.1:{here.port}/a/b?c=d"
    assert post(url, body=b'{"a": 1}', headers={"X-Team": "ops"}) == 204
    [request] = here.received
    assert (request.method, request.path, request.json) == ("POST", "/a/b?c=d", {"a": 1})
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"me:pass").decode()
    assert request.headers["X-Team"] == "ops"
    assert request.headers["Host"] == f"127.0.0.1:{here.port}"
    assert request.headers["User-Agent"].startswith("kahi-webhooks/")


@pytest.mark.fault("W2")
@pytest.mark.parametrize(
    ("status", "temporary"), [(400, False), (404, False), (408, False), (429, True), (500, True), (503, True)]
)
def test_what_is_worth_another_attempt(receiver: Receivers, status: int, temporary: bool) -> None:
    error = failure(receiver(answer(status, body=b"no_\x1bteam")).url)
    assert error.temporary is temporary
    assert f"answered {status}" in str(error)
    assert "team" not in str(error)
    assert error.said == "no_ team"


@pytest.mark.fault("W2")
def test_retry_after(receiver: Receivers) -> None:
    assert failure(receiver(answer(429, {"Retry-After": "17"})).url).retry_after == 17


@pytest.mark.fault("W3")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receivers, status: int) -> None:
    trap = receiver()
    error = failure(receiver(answer(status, {"Location": trap.url})).url)
    assert "redirects are not followed" in str(error)
    assert not error.temporary
    assert trap.received == []


@pytest.mark.fault("W2")
def test_of_megabytes_only_the_beginning_is_read(receiver: Receivers) -> None:
    sent = 0

    def flood(handler: BaseHTTPRequestHandler, _: int) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        while sent < 500 * 1024 * 1024:
            handler.wfile.write(b"x" * 65536)
            sent += 65536

    assert post(receiver(flood).url) == 200
    assert LONGEST_ANSWER <= sent < 50 * 1024 * 1024


def test_a_status_counts_whatever_becomes_of_the_body(receiver: Receivers) -> None:
    here: Receiver

    def stall(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.send_response(202)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x")
        here.released.wait(20)

    here = receiver(stall)
    begin = time.monotonic()
    assert post(here.url, timeout=0.5) == 202
    assert time.monotonic() - begin < 5


@pytest.mark.fault("W1")
def test_one_that_hangs(receiver: Receivers) -> None:
    here: Receiver
    here = receiver(lambda *_: here.released.wait(20))
    error = failure(here.url, timeout=0.5)
    assert error.temporary
    assert str(error) == f"http://127.0.0.1:{here.port} did not answer in 0.5 s"


@pytest.mark.fault("W2")
def test_one_that_drips_its_head(receiver: Receivers) -> None:
    def drip(handler: BaseHTTPRequestHandler, _: int) -> None:
        for _each in range(200):
            handler.wfile.write(b"H")
            time.sleep(0.05)

    begin = time.monotonic()
    assert failure(receiver(drip).url, timeout=0.5).temporary
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    "said", [b"", b"hello\n\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n"]
)
def test_one_that_does_not_speak_http(receiver: Receivers, said: bytes) -> None:
    def speak(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.wfile.write(said)
        handler.close_connection = True

    error = failure(receiver(speak).url)
    assert error.temporary
    assert "it did not answer in HTTP" in str(error)


# Connections


@pytest.mark.fault("W1")
def test_nobody_there() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        error = failure(f"http://127.0.0.1:{port}/SECRET")
    assert error.temporary
    assert str(error) == f"http://127.0.0.1:{port}: cannot connect: Connection refused"


@pytest.mark.fault("W1")
def test_a_listener_whose_backlog_is_full() -> None:
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        error = failure(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.5)
    assert error.temporary


@pytest.mark.fault("W1")
def test_a_name_without_an_address() -> None:
    error = failure("https://no-such-host.invalid/SECRET")
    assert error.temporary
    assert "no-such-host.invalid has no address" in str(error)
    assert "SECRET" not in str(error)


@pytest.mark.fault("W1")
def test_a_resolver_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    answered = threading.Event()

    def hang(*_: Any, **__: Any) -> list[Any]:
        released.wait(20)
        answered.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    begin = time.monotonic()
    assert "did not answer in 0.3 s" in str(failure("https://hooks.example.org/", timeout=0.3))
    assert time.monotonic() - begin < 5
    released.set()
    assert answered.wait(20)


@pytest.mark.fault("W3")
@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "100.100.100.200"])
def test_a_name_that_leads_where_nothing_is_sent(names: dict[str, list[str]], address: str) -> None:
    names["hooks.example.org"] = ["127.0.0.1", address]
    error = failure("https://hooks.example.org/SECRET")
    assert not error.temporary
    assert f"hooks.example.org is {address}" in str(error)


@pytest.mark.fault("W3")
def test_http_stays_on_this_machine_whatever_its_name_says(names: dict[str, list[str]]) -> None:
    names["app.localhost"] = ["192.0.2.7"]
    error = failure("http://app.localhost:8080/")
    assert not error.temporary
    assert "http is for this one" in str(error)


def test_the_next_address_is_tried(receiver: Receivers, names: dict[str, list[str]]) -> None:
    names["app.localhost"] = ["127.0.0.2", "127.0.0.1"]
    here = receiver()
    assert post(f"http://app.localhost:{here.port}/") == 200
    assert here.received[0].headers["Host"] == f"app.localhost:{here.port}"


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    return make_certificate(tmp_path, "hooks.example.org")


def server_context(certificate: tuple[Path, Path], seen: list[str | None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.sni_callback = lambda _, name, __: seen.append(name)
    return context


@pytest.mark.fault("W3")
def test_the_checked_address_is_asked_by_its_name(
    receiver: Receivers,
    names: dict[str, list[str]],
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    seen: list[str | None] = []
    here = receiver(tls=server_context(certificate, seen))
    names["hooks.example.org"] = ["127.0.0.1"]
    assert post(f"https://hooks.example.org:{here.port}/x") == 200
    assert seen == ["hooks.example.org"]
    assert here.received[0].headers["Host"] == f"hooks.example.org:{here.port}"


def test_a_certificate_has_to_fit_the_name(
    receiver: Receivers,
    names: dict[str, list[str]],
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    here = receiver(tls=server_context(certificate, []))
    names["other.example.org"] = ["127.0.0.1"]
    error = failure(f"https://other.example.org:{here.port}/x")
    assert "its certificate is not trusted: Hostname mismatch" in str(error)
    assert here.received == []


def test_a_certificate_has_to_be_trusted(
    receiver: Receivers, names: dict[str, list[str]], certificate: tuple[Path, Path]
) -> None:
    here = receiver(tls=server_context(certificate, []))
    names["hooks.example.org"] = ["127.0.0.1"]
    assert "its certificate is not trusted" in str(failure(f"https://hooks.example.org:{here.port}/x"))


# Proxies


def test_the_proxy_of_the_environment(receiver: Receivers, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = receiver()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    assert post("http://hooks.example.org/x", allow_insecure=True) == 200
    assert proxy.received[0].path == "http://hooks.example.org/x"


def test_https_asks_the_proxy_for_a_tunnel(receiver: Receivers, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = receiver(answer(403))
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
    error = failure("https://hooks.example.org/SECRET")
    assert "the proxy refused to connect" in str(error)
    [request] = proxy.received
    assert (request.method, request.path) == ("CONNECT", "hooks.example.org:443")
    assert "SECRET" not in str(request.headers)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "ftp://user:SECRET@127.0.0.1:9", "http://[::"])
def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    error = failure("https://hooks.example.org/x")
    assert str(error) == "the proxy that the environment names cannot be used (allowed: http, https)"
    assert not error.temporary


def test_no_proxy(receiver: Receivers, monkeypatch: pytest.MonkeyPatch) -> None:
    here = receiver()
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert post(here.url) == 200
    monkeypatch.setenv("NO_PROXY", "example.org")
    assert proxy_for(parse_target("https://hooks.example.org/")) == ""
    assert proxy_for(parse_target("https://hooks.example.com/")) == "http://127.0.0.1:9"
