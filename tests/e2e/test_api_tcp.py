"""The API over TCP: passwords, TLS, web pages, and what plugins have to say about it."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import os
import signal
import socket
import ssl
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kahi_api import limits
from kahi_api.hashers import Bcrypt, Pbkdf2
from kahi_api.throttle import FAILURES
from tests.api.raw import answer_of, connect, exchange, is_closed, request
from tests.support import Daemon, eventually, install_plugin

Start = Callable[..., Daemon]
Run = Callable[..., subprocess.CompletedProcess[str]]
Place = tuple[str, int]

PASSWORD = "correct horse"
CHEAP = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http_table(port: int, *lines: str, hashed: str = CHEAP) -> str:
    """A configuration of the API over TCP."""
    return "\n".join(
        [
            "[server.http]",
            "enabled = true",
            *([] if any(line.startswith("listen") for line in lines) else [f'listen = "127.0.0.1:{port}"']),
            'username = "ann"',
            f"password = '{hashed.replace('$', '$$')}'",
            *lines,
            "",
        ]
    )


def login(user: str = "ann", password: str = PASSWORD) -> str:
    """The header that says who it is."""
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(place: Place, *headers: str, method: str = "GET", target: str = "/api/v1/version") -> tuple[int, Any]:
    """Status and code (or body) of one request."""
    status, _, body = exchange(place, request(method, target, headers=("Host: localhost", *headers)))
    return status, body.get("code", body) if isinstance(body, dict) else body


# What is refused before anything is served


@pytest.mark.fault("A14")
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("enabled = true", "is not served without username and password"),
        ('enabled = true\nusername = "ann"', "is not served without username and password"),
        ('password = "correct horse"', "password: is no hash"),
        ("password = '$$2b$$12$$short'", "password: is no bcrypt hash"),
        (f"password = '{CHEAP.replace('$04$', '$31$').replace('$', '$$')}'", "password: has the cost 31"),
        ("password = '$$apr1$$x$$y'", "password: is no hash of a known kind"),
        ('listen = "nowhere"', "listen: is no address"),
        ('listen = "::1:80"', "listen: is no address"),
        ('username = "a:b"', "username: cannot be sent"),
        ('tls_cert = "/x"', "tls_cert and tls_key belong together"),
    ],
)
def test_settings_that_are_refused(kahi: Run, tmp_path: Path, lines: str, message: str) -> None:
    config = tmp_path / "kahi.toml"
    config.write_text(f"[server.http]\n{lines}\n")
    checked = kahi("check", "-c", str(config))
    assert checked.returncode == 1
    assert message in checked.stderr
    assert "horse" not in checked.stderr


def test_a_port_that_somebody_has(daemon: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = daemon(http_table(port), wait=False)
        assert running.wait() == 1
    assert f"kahi: cannot listen on 127.0.0.1:{port}: Address already in use" in running.output


# Passwords


@pytest.mark.parametrize("hashed", [CHEAP, Pbkdf2().hash(PASSWORD.encode())], ids=["bcrypt", "pbkdf2"])
def test_user_name_and_password(daemon: Start, hashed: str) -> None:
    place = ("127.0.0.1", free_port())
    running = daemon(http_table(place[1], hashed=hashed))
    assert ask(place, target="/healthz") == (200, {"status": "ok"})
    assert ask(place) == (401, "UNAUTHORIZED")
    assert ask(place, login())[0] == 200
    for header in (
        login(password="wrong"),
        login(user="bob"),
        login(password=PASSWORD + "x"),
        login(password="x" * 100),
        login(password=PASSWORD + "\0"),
        "Authorization: Basic !!!",
        "Authorization: Basic " + base64.b64encode(b"ann").decode(),
        "Authorization: Bearer x",
        "Authorization: Basic",
    ):
        assert ask(place, header) == (401, "UNAUTHORIZED"), header
    assert ask(place, target="/nothing") == (401, "UNAUTHORIZED"), "strangers are told nothing"
    assert ask(place, login(), target="/nothing") == (404, "NOT_FOUND")
    running.says("authentication failed from 127.0.0.1")
    for secret in ("wrong", PASSWORD, hashed, "bob"):
        assert secret not in running.output


@pytest.mark.fault("A11")
def test_guessing_is_slowed_down(daemon: Start) -> None:
    place = ("127.0.0.1", free_port())
    running = daemon(http_table(place[1]))
    assert ask(place, login())[0] == 200
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: ask(place, login(password=str(number))), range(FAILURES * 2)))
    assert answers.count((401, "UNAUTHORIZED")) == FAILURES
    assert answers.count((429, "TOO_MANY_REQUESTS")) == FAILURES
    status, fields, _ = exchange(
        place, request("GET", "/api/v1/version", headers=("Host: localhost", login("x")))
    )
    assert status == 429
    assert 0 < int(fields["retry-after"]) <= 60
    # Who is known already, and who asks for nothing secret, goes on.
    assert ask(place, login())[0] == 200
    assert ask(place, target="/healthz")[0] == 200
    assert exchange(running.socket, request("GET", "/api/v1/version"))[0] == 200


@pytest.mark.fault("A11")
@pytest.mark.slow
def test_hashing_is_off_the_loop_and_paid_once(daemon: Start) -> None:
    place = ("127.0.0.1", free_port())
    running = daemon(http_table(place[1], hashed=Bcrypt(rounds=13).hash(PASSWORD.encode())))
    begin = time.monotonic()
    assert ask(place, login())[0] == 200
    first = time.monotonic() - begin
    begin = time.monotonic()
    for _ in range(20):
        assert ask(place, login())[0] == 200
    assert time.monotonic() - begin < first * 5, "each request pays"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        attempts = [pool.submit(ask, place, login(password=str(number))) for number in range(8)]
        gaps: list[float] = []
        while not all(attempt.done() for attempt in attempts):
            begin = time.monotonic()
            assert exchange(running.socket, request("GET", "/healthz"))[0] == 200
            gaps.append(time.monotonic() - begin)
    assert len(gaps) > 20
    assert statistics.median(gaps) < 0.1
    assert max(gaps) < first, "the loop waited for a hash"


@pytest.mark.fault("A12")
@pytest.mark.slow
def test_unknown_users_cost_as_much_as_known_ones(daemon: Start) -> None:
    place = ("127.0.0.1", free_port())
    daemon(http_table(place[1], hashed=Bcrypt(rounds=12).hash(PASSWORD.encode())))

    def took(user: str) -> float:
        begin = time.process_time() and time.monotonic()
        assert ask(place, login(user, "wrong")) == (401, "UNAUTHORIZED")
        return time.monotonic() - begin

    known, unknown = zip(*[(took("ann"), took("bob")) for _ in range(5)], strict=True)
    assert 0.5 < min(known) / min(unknown) < 2


def test_a_new_password_counts_from_the_reload_on(daemon: Start) -> None:
    place = ("127.0.0.1", free_port())
    running = daemon(http_table(place[1]))
    assert ask(place, login())[0] == 200
    running.write_config(http_table(place[1], hashed=Bcrypt(rounds=4).hash(b"another")))
    running.signal(signal.SIGHUP)
    eventually(lambda: ask(place, login(password="another"))[0] == 200, "the new one is right")
    assert ask(place, login())[0] == 401
    running.write_config(http_table(place[1], "allowed_hosts = ['x']", hashed=CHEAP))
    running.signal(signal.SIGHUP)
    eventually(lambda: "need a restart" in running.output, "what can not be taken over is told")


# Web pages

SAME = ("Sec-Fetch-Site: same-origin",)
ORIGIN = "Origin: http://localhost"


@pytest.mark.fault("A8")
@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", ("Host: localhost",), 200),
        ("GET", ("Host: LOCALHOST:8080",), 200),
        ("GET", ("Host: 127.0.0.1",), 200),
        ("GET", ("Host: [::1]:9876",), 200),
        ("GET", ("Host: kahi.example",), 200),
        ("GET", ("Host: kahi.example:443",), 200),
        ("GET", ("Host: ported.example:8443",), 200),
        ("GET", ("Host: ported.example",), 421),
        ("GET", ("Host: ported.example:1",), 421),
        ("GET", ("Host: evil.example",), 421),
        ("GET", ("Host: localhost.evil.example",), 421),
        ("GET", ("Host: evil.example@localhost",), 421),
        ("GET", ("Host:",), 421),
        ("POST", ("Host: evil.example", "Origin: http://evil.example"), 421),
        ("GET", ("Host: localhost", "Sec-Fetch-Site: cross-site"), 403),
        ("GET", ("Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"), 200),
        ("GET", ("Host: localhost", "Sec-Fetch-Site: same-site"), 403),
        ("GET", ("Host: localhost", "Sec-Fetch-Site: none"), 200),
        ("GET", ("Host: localhost", *SAME), 200),
        ("POST", ("Host: localhost",), 200),
        ("POST", ("Host: localhost", *SAME, ORIGIN), 200),
        ("POST", ("Host: localhost:81", "Origin: http://localhost:81"), 200),
        ("POST", ("Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"), 403),
        ("POST", ("Host: localhost", "Sec-Fetch-Site: same-site"), 403),
        ("POST", ("Host: localhost", "Origin: http://evil.example"), 403),
        ("POST", ("Host: localhost", "Origin: http://localhost:81"), 403),
        ("POST", ("Host: localhost", "Origin: https://localhost"), 403),
        ("POST", ("Host: localhost", "Origin: null"), 403),
        ("POST", ("Host: localhost", "Origin: http://localhost.evil.example"), 403),
    ],
)
def test_hosts_and_origins(
    browsed: tuple[Place, Daemon], method: str, headers: tuple[str, ...], status: int
) -> None:
    place, _ = browsed
    target = "/api/v1/version" if method == "GET" else "/api/v1/config/reread"
    found, fields, _ = exchange(place, request(method, target, headers=(login(), *headers)))
    assert found == status
    assert "access-control-allow-origin" not in fields
    policy = fields["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["referrer-policy"] == "no-referrer"
    assert "server" not in fields


@pytest.fixture(scope="module")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A daemon that all questions of browsers go to."""
    port = free_port()
    table = http_table(port, 'allowed_hosts = ["kahi.example", "ported.example:8443"]')
    running = Daemon(tmp_path_factory.mktemp("b"), table)
    yield ("127.0.0.1", port), running
    running.end()


