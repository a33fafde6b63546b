"""`kahi-fips`: `kahi`, which refuses to do anything without OpenSSL's FIPS provider."""

from __future__ import annotations

import os
import sys

from kahi_fips import mode
from kahi_fips.provider import NoFipsProvider, require_provider

REQUIRE_VARIABLE = "KAHI_REQUIRE_PLUGINS"


def main() -> None:
    """Check, then be `kahi`; ends the process with the command's exit code."""
    mode.demand()
    try:
        require_provider()
    except NoFipsProvider as error:
        sys.stderr.write(f"kahi-fips: {error}\n")
        sys.exit(1)
    # Nobody can turn off the plugin that does the rest.
    os.environ[REQUIRE_VARIABLE] = ",".join(filter(None, (os.environ.get(REQUIRE_VARIABLE), "fips")))
    from kahi.cli import main as kahi

    kahi()
