"""Whether FIPS mode is demanded: by the program `kahi-fips`, or by the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kahi.config.config import Config

_demanded = False


def demand() -> None:
    """This process is `kahi-fips`: nothing it does may go without FIPS mode."""
    global _demanded
    _demanded = True


def is_required(config: Config | None) -> bool:
    """Whether FIPS mode is demanded for ``config``, or by the program whatever it says."""
    if _demanded:
        return True
    settings = None if config is None else config.sections.get("fips")
    return settings is not None and settings.fips == "required"
