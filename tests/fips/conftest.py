"""Programs under OpenSSL's FIPS provider."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def provider_folder() -> Path:
    """Where ``tests/fips/build-provider`` put it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("KAHI_FIPS_PROVIDER") or cache / "kahi" / "fips")


@pytest.fixture
def provider() -> dict[str, str]:
    """The environment under which Python uses the FIPS provider."""
    folder = provider_folder()
    if not (folder / "openssl.cnf").exists():
        pytest.skip("needs OpenSSL's FIPS provider: tests/fips/build-provider")
    return {"OPENSSL_CONF": str(folder / "openssl.cnf"), "OPENSSL_MODULES": str(folder)}


@pytest.fixture
def kahi_fips() -> Run:
    """Runs the program `kahi-fips` to its end."""

    def run(*arguments: str, environ: dict[str, str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from kahi_fips.program import main; main()", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **environ},
            **options,  # type: ignore[call-overload]
        )

    return run
