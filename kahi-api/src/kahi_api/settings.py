"""The ``[server]`` table."""

from __future__ import annotations

import os

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kahi.config.values import MAX_SOCKET_PATH, Mode


class UnixSettings(BaseModel):
    """``[server.unix]``: the control socket."""

    model_config = ConfigDict(frozen=True, strict=True)

    file: str = Field(
        default="", description='Path of the control socket; empty for the default, "none" for no socket.'
    )
    chmod: Mode = Field(default=0o700, description="Mode of the socket.")
    chown: str = Field(default="", description="USER or USER:GROUP that the socket is given to.")

    @field_validator("file")
    @classmethod
    def _fits(cls, path: str) -> str:
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise ValueError(f"is too long for a socket (at most {MAX_SOCKET_PATH} bytes)")
        return path


class ServerSettings(BaseModel):
    """``[server]``: where the API is served."""

    model_config = ConfigDict(frozen=True, strict=True)

    unix: UnixSettings = Field(default=UnixSettings(), description="The control socket.")
