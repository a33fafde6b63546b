"""`kahi ctl` over TCP: addresses, TLS, names and passwords, and hashing these."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kahi_api.client import Client
from tests.e2e.test_api_tcp import PASSWORD, certificate, free_port, http_table
from tests.support import Daemon
from tests.terminal import Terminal

Start = Callable[..., Daemon]
Run = Callable[..., subprocess.CompletedProcess[str]]

SLEEPER = "[programs.web]\ncommand = 'sleep 3600'\nstartsecs = 0\n"
LOGIN = {"KAHI_USERNAME": "ann", "KAHI_PASSWORD": PASSWORD}


@pytest.fixture
def place(daemon: Start) -> str:
    """The address of a daemon that serves its API over TCP."""
    port = free_port()
    daemon(SLEEPER + http_table(port)).wait_for("web", "RUNNING")
    return f"127.0.0.1:{port}"


def test_name_and_password(kahi: Run, place: str) -> None:
    assert kahi("ctl", "--addr", place, "status", environ=LOGIN).returncode == 0
    assert kahi("ctl", "--addr", f"http://{place}", "pid", environ=LOGIN).returncode == 0
    for arguments in (
        ("ctl", "--addr", place, "-u", "ann", "-p", PASSWORD, "status"),
        ("ctl", "status", "--addr", place, "--username", "ann", "--password", PASSWORD),
        ("ctl", "pid", "--addr", place, "-u", "ann", "-p", PASSWORD),
    ):
        assert kahi(*arguments).returncode == 0, arguments
    for environ in ({}, {**LOGIN, "KAHI_PASSWORD": "wrong"}):
        for command in ("status", "pid"):
            done = kahi("ctl", "--addr", place, command, environ=environ)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith("kahi: ")
            assert done.stderr.count("\n") == 1
            assert "wrong" not in done.stderr.replace("wrong user", "")
    # Probes need nobody's name.
    assert kahi("ctl", "--addr", place, "health").stdout == "OK\n"


def test_operating_and_following(kahi: Run, place: str) -> None:
    done = kahi("ctl", "--addr", place, "restart", "web", environ=LOGIN)
    assert (done.returncode, done.stdout) == (0, "web: restarted\n")
    with Client(f"http://{place}", username="ann", password=PASSWORD) as client:
        piece = client.log("web")
        stream = client.follow_log("web", offset=piece.offset)
        client.send("web", b"x")
        stream.close()  # type: ignore[attr-defined]
    done = kahi("ctl", "--addr", place, "shutdown", environ=LOGIN)
    assert (done.returncode, done.stdout) == (0, "shut down\n")


def test_a_password_that_is_asked_for(daemon: Start, terminal: Callable[..., Terminal], place: str) -> None:
    for command in ("status", "pid"):
        shown = terminal(
            [sys.executable, "-m", "kahi", "ctl", "--addr", place, "-u", "ann", "-p", "-", command, "web"]
        )
        shown.wait_for("Password: ")
        shown.send(f"{PASSWORD}\n")
        assert shown.wait() == 0
        assert PASSWORD not in shown.text
        assert shown.is_cooked()


def test_tls(daemon: Start, kahi: Run, tmp_path: Path) -> None:
    port = free_port()
    cert, key = certificate(tmp_path, "localhost")
    tls = (f'tls_cert = "{cert}"', f'tls_key = "{key}"')
    daemon(SLEEPER + http_table(port, *tls)).wait_for("web", "RUNNING")
    address = f"https://localhost:{port}"
    trusting = {**LOGIN, "SSL_CERT_FILE": str(cert)}
    for command in ("status", "pid"):
        assert kahi("ctl", "--addr", address, command, environ=trusting).returncode == 0
        refused = kahi("ctl", "--addr", address, command, environ=LOGIN)
        assert refused.returncode == 1
        assert refused.stderr.startswith(
            f"kahi: cannot connect to the daemon at {address} (its certificate is not trusted: "
        )
        plain = kahi("ctl", "--addr", f"localhost:{port}", command, environ=trusting)
        assert plain.returncode == 1
        assert plain.stderr.startswith("kahi: ")
        assert plain.stderr.count("\n") == 1
    found = json.loads(kahi("ctl", "--addr", address, "status", "--json", environ=trusting).stdout)
    assert found[0]["name"] == "web"


def test_hash_password(kahi: Run, daemon: Start, terminal: Callable[..., Terminal]) -> None:
    for algorithm, start in (("bcrypt", "$2b$12$"), ("pbkdf2", "$pbkdf2-sha256$")):
        done = kahi("hash-password", "--algorithm", algorithm, input=f"{PASSWORD}\n")
        assert done.returncode == 0
        assert done.stdout.startswith(start)
        port = free_port()
        running = daemon(SLEEPER + http_table(port, hashed=done.stdout.strip()))
        assert kahi("ctl", "--addr", f"127.0.0.1:{port}", "pid", environ=LOGIN).stdout == f"{running.pid}\n"
        running.terminate()
    for text, reason in (
        ("\n", "kahi: the password is empty\n"),
        ("x" * 73 + "\n", "kahi: the password is longer than 72 bytes, which bcrypt would cut off"),
    ):
        done = kahi("hash-password", input=text)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(reason)
    assert kahi("hash-password", "--algorithm", "pbkdf2", input="x" * 73).returncode == 0
    wrong = kahi("hash-password", "--algorithm", "md5", input="x\n")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    shown = terminal([sys.executable, "-m", "kahi", "hash-password", "--rounds", "4"])
    shown.wait_for("Password: ")
    shown.send("secret\n")
    shown.wait_for("[Rr]epeat.*: ")
    shown.send("secret\n")
    shown.wait_for(r"\$2b\$04\$")
    assert shown.wait() == 0
    assert "secret" not in shown.text
