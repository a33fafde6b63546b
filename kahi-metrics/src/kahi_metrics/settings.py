"""The ``[metrics]`` table."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class MetricsSettings(BaseModel):
    """``[metrics]``: what Prometheus scrapes."""

    model_config = ConfigDict(frozen=True, strict=True)

    enabled: bool = Field(default=True, description="Serve /metrics beside the API.")
    require_auth: bool = Field(
        default=False, description="Ask for user name and password, as the rest of the API does."
    )
