"""The ``[server]`` table."""

from __future__ import annotations

import os
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from kahi.config.values import MAX_SOCKET_PATH, Mode, parse_socket
from kahi_api import limits

OWNER_ONLY: Final = 0o700
FEWEST_CONNECTIONS: Final = 8


class UnixSettings(BaseModel):
    """``[server.unix]``: the control socket."""

    model_config = ConfigDict(frozen=True, strict=True)

    file: str = Field(
        default="", description='Path of the control socket; empty for the default, "none" for no socket.'
    )
    chmod: Mode = Field(
        default=OWNER_ONLY,
        description="Mode of the socket; wider than 0700 needs allow_users or allow_groups.",
    )
    chown: str = Field(default="", description="USER or USER:GROUP that the socket is given to.")
    allow_users: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="Users (names or ids) that may use it besides the daemon's own and root."
    )
    allow_groups: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="Groups (names or ids) whose members may use it."
    )

    @field_validator("file")
    @classmethod
    def _fits(cls, path: str) -> str:
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise ValueError(f"is too long for a socket (at most {MAX_SOCKET_PATH} bytes)")
        return path

    @property
    def mode(self) -> int:
        """The mode of the socket."""
        return OWNER_ONLY if self.chmod is None else self.chmod


class HttpSettings(BaseModel):
    """``[server.http]``: the API over TCP."""

    model_config = ConfigDict(frozen=True, strict=True)

    enabled: bool = Field(default=False, description="Serve the API over TCP.")
    listen: str = Field(default="127.0.0.1:9876", description='Where: "host:port", "[::1]:port", ":port".')
    username: str = Field(default="", description="Who may use it.")
    password: SecretStr = Field(
        default=SecretStr(""), description="Hash of the password, as `kahi hash-password` prints it."
    )
    tls_cert: str = Field(default="", description="File of the certificate and its chain (PEM).")
    tls_key: str = Field(default="", description="File of the certificate's key (PEM).")
    allowed_hosts: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="Names under which browsers reach it, besides localhost and its address."
    )

    @field_validator("listen")
    @classmethod
    def _is_address(cls, listen: str) -> str:
        try:
            parse_socket(f"tcp://{listen}")
        except ValueError:
            raise ValueError('is no address (allowed: "host:port", "[::1]:port", ":port")') from None
        return listen

    @field_validator("username")
    @classmethod
    def _can_be_sent(cls, username: str) -> str:
        if ":" in username or not username.isprintable():
            raise ValueError("cannot be sent: it holds a colon or what is not printable")
        return username

    @field_validator("password")
    @classmethod
    def _is_hashed(cls, password: SecretStr) -> SecretStr:
        if password.get_secret_value() and not password.get_secret_value().startswith("$"):
            raise ValueError("is no hash: put in what `kahi hash-password` prints, never the password")
        return password

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.enabled and not (self.username and self.password.get_secret_value()):
            raise ValueError("is not served without username and password")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key belong together")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host ("" for all) and port to listen on."""
        return parse_socket(f"tcp://{self.listen}")


class ServerSettings(BaseModel):
    """``[server]``: where the API is served."""

    model_config = ConfigDict(frozen=True, strict=True)

    unix: UnixSettings = Field(default=UnixSettings(), description="The control socket.")
    http: HttpSettings = Field(default=HttpSettings(), description="The API over TCP.")
    max_connections: int = Field(
        default=limits.CONNECTIONS,
        ge=FEWEST_CONNECTIONS,
        le=60_000,
        description="Connections that may be open.",
    )
    max_streams: int = Field(
        default=limits.STREAMS, ge=1, le=60_000, description="Streams of server-sent events that may be open."
    )