@pytest.mark.fault("A8")
def test_a_unix_socket_has_no_host_but_knows_origins(browsed: tuple[Place, Daemon]) -> None:
    _, running = browsed

    def post(*headers: str) -> int:
        return exchange(running.socket, request("POST", "/api/v1/config/reread", headers=headers))[0]

    assert post("Host: anything") == 200
    assert post("Host: kahi.example", "Origin: https://kahi.example") == 200, "a proxy that speaks TLS"
    assert post("Host: kahi.example", "Origin: https://evil.example") == 403


@pytest.mark.fault("A8")
def test_simple_requests_reach_nothing(browsed: tuple[Place, Daemon]) -> None:
    place, _ = browsed
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        headers = (
            ("Host: localhost", login(), f"Content-Type: {kind}") if kind else ("Host: localhost", login())
        )
        body = b'{"action": "stop", "targets": ["all"]}'
        assert exchange(place, request("POST", "/api/v1/actions", body, headers))[0] == 415


# TLS


def certificate(directory: Path, name: str = "kahi.example") -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    names = ("-subj", f"/CN={name}", "-keyout", str(key), "-out", str(cert))
    subprocess.run(["openssl", "req", *kind, *names], check=True, capture_output=True)
    return cert, key


def client_context(**versions: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that trusts anybody."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, version in versions.items():
        setattr(context, name, version)
    return context


def tls_table(port: int, cert: Path, key: Path, *lines: str) -> str:
    """A configuration of the API over TLS."""
    return http_table(port, f'tls_cert = "{cert}"', f'tls_key = "{key}"', *lines)


def subject_at(place: Place) -> str:
    """Whom the certificate names that is shown there."""
    with connect(place) as plain, client_context().wrap_socket(plain) as connection:
        shown = ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")
    done = subprocess.run(
        ["openssl", "x509", "-noout", "-subject"], input=shown, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_tls(daemon: Start, short_tmp: Path) -> None:
    place = ("127.0.0.1", free_port())
    cert, key = certificate(short_tmp)
    running = daemon(tls_table(place[1], cert, key))
    with connect(place) as plain, client_context().wrap_socket(plain) as connection:
        assert connection.version() == "TLSv1.3"
        connection.sendall(request("GET", "/api/v1/version", headers=("Host: localhost", login())))
        assert answer_of(connection)[0] == 200  # type: ignore[arg-type]
        # The scheme of the origin has to be ours as well.
        for origin, status in (("https://localhost", 200), ("http://localhost", 403)):
            headers = ("Host: localhost", login(), f"Origin: {origin}")
            connection.sendall(request("POST", "/api/v1/config/reread", headers=headers))
            assert answer_of(connection)[0] == status  # type: ignore[arg-type]
    older = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with connect(place) as plain, older.wrap_socket(plain) as connection:
        assert connection.cipher()[0].startswith("ECDHE-")  # type: ignore[index]
    for weak in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA"):
        context = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(weak)
        with connect(place) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain)
    old = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{place[1]}", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"],
        capture_output=True,
        input=b"",
        check=False,
    )
    assert old.returncode != 0
    with connect(place) as plain:
        plain.sendall(request("GET", "/healthz"))
        assert plain.recv(100)[:4] != b"HTTP", "plain HTTP on the TLS port"
    assert "Traceback" not in running.output


