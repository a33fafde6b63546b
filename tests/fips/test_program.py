"""FIPS mode through the real programs: what it refuses, and what is different in it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.fips.conftest import Run, provider_folder
from tests.support import ROOT, Daemon

Start = Callable[..., Daemon]
Environment = dict[str, str]


def configuration(
    folder: Path, *, include: bool = True, activate: bool = True, properties: bool = True
) -> Path:
    """An openssl.cnf that lacks something."""
    lines = ["openssl_conf = openssl_init"]
    if include:
        lines.append(f".include {provider_folder() / 'fipsmodule.cnf'}")
    lines.append("[openssl_init]")
    if activate:
        lines.append("providers = provider_sect")
    if properties:
        lines.append("alg_section = algorithm_sect")
    lines += ["[provider_sect]", "fips = fips_sect", "base = base_sect", "[base_sect]", "activate = 1"]
    lines += ["[algorithm_sect]", "default_properties = fips=yes"]
    path = folder / "openssl.cnf"
    path.write_text("\n".join(lines) + "\n")
    return path


def nothing(folder: Path, good: Environment) -> Environment:
    return {}


def missing_file(folder: Path, good: Environment) -> Environment:
    return good | {"OPENSSL_CONF": str(folder / "none.cnf")}


def without_property(folder: Path, good: Environment) -> Environment:
    return good | {"OPENSSL_CONF": str(configuration(folder, properties=False))}


def property_only(folder: Path, good: Environment) -> Environment:
    return good | {"OPENSSL_CONF": str(configuration(folder, include=False, activate=False))}


def tampered(folder: Path, good: Environment) -> Environment:
    module = bytearray((provider_folder() / "fips.so").read_bytes())
    at = module.rindex(b"OpenSSL FIPS Provider")
    module[at : at + 7] = b"OpenSLL"
    (folder / "fips.so").write_bytes(module)
    return good | {"OPENSSL_MODULES": str(folder)}


def missing_module(folder: Path, good: Environment) -> Environment:
    return good | {"OPENSSL_MODULES": str(folder)}


WRONG = [nothing, missing_file, without_property, property_only, tampered, missing_module]


@pytest.mark.parametrize("wrong", WRONG, ids=[each.__name__ for each in WRONG])
def test_a_wrong_set_up_is_refused_with_one_line(
    wrong: Callable[[Path, Environment], Environment], provider: Environment, kahi_fips: Run, short_tmp: Path
) -> None:
    done = kahi_fips("version", environ=wrong(short_tmp, provider))
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("kahi-fips: FIPS mode is required, but ")


def test_with_the_provider_it_is_kahi(provider: Environment, kahi_fips: Run) -> None:
    done = kahi_fips("version", "--json", environ=provider)
    told = json.loads(done.stdout)["fips"]
    assert told["mode"] == "required"
    assert told["provider"] == "OpenSSL FIPS Provider"
    assert told["version"].startswith("3.")
    hashed = kahi_fips("hash-password", environ=provider, input="secret\n")
    assert hashed.stdout.startswith("$pbkdf2-sha512$210000$"), hashed.stderr
    refused = kahi_fips("hash-password", "--algorithm", "bcrypt", environ=provider, input="secret\n")
    assert refused.returncode == 1
    assert "not FIPS-approved" in refused.stderr


def test_without_demand_nothing_changes(kahi: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert json.loads(kahi("version", "--json").stdout)["fips"] == {"mode": "off"}
    assert kahi("hash-password", input="secret\n").stdout.startswith("$2b$")


def test_nobody_turns_the_plugin_off(provider: Environment, kahi_fips: Run, short_tmp: Path) -> None:
    config = short_tmp / "kahi.toml"
    config.write_text('[supervisor]\ndisabled_plugins = ["fips"]\n')
    empty = short_tmp / "empty.toml"
    empty.touch()
    for environ, path, by in (
        ({}, config, "disabled_plugins"),
        ({"KAHI_DISABLE_PLUGINS": "fips"}, empty, "$KAHI_DISABLE_PLUGINS"),
    ):
        done = kahi_fips("check", "-c", str(path), environ=provider | environ)
        assert done.returncode == 1
        assert done.stderr == f"kahi: required plugin 'fips' is disabled: by {by}\n"


def test_the_configuration_can_demand_it(
    kahi: Callable[..., subprocess.CompletedProcess[str]], provider: Environment, short_tmp: Path
) -> None:
    config = short_tmp / "kahi.toml"
    config.write_text('[supervisor]\nfips = "required"\n')
    for command in ("check", "daemon"):
        done = kahi(command, "-c", str(config))
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "[supervisor] fips: FIPS mode is required, but OpenSSL has no FIPS provider loaded" in line
    assert kahi("check", "-c", str(config), environ=provider).returncode == 0
    config.write_text('[supervisor]\nfips = "yes"\n')
    assert "is not allowed (allowed: 'off' or 'required')" in kahi("check", "-c", str(config)).stderr


def test_without_the_plugin_the_demand_is_an_error(
    kahi: Callable[..., subprocess.CompletedProcess[str]], short_tmp: Path
) -> None:
    config = short_tmp / "kahi.toml"
    config.write_text('[supervisor]\nfips = "required"\n')
    done = kahi("check", "-c", str(config), environ={"KAHI_DISABLE_PLUGINS": "fips"})
    assert done.returncode == 1
    assert (
        "kahi.toml:2: [supervisor] fips: needs a plugin that is not installed: pip install 'kahi[fips]'"
        in done.stderr
    )


def served(short_tmp: Path, hashed: str) -> tuple[str, int]:
    """A configuration with TLS and a password, and the port it is served on."""
    certificate, key = short_tmp / "cert.pem", short_tmp / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", *kind, *subject, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("OPENSSL_")},
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return (
        f'[supervisor]\nfips = "required"\n[server.http]\nenabled = true\nlisten = "127.0.0.1:{port}"\n'
        f"username = 'kahi'\npassword = '{hashed}'\ntls_cert = '{certificate}'\ntls_key = '{key}'\n"
        "[programs.a]\ncommand = 'sleep 3600'\nstartsecs = 0\n",
        port,
    )


def test_the_daemon_serves_with_approved_means_only(
    daemon: Start, provider: Environment, kahi_fips: Run, short_tmp: Path
) -> None:
    hashed = kahi_fips("hash-password", environ=provider, input="secret\n").stdout.strip()
    toml, port = served(short_tmp, hashed)
    running = daemon(toml, environ=provider)

    def ask(context: ssl.SSLContext, password: str = "secret") -> int:
        context.load_verify_locations(short_tmp / "cert.pem")
        connection = HTTPSConnection("localhost", port, context=context, timeout=20)
        try:
            credentials = b64encode(f"kahi:{password}".encode()).decode()
            connection.request("GET", "/api/v1/processes", headers={"Authorization": f"Basic {credentials}"})
            return connection.getresponse().status
        finally:
            connection.close()

    assert ask(ssl.create_default_context()) == 200
    assert ask(ssl.create_default_context(), "wrong") == 401
    for weak in (_only_chacha(), _only_x25519()):
        with pytest.raises(ssl.SSLError):
            ask(weak)
    assert running.get("/api/v1/version")["fips"] is True
    loaded = Path(f"/proc/{running.pid}/maps").read_text()
    assert "fips.so" in loaded
    assert "_bcrypt" not in loaded


def _only_chacha() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    return context


def _only_x25519() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_ecdh_curve("X25519")
    return context


def test_a_bcrypt_hash_is_refused_at_load(
    kahi: Callable[..., subprocess.CompletedProcess[str]], provider: Environment, short_tmp: Path
) -> None:
    toml, _ = served(short_tmp, "$2b$04$daevg5og8unOiPFWy49mQO3FrAApS/rsJeNAkTC0GpDhc58tolTgu")
    (short_tmp / "kahi.toml").write_text(toml)
    done = kahi("check", "-c", str(short_tmp / "kahi.toml"), environ=provider)
    assert done.returncode == 1
    assert "is a bcrypt hash, which is not FIPS-approved" in done.stderr


@pytest.mark.slow
def test_the_suites_of_passwords_tls_and_webhooks_pass_under_the_provider(provider: Environment) -> None:
    wanted = ["tests/api/test_passwords.py", "tests/e2e/test_api_tcp.py", "tests/webhooks"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *wanted],
        cwd=ROOT,
        env={**os.environ, **provider},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
