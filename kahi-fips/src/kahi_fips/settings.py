"""What ``[supervisor]`` may say of FIPS."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FipsSettings(BaseModel):
    """Keys in ``[supervisor]``."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    fips: Literal["off", "required"] = Field(
        default="off",
        description='"required": start only when OpenSSL\'s FIPS provider is in use, and use nothing else.',
    )