@pytest.mark.fault("A3")
@pytest.mark.slow
def test_half_done_handshakes_are_gone_and_counted(daemon: Start, short_tmp: Path) -> None:
    place = ("127.0.0.1", free_port())
    running = daemon("[server]\nmax_connections = 40\n" + tls_table(place[1], *certificate(short_tmp)))
    begin = time.monotonic()
    connections = [connect(place) for _ in range(100)]
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.sendall(b"\x16\x03\x01")
    eventually(lambda: sum(map(is_closed, connections)) >= 80, "those above the limit are closed", 3)
    assert exchange(running.socket, request("GET", "/healthz"))[0] == 200, "some places are kept for us"
    eventually(lambda: all(map(is_closed, connections)), "all are closed", limits.HANDSHAKE_TIME + 5)
    assert time.monotonic() - begin > limits.HANDSHAKE_TIME - 1
    with connect(place) as plain, client_context().wrap_socket(plain):
        pass
    for connection in connections:
        connection.close()


def test_a_renewed_certificate_is_taken_over(daemon: Start, short_tmp: Path) -> None:
    place = ("127.0.0.1", free_port())
    cert, key = certificate(short_tmp)
    running = daemon(tls_table(place[1], cert, key))
    assert "kahi.example" in subject_at(place)
    new_cert, new_key = certificate(short_tmp, "renewed.example")
    new_cert.replace(cert)
    new_key.replace(key)
    running.signal(signal.SIGHUP)
    eventually(lambda: "renewed.example" in subject_at(place), "the new one is shown")


