"""The ``[webui]`` table."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class WebUiSettings(BaseModel):
    """``[webui]``: the web page."""

    model_config = ConfigDict(frozen=True, strict=True)

    enabled: bool = Field(default=True, description="Serve the web page beside the API.")
    sampling: bool = Field(
        default=True,
        description="Note CPU and memory every 10 seconds while [server.http] is enabled, so that the page"
        " shows the last 15 minutes when it is opened; false: only while somebody looks at it.",
    )