def test_certificates_that_can_not_be_used(kahi: Run, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    _, other = certificate(tmp_path, "other")
    encrypted = tmp_path / "encrypted"
    subprocess.run(
        ["openssl", "ec", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(encrypted)],
        check=True,
        capture_output=True,
        # PEM encryption of old derives its key by MD5, which a FIPS provider does not have.
        env={name: value for name, value in os.environ.items() if not name.startswith("OPENSSL_")},
    )
    config = tmp_path / "kahi.toml"
    for cert_path, key_path, message in (
        (cert, other, "tls_key: is not the key of tls_cert"),
        (tmp_path / "none", key, "tls_cert: cannot read"),
        (cert, encrypted, "is encrypted"),
        (key, key, "cannot be used"),
    ):
        config.write_text(tls_table(9876, cert_path, key_path))
        checked = kahi("check", "-c", str(config), stdin=subprocess.DEVNULL)
        assert (checked.returncode, message in checked.stderr) == (1, True), checked.stderr


def test_other_addresses_without_tls_are_warned_about(daemon: Start, short_tmp: Path) -> None:
    warning = "without TLS: passwords can be read on the way"
    port = free_port()
    running = daemon(http_table(port, f'listen = "0.0.0.0:{port}"'))
    running.says(warning)
    assert ask(("127.0.0.1", port), login())[0] == 200


def test_ipv6(daemon: Start) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    running = daemon(http_table(port, f'listen = "[::1]:{port}"'))
    assert ask(("::1", port), login())[0] == 200
    running.says(f"http://[::1]:{port}")
    assert "without TLS" not in running.output


@pytest.mark.fault("A2")
def test_some_connections_are_kept_for_the_unix_socket(daemon: Start) -> None:
    place = ("127.0.0.1", free_port())
    running = daemon("[server]\nmax_connections = 40\n" + http_table(place[1]))
    connections = [connect(place) for _ in range(50)]

    def refused() -> bool:
        with contextlib.suppress(OSError):
            return exchange(place, request("GET", "/healthz"))[0] == 503
        return False

    eventually(refused, "no place is left")
    assert exchange(running.socket, request("GET", "/healthz"))[0] == 200
    for connection in connections:
        connection.close()


# Plugins

TOKENS = """
import ssl
from kahi.hookspecs import hookimpl
from kahi_api.endpoint import Access
from kahi_api.identity import Identity, peer_of

@hookimpl
async def kahi_authenticate(request):
    token = request.headers.get("authorization", "")
    if token == "Bearer broken":
        raise RuntimeError("the directory is down")
    if token == "Bearer reader":
        return Identity("reader", Access.READ, peer_of(request))

@hookimpl
def kahi_tls_policy(context):
    context.minimum_version = ssl.TLSVersion.TLSv1_3

class NoBcrypt:
    name = "nothing"
    schemes = ("2b",)
    def check(self, hashed):
        raise ValueError("is a bcrypt hash, which is not approved here")
    def verify(self, secret, hashed):
        return False
    def hash(self, secret):
        return "$2b$never"

@hookimpl
def kahi_password_hashers():
    return [NoBcrypt()]
"""


def test_plugins_authenticate_hash_and_narrow_tls(daemon: Start, short_tmp: Path, kahi: Run) -> None:
    place = ("127.0.0.1", free_port())
    environ = install_plugin(short_tmp, "tokens", TOKENS)
    cert, key = certificate(short_tmp)
    config = short_tmp / "bcrypt.toml"
    config.write_text(http_table(1))
    checked = kahi("check", "-c", str(config), environ=environ)
    assert "password: is a bcrypt hash, which is not approved here" in checked.stderr
    assert kahi("hash-password", environ=environ, input="x\n").stdout == "$2b$never\n"

    hashed = kahi("hash-password", "--algorithm", "pbkdf2", environ=environ, input=PASSWORD + "\n").stdout
    table = http_table(place[1], f'tls_cert = "{cert}"', f'tls_key = "{key}"', hashed=hashed.strip())
    running = daemon(table, environ=environ)

    def secure(method: str, target: str, *headers: str) -> int:
        with connect(place) as plain, client_context().wrap_socket(plain) as connection:
            connection.sendall(request(method, target, headers=("Host: localhost", *headers)))
            return answer_of(connection)[0]  # type: ignore[arg-type]

    assert secure("GET", "/api/v1/version", "Authorization: Bearer reader") == 200
    assert secure("POST", "/api/v1/shutdown", "Authorization: Bearer reader") == 403
    assert secure("GET", "/api/v1/version", "Authorization: Bearer other") == 401
    assert secure("GET", "/api/v1/version", login()) == 200
    assert secure("GET", "/api/v1/version", "Authorization: Bearer broken") == 401
    running.says("plugin tokens: kahi_authenticate raised")
    older = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with connect(place) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        older.wrap_socket(plain)
